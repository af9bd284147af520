//! A client that says something and waits for an answer: `cargo run -p duplexer --example client -- ws://127.0.0.1:9001/ hello`.

use std::error::Error;

use duplexer::{Client, CloseCode, Message};
use tokio::time::{Duration, timeout};

/// Asks a server one thing; waits at most 10 s for the answer.
pub async fn ask(uri: &str, question: &str) -> Result<Option<Message>, Box<dyn Error>> {
    let client = Client::builder().keepalive(Some(Duration::from_secs(5)), Duration::from_secs(5));
    let mut socket = client.build().connect(uri).await?;
    socket.send(question).await?;
    let answer = timeout(Duration::from_secs(10), socket.recv()).await??;
    socket.close(CloseCode::NORMAL, "").await?;
    Ok(answer)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let uri = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:9001/".to_owned());
    let question = arguments.next().unwrap_or_else(|| "hello".to_owned());
    // What `main` returns is shown by `Debug`; people read `Display`.
    match ask(&uri, &question).await.map_err(|error| error.to_string())? {
        Some(answer) => println!("{answer:?}"),
        None => println!("closed without an answer"),
    }
    Ok(())
}
