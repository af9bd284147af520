//! Our side of the dialogues: a server in this process that echoes and takes orders, a client, and a bystander that must not be
//! disturbed.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use duplexer::{Client, CloseCode, CloseInfo, Deflate, Limits, Message, Server, WebSocket};
use duplexer_conformance::raw::{PATIENCE, listener};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What a test changes about our server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// How it compresses, if at all.
    pub(crate) deflate: Option<Deflate>,
    /// Its limits.
    pub(crate) limits: Limits,
}

/// A running server of ours. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Served {
    address: SocketAddr,
    running: JoinHandle<()>,
    closes: UnboundedReceiver<Option<CloseInfo>>,
}

impl Served {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the next of its connections ended, as it saw that.
    pub(crate) async fn closed(&mut self) -> anyhow::Result<CloseInfo> {
        let ended = timeout(PATIENCE, self.closes.recv()).await?;
        ended.flatten().context("the server does not know how a connection ended")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Starts our server on a free port.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<Served> {
    let (listener, address) = listener().await?;
    let server = Server::builder().deflate(settings.deflate).limits(settings.limits).build();
    let (ends, closes) = unbounded_channel();
    let running = tokio::spawn(async move {
        let ended = server.serve(listener, move |socket, _request| converse(socket, ends.clone()));
        ended.await.expect("nothing happens to the listener");
    });
    Ok(Served { address, running, closes })
}

/// Our client, compressing as told.
pub(crate) fn client(deflate: Option<Deflate>) -> Client {
    Client::builder().deflate(deflate).build()
}

/// Echoes every message but the texts that are orders: `!ping` pings and then says `pong`, `!close CODE REASON` closes.
async fn converse(mut socket: WebSocket, ends: UnboundedSender<Option<CloseInfo>>) {
    while let Ok(Some(message)) = socket.recv().await {
        let obeyed = match message.as_text().and_then(|text| text.strip_prefix('!')) {
            None => socket.send(message).await.is_ok(),
            Some(order) => obey(&mut socket, order).await.is_ok(),
        };
        if !obeyed {
            break;
        }
    }
    // A test that does not ask may have dropped the other end.
    let _ = ends.send(socket.close_info());
}

async fn obey(socket: &mut WebSocket, order: &str) -> anyhow::Result<()> {
    match order.split_once(' ') {
        Some(("close", rest)) => {
            let (code, reason) = rest.split_once(' ').context("no reason")?;
            socket.close(CloseCode::from(code.parse::<u16>()?), reason).await?;
        }
        _ => {
            socket.ping().await?;
            socket.send("pong").await?;
        }
    }
    Ok(())
}

/// A client that keeps talking to the same server while others misbehave.
#[derive(Debug)]
pub(crate) struct Bystander {
    socket: WebSocket,
}

impl Bystander {
    /// Opens its connection.
    pub(crate) async fn join(server: &Served) -> anyhow::Result<Self> {
        let socket = client(None).connect(format!("ws://{}/", server.address())).await?;
        Ok(Self { socket })
    }

    /// Sends a message and checks that it comes back.
    pub(crate) async fn echoes(&mut self) -> anyhow::Result<()> {
        self.socket.send("still there?").await?;
        let answer = self.socket.recv().await?.context("the bystander was closed")?;
        ensure!(answer == Message::from("still there?"), "the bystander received {answer:?}");
        Ok(())
    }
}
