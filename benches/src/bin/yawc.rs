//! The rival yawc, upgraded by hyper as its documentation shows, echoing one message at a time or in batches with the
//! settings that its README tunes it with.

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::servers::{Deflate, Listen, serve_with_timers};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use yawc::{DeflatePool, Frame, HttpWebSocket, OpCode, Options, WebSocket};

/// Echo messages with yawc
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Feed the replies and flush them once no further message has arrived or 32 are fed, with a read buffer of 128 KiB and
    /// a write boundary of 64 KiB
    #[arg(long)]
    batch: bool,
    /// Agree to permessage-deflate
    #[arg(long)]
    deflate: Option<Deflate>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, batch, deflate } = Arguments::parse();
    // The limit is exclusive: the library's own 1 MiB would refuse a message of 1 MiB.
    let mut options = Options::default().with_no_delay().with_max_payload_read(16 * 1024 * 1024);
    if batch {
        options =
            options.with_read_buffer_capacity(128 * 1024).with_backpressure_boundary(64 * 1024);
    }
    options = match deflate {
        None => options,
        Some(Deflate::Takeover) => options.with_balanced_compression(),
        Some(Deflate::NoTakeover) => options
            .with_balanced_compression()
            .server_no_context_takeover()
            .client_no_context_takeover()
            .with_deflate_pool(DeflatePool::new(64)),
    };
    // A connection that fails is the generator's to report: it counts what comes back.
    serve_with_timers(&listen, move |stream| {
        let options = options.clone();
        async move {
            let _gone = upgrade(stream, options, batch).await;
        }
    })
    .context("yawc's server stopped")
}

async fn upgrade(stream: TcpStream, options: Options, batch: bool) -> anyhow::Result<()> {
    let service = service_fn(move |request| answer(request, options.clone(), batch));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?;
    Ok(())
}

async fn answer(
    mut request: Request<Incoming>,
    options: Options,
    batch: bool,
) -> yawc::Result<Response<Empty<Bytes>>> {
    let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(async move {
        let socket = upgraded.await?;
        if batch { echo_batch(socket).await } else { echo(socket).await }
    });
    Ok(response)
}

async fn echo(mut socket: HttpWebSocket) -> yawc::Result<()> {
    while let Some(frame) = socket.next().await {
        if is_data(&frame) {
            socket.send(frame).await?;
        }
    }
    Ok(())
}

async fn echo_batch(mut socket: HttpWebSocket) -> yawc::Result<()> {
    while let Some(first) = socket.next().await {
        feed(&mut socket, first).await?;
        for _ in 1..BATCH_MAX {
            let Some(Some(next)) = socket.next().now_or_never() else { break };
            feed(&mut socket, next).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn feed(socket: &mut HttpWebSocket, frame: Frame) -> yawc::Result<()> {
    if is_data(&frame) { socket.feed(frame).await } else { Ok(()) }
}

fn is_data(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}

const BATCH_MAX: usize = 32;
