//! How connections end, and how one learns of it: `cargo run -p duplexer --example closing`.

use std::error::Error;

use duplexer::{CloseCode, ConnectError, End, RecvError, Request, Server, WebSocket};
use tokio::net::TcpListener;

/// A handler that ends its connection as it is asked to.
pub async fn host(mut socket: WebSocket, _: Request) -> Result<(), Box<dyn Error + Send + Sync>> {
    while let Some(asked) = socket.recv().await? {
        match asked.as_text() {
            // Every other code than 1000 and 1001 is an error of the peer's `recv`; 4000 to 4999 are an application's own.
            Some("refuse") => socket.close(CloseCode::from(4001), "your token has expired").await?,
            // The peer sees 1011 and no word of the reason, which is for the log.
            Some("fail") => return Err("the database is gone".into()),
            // As if the machine had lost its power: 1006.
            Some("vanish") => socket.abort(),
            _ => socket.send(asked).await?,
        }
    }
    // The peer has closed, and been answered.
    Ok(())
}

/// Says something, and tells how the connection ended. What is no order is answered, and then this end closes.
pub async fn ending(uri: &str, said: &str) -> Result<String, ConnectError> {
    let mut socket = duplexer::connect(uri).await?;
    // Where it is closed already, `recv` says why.
    socket.send(said).await.ok();
    let ended = loop {
        match socket.recv().await {
            // Returns after at most `close_timeout`, whatever the peer does.
            Ok(Some(_)) => socket.close(CloseCode::NORMAL, "done").await.expect("a short reason"),
            Ok(None) => break "well".to_owned(),
            Err(RecvError::Closed(info)) => break format!("badly, with {}", info.reason),
            Err(error) => break format!("badly: {error}"),
        }
    };
    let by = match socket.close_info().map(|info| info.initiator) {
        Some(End::Local) => "this end",
        Some(End::Remote) => "the other end",
        None => "nobody",
    };
    Ok(format!("{ended}; by {by}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    tokio::spawn(async move { Server::default().serve(listener, host).await });
    for said in ["hello", "refuse", "fail", "vanish"] {
        println!("{said}: ended {}", ending(&uri, said).await?);
    }
    Ok(())
}
