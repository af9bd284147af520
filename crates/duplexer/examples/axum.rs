//! A WebSocket among the routes of an axum application: `cargo run --features axum --example axum`.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use duplexer::{Request, Server, Upgrade, WebSocket};
use tokio::net::TcpListener;

/// The application: a page and an echo. The server's settings are those of its WebSockets; it does not listen.
pub fn app(server: Server) -> Router {
    Router::new().route("/", get("a page\n")).route("/echo", get(echo)).with_state(server)
}

async fn echo(State(server): State<Server>, upgrade: Upgrade) -> impl IntoResponse {
    let handler = |mut socket: WebSocket, _: Request| async move {
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok::<(), Box<dyn Error + Send + Sync>>(())
    };
    server.upgrade(upgrade, handler).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("ws://{}/echo", listener.local_addr()?);
    let server = Server::default();
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app(server.clone())).with_graceful_shutdown(stop).await?;
    // axum has let go of its WebSockets: the server closes them.
    server.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
