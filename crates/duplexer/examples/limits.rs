//! A server for the open internet: bounds on everything, and an end in order. `cargo run -p duplexer --example limits`, then Ctrl-C.

use std::error::Error;
use std::time::Duration;

use duplexer::{Limits, RateLimits, RecvError, Request, Server, WebSocket};
use tokio::net::TcpListener;

/// A server whose clients may do only so much.
pub fn server() -> Server {
    let mut limits = Limits::default();
    limits.message_bytes_max = 64 << 10;
    limits.open_timeout = Duration::from_secs(5);
    let mut rates = RateLimits::default();
    rates.messages_per_second_max = Some(100);
    Server::builder()
        .limits(limits)
        .rates(rates)
        .connections_max(10_000)
        .connections_per_address_max(100)
        .build()
}

/// Sends every message back.
pub async fn echo(mut socket: WebSocket, _: Request) -> Result<(), RecvError> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await.ok();
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("ws://{}/", listener.local_addr()?);
    let server = server();
    let stopping = server.clone();
    let serving = tokio::spawn(async move { server.serve(listener, echo).await });
    tokio::signal::ctrl_c().await?;
    // Everyone is told 1001, and has ten seconds to say goodbye.
    stopping.shutdown(Duration::from_secs(10)).await;
    Ok(serving.await??)
}
