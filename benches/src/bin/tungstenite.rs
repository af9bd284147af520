//! The rival tokio-tungstenite 0.30.0, echoing one message at a time or in batches.

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::servers::{Listen, serve};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Echo messages with tokio-tungstenite
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Feed the replies and flush them once no further message has arrived, instead of sending each
    #[arg(long)]
    batch: bool,
    /// The read buffer of each connection; the library's default is 128 KiB
    #[arg(long, value_name = "BYTES")]
    read_buffer: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, batch, read_buffer } = Arguments::parse();
    let mut config = WebSocketConfig::default();
    if let Some(bytes) = read_buffer {
        config = config.read_buffer_size(bytes);
    }
    // A connection that fails is the generator's to report: it counts what comes back.
    serve(&listen, move |stream| async move {
        let _gone =
            if batch { echo_batch(stream, config).await } else { echo(stream, config).await };
    })
    .context("tungstenite's server stopped")
}

async fn echo(stream: TcpStream, config: WebSocketConfig) -> Result<(), Error> {
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if is_data(&message) {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn echo_batch(stream: TcpStream, config: WebSocketConfig) -> Result<(), Error> {
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    while let Some(first) = socket.next().await {
        feed(&mut socket, first?).await?;
        while let Some(Some(next)) = socket.next().now_or_never() {
            feed(&mut socket, next?).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn feed(socket: &mut WebSocketStream<TcpStream>, message: Message) -> Result<(), Error> {
    if is_data(&message) { socket.feed(message).await } else { Ok(()) }
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}
