//! The rival tokio-websockets, echoing as its README does, or as its `echo_server` example sets it and in batches.

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::servers::{Listen, serve};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_websockets::{Config, Error, Limits, Message, ServerBuilder};

/// Echo messages with tokio-websockets
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Take the settings of the library's own echo server, and answer all messages that have arrived with one flush
    #[arg(long)]
    batch: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, batch } = Arguments::parse();
    // A connection that fails is the generator's to report: it counts what comes back.
    serve(&listen, move |stream| async move {
        let _gone =
            if batch { unconstrained(echo_batch(stream)).await } else { echo(stream).await };
    })
    .context("tokio-websockets' server stopped")
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let (_request, mut socket) = ServerBuilder::new().accept(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if is_data(&message) {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn echo_batch(stream: TcpStream) -> Result<(), Error> {
    let config = Config::default().frame_size(usize::MAX);
    let server = ServerBuilder::new().config(config).limits(Limits::unlimited());
    let (_request, mut socket) = server.accept(stream).await?;
    // The library writes what is queued before it reads on, so all that is there is read first.
    let mut arrived = Vec::with_capacity(BATCH_MAX);
    while let Some(first) = socket.next().await {
        arrived.push(first?);
        while arrived.len() < BATCH_MAX {
            let Some(Some(next)) = socket.next().now_or_never() else { break };
            arrived.push(next?);
        }
        for message in arrived.drain(..).filter(is_data) {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}

/// Bounds what is held between two writes.
const BATCH_MAX: usize = 32;
