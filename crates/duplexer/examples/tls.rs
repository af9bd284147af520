//! A server that speaks TLS, and takes a renewed certificate without dropping anybody:
//! `cargo run -p duplexer --example tls -- chain.pem key.pem`, and `kill -HUP` after each renewal.

use std::error::Error;

use duplexer::{RecvError, Request, Server, ServerTls, WebSocket};
use tokio::net::TcpListener;

/// A server with the certificates of `tls`, which may be reloaded meanwhile.
pub fn server(tls: ServerTls) -> Server {
    Server::builder().tls(tls).build()
}

/// Says what was agreed on, and listens.
pub async fn greet(mut socket: WebSocket, request: Request) -> Result<(), RecvError> {
    let version = request.tls().map(duplexer::TlsInfo::version);
    socket.send(format!("{version:?}")).await.ok();
    while socket.recv().await?.is_some() {}
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(chain), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("give the files of a certificate chain and of its key, in PEM".into());
    };
    let tls = ServerTls::from_pem_files(chain, key)?;
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("wss://{}/", listener.local_addr()?);
    #[cfg(unix)]
    tokio::spawn({
        let tls = tls.clone();
        let mut renewed = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        async move {
            while renewed.recv().await.is_some() {
                if let Err(error) = tls.reload() {
                    eprintln!("the old certificate stays: {error}");
                }
            }
        }
    });
    server(tls).serve(listener, greet).await?;
    Ok(())
}
