//! How to test what is written with it, without a port or a wait: `cargo run -p duplexer --example testing --features testing`. In a project of
//! yours each of the last three functions is a `#[tokio::test(start_paused = true)]`.

use std::time::Duration;

use duplexer::testing::{self, Cut, Faulty, Pair};
use duplexer::{Addresses, Client, CloseCode, Message, RecvError, Request, Server, WebSocket};

/// What is tested: adds up the numbers that it is sent, and answers with the sum when it is asked for it.
pub async fn add_up(mut socket: WebSocket) -> Result<u32, RecvError> {
    let mut sum = 0;
    while let Some(message) = socket.recv().await? {
        match message.as_text().map(str::parse::<u32>) {
            Some(Ok(number)) => sum += number,
            Some(Err(_)) | None => {
                socket.send(sum.to_string()).await.ok();
            }
        }
    }
    Ok(sum)
}

/// A function that takes a socket is given one end of a pair; the test has the other.
pub async fn the_sum_is_told_and_returned() {
    let (mut client, server) = testing::pair();
    let talking = async {
        for said in ["1", "2", "sum?"] {
            client.send(said).await.expect("it is open");
        }
        let told = client.recv().await.expect("it is open");
        client.close(CloseCode::NORMAL, "").await.expect("a short reason");
        told
    };
    let (sum, told) = tokio::join!(add_up(server), talking);
    assert_eq!(told, Some(Message::from("3")));
    assert_eq!(sum.expect("a clean end"), 3);
}

/// A network that hands on one byte at a time and is cut loses what was on its way, and says so.
pub async fn a_network_that_is_cut_is_an_error() {
    let (ours, theirs) = tokio::io::duplex(1024);
    // Two frames of a client with one digit each take seven bytes each.
    let cut = Faulty::new(theirs).piece_bytes(1).cut_after_read(10, Cut::Reset);
    let (mut client, server) = Pair::new().open_over(ours, cut);
    client.feed("1").await.expect("there is room");
    client.send("2").await.expect("it is open");
    let error = add_up(server).await.expect_err("the second message was cut");
    assert!(matches!(error, RecvError::Io(_)), "{error}");
}

/// A whole server, over a pipe; of a paused clock forty seconds of silence pass at once.
pub async fn a_silent_client_is_lost() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let serving = tokio::spawn(async move {
        let handler = |socket: WebSocket, _: Request| async move { add_up(socket).await.map(drop) };
        Server::default().serve_over(theirs, Addresses::default(), handler).await;
    });
    let client = Client::default().connect_over(ours, "ws://localhost/").await.expect("welcome");
    let started = tokio::time::Instant::now();
    serving.await.expect("no panic");
    assert!(
        started.elapsed() >= Duration::from_secs(40),
        "after a ping, and the wait for its pong"
    );
    drop(client);
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    the_sum_is_told_and_returned().await;
    a_network_that_is_cut_is_an_error().await;
    a_silent_client_is_lost().await;
    println!("all is well");
}
