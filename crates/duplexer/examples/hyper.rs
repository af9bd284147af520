//! A WebSocket in a service of hyper: `cargo run -p duplexer --example hyper`.

use std::convert::Infallible;
use std::error::Error;

use duplexer::{SendError, Upgrade, WebSocket};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Answers a request: `/greet` is a WebSocket, everything else a page.
pub async fn answer(mut request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    if request.uri().path() != "/greet" {
        return Ok(Response::new("a page\n".to_owned()));
    }
    Ok(match Upgrade::from_request(&mut request) {
        Ok(upgrade) => upgrade.on_upgrade(greet),
        Err(error) => error.response(),
    })
}

async fn greet(mut socket: WebSocket) -> Result<(), SendError> {
    socket.send("hello").await
}

/// Serves what connects.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection.with_upgrades());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("ws://{}/greet", listener.local_addr()?);
    serve(listener).await?;
    Ok(())
}
