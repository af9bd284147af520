//! WebSockets with a tower service beside them, on one port: `cargo run -p duplexer --example tower`. The service is an axum router here.

use std::error::Error;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use duplexer::{Addresses, RecvError, Request, Server, WebSocket};
use tokio::net::TcpListener;

/// Takes all requests for WebSockets, whatever their path, and leaves the others to the router.
pub fn server() -> Server {
    let page = |Extension(addresses): Extension<Addresses>| async move {
        format!("a page for {:?}\n", addresses.peer)
    };
    Server::builder().http(Router::new().route("/", get(page))).build()
}

/// Counts the messages.
pub async fn count(mut socket: WebSocket, _: Request) -> Result<(), RecvError> {
    let mut messages = 0;
    while let Some(_message) = socket.recv().await? {
        messages += 1;
        socket.send(messages.to_string()).await.ok();
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("http://{0}/ and ws://{0}/", listener.local_addr()?);
    server().serve(listener, count).await?;
    Ok(())
}
