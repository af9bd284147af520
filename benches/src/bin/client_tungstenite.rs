//! The rival tokio-tungstenite 0.30.0 as a client: `send` for each message, or `feed` and a flush after sixteen.

use clap::Parser as _;
use duplexer_benches::servers::{Listen, Order, Tally, payload, server_to_measure};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Be measured as a client
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Feed messages and flush after each sixteen, instead of sending each
    #[arg(long)]
    batch: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { listen, batch } = Arguments::parse();
    let address = server_to_measure(&listen).await?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("ws://{address}/"), stream).await?;
    let mut tally = Tally::default();
    // The server leaves without a word when it has measured.
    while let Some(Ok(message)) = socket.next().await {
        let text = match message {
            Message::Binary(bytes) => {
                tally.hear(&bytes);
                continue;
            }
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => continue,
        };
        match Order::parse(&text)? {
            Order::Count => socket.send(Message::text(tally.report())).await?,
            Order::Send { messages, payload_bytes } => {
                let payload = Bytes::from(payload(payload_bytes));
                for sent in 1..=messages {
                    let message = Message::Binary(payload.clone());
                    match batch {
                        false => socket.send(message).await?,
                        true => socket.feed(message).await?,
                    }
                    if batch && sent % 16 == 0 {
                        socket.flush().await?;
                    }
                }
                socket.flush().await?;
            }
        }
    }
    Ok(())
}
