//! A peer whose packets are silently dropped from some moment on: PyPI `websockets` in a network of its own, behind a link that is
//! taken down. Run by `cargo xtask interop lost-peer`, as root.
//!
//! Each test starts itself once more in a second network, at the near end of that link.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use duplexer::{Client, CloseCode, RecvError, SendError, Server, WebSocket};
use duplexer_conformance::network::Network;
use duplexer_conformance::stream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[tokio::test]
#[ignore = "needs root, ip and PyPI websockets: cargo xtask interop lost-peer"]
async fn our_client_notices_a_lost_peer_in_time() -> anyhow::Result<()> {
    match Far::reached_by("our_client_notices_a_lost_peer_in_time", "c1").await? {
        Some(far) => as_client(&far, Scene::Receiving).await,
        None => Ok(()),
    }
}

#[tokio::test]
#[ignore = "needs root, ip and PyPI websockets: cargo xtask interop lost-peer"]
async fn our_server_notices_a_lost_peer_in_time() -> anyhow::Result<()> {
    match Far::reached_by("our_server_notices_a_lost_peer_in_time", "s1").await? {
        Some(far) => as_server(far, Scene::Receiving).await,
        None => Ok(()),
    }
}

#[tokio::test]
#[ignore = "needs root, ip and PyPI websockets: cargo xtask interop lost-peer"]
async fn a_client_that_waits_for_room_notices_a_lost_peer_in_time() -> anyhow::Result<()> {
    let name = "a_client_that_waits_for_room_notices_a_lost_peer_in_time";
    match Far::reached_by(name, "c2").await? {
        Some(far) => as_client(&far, Scene::Sending).await,
        None => Ok(()),
    }
}

#[tokio::test]
#[ignore = "needs root, ip and PyPI websockets: cargo xtask interop lost-peer"]
async fn a_server_that_waits_for_room_notices_a_lost_peer_in_time() -> anyhow::Result<()> {
    let name = "a_server_that_waits_for_room_notices_a_lost_peer_in_time";
    match Far::reached_by(name, "s2").await? {
        Some(far) => as_server(far, Scene::Sending).await,
        None => Ok(()),
    }
}

#[tokio::test]
#[ignore = "needs root, ip and PyPI websockets: cargo xtask interop lost-peer"]
async fn a_server_that_comes_back_in_time_is_not_lost() -> anyhow::Result<()> {
    match Far::reached_by("a_server_that_comes_back_in_time_is_not_lost", "c3").await? {
        Some(far) => as_client(&far, Scene::Returning).await,
        None => Ok(()),
    }
}

#[tokio::test]
#[ignore = "needs root, ip and PyPI websockets: cargo xtask interop lost-peer"]
async fn a_client_that_comes_back_in_time_is_not_lost() -> anyhow::Result<()> {
    match Far::reached_by("a_client_that_comes_back_in_time_is_not_lost", "s3").await? {
        Some(far) => as_server(far, Scene::Returning).await,
        None => Ok(()),
    }
}

/// What our end does while the peer is gone.
#[derive(Debug, Clone, Copy)]
enum Scene {
    /// Waits for a message.
    Receiving,
    /// Sends, until there is no room.
    Sending,
    /// Waits for a pong, and goes on when the peer is back.
    Returning,
}

impl Scene {
    /// The time that a silent peer has to answer a ping.
    const fn timeout(self) -> Duration {
        match self {
            Self::Receiving | Self::Sending => Duration::from_secs(2),
            // Longer than TCP waits, once the link is up, before it sends again.
            Self::Returning => Duration::from_secs(15),
        }
    }

    /// Talks to a peer, loses it, and sees what comes of it.
    async fn play(self, socket: &mut WebSocket, far: &Far) -> anyhow::Result<()> {
        echoes(socket).await?;
        far.link("down").await?;
        let began = Instant::now();
        // As one who has no keepalive would wait, and much longer than the keepalive's time.
        let outcome = timeout(PATIENCE, self.act(socket, far)).await;
        outcome.with_context(|| format!("{self:?}: nothing noticed in {PATIENCE:?}"))??;
        let took = began.elapsed();
        println!("{self:?}: {took:?}");
        if matches!(self, Self::Returning) {
            return Ok(());
        }
        ensure!(took < INTERVAL + self.timeout() + SLACK, "{self:?}: noticed after {took:?}");
        let info = socket.close_info().context("no close info")?;
        ensure!(info.reason.code() == CloseCode::ABNORMAL && !info.clean, "{self:?}: {info:?}");
        // It stays so.
        let sent = socket.send("hello?").await;
        ensure!(matches!(sent, Err(SendError::PeerLost)), "{self:?}: {sent:?}");
        lost(socket).await
    }

    async fn act(self, socket: &mut WebSocket, far: &Far) -> anyhow::Result<()> {
        match self {
            Self::Receiving => lost(socket).await,
            Self::Sending => {
                let ended = loop {
                    if let Err(error) = socket.send(vec![0; 64 << 10]).await {
                        break error;
                    }
                };
                ensure!(matches!(ended, SendError::PeerLost), "{ended:?}");
                lost(socket).await
            }
            Self::Returning => {
                let pong = timeout(2 * INTERVAL, socket.ping()).await;
                ensure!(pong.is_err(), "the link is down, and yet: {pong:?}");
                far.link("up").await?;
                echoes(socket).await
            }
        }
    }
}

async fn lost(socket: &mut WebSocket) -> anyhow::Result<()> {
    let ended = socket.recv().await;
    ensure!(matches!(ended, Err(RecvError::PeerLost)), "{ended:?}");
    Ok(())
}

async fn echoes(socket: &mut WebSocket) -> anyhow::Result<()> {
    socket.send("there?").await?;
    let answer = socket.recv().await?.context("closed instead of echoed")?;
    ensure!(answer.as_text() == Some("there?"), "{answer:?}");
    Ok(())
}

async fn as_client(far: &Far, scene: Scene) -> anyhow::Result<()> {
    let (_peer, address) = stream::serve(FAR.into(), None, Some(&far.0), CHORE).await?;
    let client = Client::builder().keepalive(Some(INTERVAL), scene.timeout()).proxy(None).build();
    let mut socket = client.connect(format!("ws://{address}/")).await?;
    scene.play(&mut socket, far).await
}

async fn as_server(far: Far, scene: Scene) -> anyhow::Result<()> {
    let listener = TcpListener::bind((NEAR, 0)).await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    let mut peer = stream::connect(&url, None, Some(&far.0), CHORE)?;
    let server = Server::builder().keepalive(Some(INTERVAL), scene.timeout()).build();
    let (outcomes, mut outcome) = mpsc::channel(1);
    let far = std::sync::Arc::new(far);
    let serving = server.serve(listener, move |mut socket, _request| {
        let (outcomes, far) = (outcomes.clone(), far.clone());
        async move {
            let played = scene.play(&mut socket, &far).await;
            outcomes.send(played).await.expect("the test waits for it");
        }
    });
    tokio::select! {
        biased;
        played = outcome.recv() => played.context("no outcome")?,
        ended = serving => bail!("the server ended: {ended:?}"),
        ended = peer.ended(2 * PATIENCE) => bail!("the peer ended: {ended:?}"),
    }
}

/// The network in which the peer is, at the other end of the link.
struct Far(Network);

impl Far {
    /// In the network at the near end: the other one. Outside: makes both and the link, and runs the test of this name in there.
    async fn reached_by(test: &str, label: &str) -> anyhow::Result<Option<Self>> {
        if let Ok(name) = std::env::var(INSIDE) {
            return Ok(Some(Self(Network::existing(name, CHORE)?)));
        }
        let near = Network::new(&format!("near-{label}"), CHORE).await?;
        let far = Network::new(&format!("far-{label}"), CHORE).await?;
        near.configure(&format!("link add near type veth peer name far netns {}", far.name()))
            .await?;
        for (network, name, address) in [(&near, "near", NEAR), (&far, "far", FAR)] {
            network.configure(&format!("address add {address}/24 dev {name}")).await?;
            network.configure(&format!("link set {name} up")).await?;
        }
        near.repeat(test, INSIDE, far.name()).await?;
        Ok(None)
    }

    /// Takes the link down, or up again.
    async fn link(&self, state: &str) -> anyhow::Result<()> {
        self.0.configure(&format!("link set far {state}")).await
    }
}

const CHORE: &str = "interop lost-peer";
const INSIDE: &str = "DUPLEXER_FAR";
/// Addresses for tests of networks (RFC 2544).
const NEAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const INTERVAL: Duration = Duration::from_secs(1);
/// For a busy machine.
const SLACK: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);
