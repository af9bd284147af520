//! An echo server: `cargo run --release --example echo`. The program's `duplexer echo` runs the same handler.

use std::error::Error;

use duplexer::{Server, WebSocket};
use tokio::net::TcpListener;

/// Sends every message back.
pub async fn echo(socket: &mut WebSocket) -> Result<(), Box<dyn Error + Send + Sync>> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("ws://{}/", listener.local_addr()?);
    let server = Server::default();
    server.serve(listener, |mut socket, _| async move { echo(&mut socket).await }).await?;
    Ok(())
}
