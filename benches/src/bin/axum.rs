//! The rival axum, whose `ws` is tungstenite behind hyper and a router, served by `axum::serve` and echoing one message at a
//! time.

use anyhow::Context as _;
use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::routing::any;
use axum::serve::ListenerExt as _;
use clap::Parser as _;
use duplexer_benches::servers::{Listen, announced};

/// Echo messages with axum
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// The read buffer of each connection; the library's default is 128 KiB
    #[arg(long, value_name = "BYTES")]
    read_buffer: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, read_buffer } = Arguments::parse();
    let answer = any(move |upgrade: WebSocketUpgrade| async move {
        let upgrade = match read_buffer {
            Some(bytes) => upgrade.read_buffer_size(bytes),
            None => upgrade,
        };
        upgrade.on_upgrade(echo)
    });
    let router = Router::new().route("/{*path}", answer);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = announced(&listen)?.tap_io(|stream| {
            // A connection that is gone already is the generator's to report.
            let _gone = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await.context("axum's server stopped")
    })
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let sent = match message {
            data @ (Message::Text(_) | Message::Binary(_)) => socket.send(data).await,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
