//! The module for the tests of users: pairs in memory, and transports that fail as they are told to.

use std::time::Duration;

use duplexer::testing::{Cut, Faulty, Pair, pair};
use duplexer::{Client, CloseCode, Deflate, End, Limits, Message, RecvError, Server, WebSocket};
use tokio::time::Instant;

/// Waits for something and fails the test when it does not come.
async fn until<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), what).await.expect("it happens in time")
}

async fn received(socket: &mut WebSocket) -> Message {
    until(socket.recv()).await.expect("open").expect("a message")
}

#[tokio::test(start_paused = true)]
async fn a_pair_talks_and_closes() {
    let (mut client, mut server) = pair();
    assert!(client.extensions().starts_with("permessage-deflate"), "{}", client.extensions());
    client.send("hello").await.expect("it is open");
    assert_eq!(received(&mut server).await, "hello".into());
    server.send(vec![7; 10_000]).await.expect("it is open");
    assert_eq!(received(&mut client).await.len(), 10_000);
    let (closed, ended) = tokio::join!(client.close(CloseCode::NORMAL, "done"), server.recv());
    closed.expect("it may be sent");
    assert_eq!(ended.expect("a clean end"), None);
    assert_eq!(server.close_info().expect("it is over").initiator, End::Remote);
}

#[tokio::test(start_paused = true)]
async fn both_ends_have_their_own_settings() {
    let mut limits = Limits::default();
    limits.message_bytes_max = 10;
    let client = Client::builder().subprotocol("b").subprotocol("a").deflate(Deflate::takeover());
    let server = Server::builder().subprotocols(["a", "b"]).limits(limits).deflate(None).build();
    let pair = Pair::new().client(&client.build()).server(&server).pipe_bytes(0);
    let (mut client, mut server) = pair.open();
    assert_eq!((client.subprotocol(), client.extensions()), (Some("a"), ""));
    let (sent, received) = tokio::join!(client.send("eleven bytes"), until(server.recv()));
    sent.expect("it is open");
    assert!(matches!(received, Err(RecvError::Fault(_))), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn one_byte_at_a_time_and_not_now_lose_nothing() {
    let (ours, theirs) = tokio::io::duplex(3);
    let slow = Faulty::new(ours).piece_bytes(0).stutter();
    let (mut client, mut server) =
        Pair::new().client(&Client::default()).server(&Server::default()).open_over(slow, theirs);
    let text = "a message that is long enough to be compressed ".repeat(20);
    let (sent, heard) = tokio::join!(client.send(text.as_str()), received(&mut server));
    sent.expect("it is open");
    assert_eq!(heard.as_text(), Some(text.as_str()));
    let (sent, heard) = tokio::join!(server.send(text.as_str()), received(&mut client));
    sent.expect("it is open");
    assert_eq!(heard.as_text(), Some(text.as_str()));
}

#[tokio::test(start_paused = true)]
async fn latency_takes_its_time_each_way_it_is_put() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let far = Faulty::new(ours).latency(Duration::from_millis(80));
    let (mut client, mut server) = Pair::new().open_over(far, theirs);
    let began = Instant::now();
    server.send("hello").await.expect("it is open");
    assert_eq!(received(&mut client).await, "hello".into());
    let took = began.elapsed();
    assert!((80..90).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_the_end_a_reset_or_silence() {
    for (cut, reads) in [
        (Cut::EndOfStream, "without a closing handshake"),
        (Cut::Reset, "connection reset"),
        (Cut::Silence, "keepalive timeout"),
    ] {
        // "hello" is 2 + 5 bytes, of which the last is missing.
        let (ours, theirs) = tokio::io::duplex(1024);
        let broken = Faulty::new(ours).cut_after_read(2 + 5 + 6, cut);
        let (mut client, mut server) = Pair::new().open_over(broken, theirs);
        for _ in 0..2 {
            server.send("hello").await.expect("it is open");
        }
        assert_eq!(received(&mut client).await, "hello".into());
        let error = until(client.recv()).await.expect_err("it broke");
        assert!(error.to_string().contains(reads), "{cut:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_of_what_is_written_is_found_by_the_other_end_too() {
    for cut in [Cut::EndOfStream, Cut::Reset, Cut::Silence] {
        let (ours, theirs) = tokio::io::duplex(1024);
        let broken = Faulty::new(ours).cut_after_written(3, cut);
        let (mut client, mut server) = Pair::new().open_over(broken, theirs);
        let sent = client.send("hello").await;
        assert_eq!(sent.is_ok(), cut == Cut::Silence, "{cut:?}: {sent:?}");
        drop(client);
        let error = until(server.recv()).await.expect_err("half a frame came");
        assert!(matches!(error, RecvError::EndOfStream), "{cut:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_runs_the_keepalive_between_two_ends_that_are_polled() {
    let (mut client, mut server) = pair();
    let began = Instant::now();
    // Half an hour of pings in no time.
    let quiet = Duration::from_secs(1800);
    let (heard, answered) = tokio::join!(
        tokio::time::timeout(quiet, client.recv()),
        tokio::time::timeout(quiet, server.recv()),
    );
    assert!(heard.is_err() && answered.is_err(), "nobody was lost");
    assert_eq!(began.elapsed(), quiet);
    assert!(client.rtt().is_some() && server.rtt().is_some());
}
