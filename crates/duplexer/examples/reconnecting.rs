//! A connection that is opened again when it is lost: `cargo run -p duplexer --example reconnecting -- ws://127.0.0.1:9001/`. Stop and start
//! the server meanwhile.

use std::error::Error;

use duplexer::{Client, Message, Reconnect};

/// Subscribes anew on each connection, and hands on what comes until `enough` of it did.
pub async fn follow(uri: &str, enough: usize) -> Result<Vec<Message>, Box<dyn Error>> {
    let (client, uri) = (Client::default(), uri.to_owned());
    let mut feed = Reconnect::builder_with(move |_attempt| {
        let (client, uri) = (client.clone(), uri.clone());
        async move {
            let mut socket = client.connect(&uri).await?;
            socket.send("subscribe").await?;
            Ok::<_, Box<dyn Error + Send + Sync>>(socket)
        }
    })
    .decide(|loss| {
        eprintln!("{loss}");
        loss.decision()
    })
    .build();
    let mut heard = Vec::new();
    while heard.len() < enough
        && let Some(message) = feed.recv().await?
    {
        println!("{message:?}");
        heard.push(message);
    }
    Ok(heard)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let uri = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001/".to_owned());
    // What `main` returns is shown by `Debug`; people read `Display`.
    follow(&uri, 10).await.map(drop).map_err(|error| error.to_string())
}
