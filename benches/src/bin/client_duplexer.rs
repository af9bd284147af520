//! Our client, which does what its server tells it: plain `send` for each message, or `feed` and a flush after sixteen.

use clap::Parser as _;
use duplexer::{Bytes, Client, Message, Proxy};
use duplexer_benches::servers::{Listen, Order, Tally, payload, server_to_measure};

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
    let client = Client::builder().proxy(Proxy::none()).build();
    let mut socket = client.connect(format!("ws://{address}/")).await?;
    let mut tally = Tally::default();
    // The server leaves without a word when it has measured.
    while let Ok(Some(message)) = socket.recv().await {
        let text = match message {
            Message::Binary(bytes) => {
                tally.hear(&bytes);
                continue;
            }
            Message::Text(text) => text,
        };
        match Order::parse(&text)? {
            Order::Count => socket.send(tally.report()).await?,
            Order::Send { messages, payload_bytes } => {
                let payload = Bytes::from(payload(payload_bytes));
                for sent in 1..=messages {
                    match batch {
                        false => socket.send(payload.clone()).await?,
                        true => socket.feed(payload.clone()).await?,
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
