//! The rival fastwebsockets 0.10.0, written as its own `echo_server` example is: upgraded by hyper, fragments collected,
//! pongs and close replies automatic, the threshold for vectored writes left at its default.

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::servers::{Listen, open, serve};
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError, upgrade};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Echo messages with fastwebsockets
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Answer the handshake by hand and give the library the bare socket, without hyper
    #[arg(long)]
    bare: bool,
    /// Take messages of up to 64 MiB; the library's own limit is one byte less
    #[arg(long)]
    large: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, bare, large } = Arguments::parse();
    // A connection that fails is the generator's to report: it counts what comes back.
    serve(&listen, move |stream| async move {
        let _gone = match bare {
            true => echo_bare(stream, large).await,
            false => echo_upgraded(stream, large).await,
        };
    })
    .context("fastwebsockets' server stopped")
}

async fn echo_bare(mut stream: TcpStream, large: bool) -> anyhow::Result<()> {
    open(&mut stream).await?;
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_auto_close(true);
    socket.set_auto_pong(true);
    Ok(echo(socket, large).await?)
}

async fn echo_upgraded(stream: TcpStream, large: bool) -> anyhow::Result<()> {
    let service = service_fn(move |request| answer(request, large));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?;
    Ok(())
}

async fn answer(
    mut request: Request<Incoming>,
    large: bool,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade::upgrade(&mut request)?;
    tokio::spawn(tokio::task::unconstrained(async move { echo(upgraded.await?, large).await }));
    Ok(response)
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocket<S>,
    large: bool,
) -> Result<(), WebSocketError> {
    if large {
        // It refuses the very number.
        socket.set_max_message_size((64 << 20) + 1);
    }
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
