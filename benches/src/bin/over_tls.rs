//! The rivals tokio-tungstenite 0.30.0 and fastwebsockets 0.10.0 over TLS by tokio-rustls, echoing one message at a time.
//! fastwebsockets is given the socket after a handshake by hand.

use clap::Parser as _;
use duplexer_benches::servers::{Certificate, Listen, open, serve};
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Echo messages over TLS with a rival
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Which one
    #[arg(long)]
    library: Library,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Library {
    Tungstenite,
    Fastwebsockets,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, library } = Arguments::parse();
    let acceptor = Certificate::new()?.acceptor()?;
    serve(&listen, move |stream| {
        let accepted = acceptor.accept(stream);
        async move {
            let Ok(stream) = accepted.await else { return };
            // Each in a box, so that neither pays for the other's room. A connection that fails is the generator's to report.
            let _gone = match library {
                Library::Tungstenite => Box::pin(tungstenite(stream)).await,
                Library::Fastwebsockets => Box::pin(fastwebsockets(stream)).await,
            };
        }
    })?;
    Ok(())
}

async fn tungstenite(stream: TlsStream<TcpStream>) -> anyhow::Result<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn fastwebsockets(mut stream: TlsStream<TcpStream>) -> anyhow::Result<()> {
    open(&mut stream).await?;
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_auto_close(true);
    socket.set_auto_pong(true);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Continuation | OpCode::Ping | OpCode::Pong => {}
        }
    }
}
