//! The rival sockudo-ws, echoing one message at a time or in batches, both as its README does it.

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::servers::{Deflate, Listen, serve_with_timers};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request, server_handshake};
use sockudo_ws::{
    CompressedWebSocketStream, Compression, Config, Error, Message, Result, Role, WebSocketStream,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Echo messages with sockudo-ws
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Feed the replies; the library writes them before it reads on
    #[arg(long)]
    batch: bool,
    /// Agree to permessage-deflate
    #[arg(long)]
    deflate: Option<Deflate>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, batch, deflate } = Arguments::parse();
    // A connection that fails is the generator's to report: it counts what comes back.
    serve_with_timers(&listen, move |stream| async move {
        let _gone = match deflate {
            None => plain(stream, batch).await,
            Some(deflate) => deflated(stream, deflate, batch).await,
        };
    })
    .context("sockudo-ws' server stopped")
}

async fn plain(mut stream: TcpStream, batch: bool) -> Result<()> {
    let early = server_handshake(&mut stream).await?.leftover;
    let config = Config::default();
    echo(WebSocketStream::from_raw_with_leftover(stream, Role::Server, config, early), batch).await
}

/// Answers the handshake by hand, as the library's `simple_echo` example does: its own handshake negotiates nothing.
async fn deflated(mut stream: TcpStream, deflate: Deflate, batch: bool) -> Result<()> {
    let compression = match deflate {
        Deflate::NoTakeover => Compression::Shared,
        Deflate::Takeover => Compression::Dedicated,
    };
    let terms = compression.to_deflate_config().ok_or(Error::ConnectionClosed)?;
    let mut head = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        if let Some((request, _bytes)) = parse_request(&head)? {
            let key = generate_accept_key(request.key);
            let answer = build_response(&key, None, Some(&terms.to_response_header()));
            stream.write_all(&answer).await?;
            break;
        }
    }
    let config = Config::builder().compression(compression).build();
    echo(CompressedWebSocketStream::server(stream, config, terms), batch).await
}

async fn echo<S>(mut socket: S, batch: bool) -> Result<()>
where
    S: Stream<Item = Result<Message>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = socket.next().await {
        match message? {
            data @ (Message::Text(_) | Message::Binary(_)) if batch => socket.feed(data).await?,
            data @ (Message::Text(_) | Message::Binary(_)) => socket.send(data).await?,
            Message::Close(_) => break,
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
    Ok(())
}
