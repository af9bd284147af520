//! An echo server: `cargo run --release --example echo`. The program's `duplexer echo` runs the same handler.

use std::error::Error;

use duplexer::{Server, WebSocket};
use tokio::net::TcpListener;

/// Sends every message back.
pub async fn echo(socket: &mut WebSocket) -> Result<(), Box<dyn Error + Send + Sync>> {
    // With `while let` the place that the message was received in would last until it is sent: 88 bytes of each connection.
    loop {
        let Some(message) = socket.recv().await? else { return Ok(()) };
        socket.send(message).await?;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("ws://{}/", listener.local_addr()?);
    let server = Server::default();
    server.serve(listener, |mut socket, _| async move { echo(&mut socket).await }).await?;
    Ok(())
}
