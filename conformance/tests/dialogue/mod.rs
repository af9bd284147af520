//! What a third-party library and ours say to each other, each in either part, seen through a relay that records the wire.

use anyhow::{Context, ensure};
use duplexer::{CloseCode, Deflate, End, Message, MessageKind, RecvError, WebSocket};
use duplexer_conformance::peer::{Compression, Peer, pattern};
use duplexer_conformance::process::Program;
use duplexer_conformance::relay::{Recording, Relay};
use duplexer_conformance::wire::Reading;

use crate::ours::{self, Served, Settings};

/// One way to agree on compression, or not to.
#[derive(Debug, Clone)]
pub(crate) struct Agreement {
    /// What ours does.
    pub(crate) ours: Option<Deflate>,
    /// What the peer does.
    pub(crate) theirs: Compression,
}

impl Agreement {
    /// Every combination worth a dialogue.
    pub(crate) fn all() -> [Self; 5] {
        let with = |ours: Option<Deflate>, theirs| Self { ours, theirs };
        // Every message compressed, so that every message must show RSV1.
        let (shared, takeover) = (Deflate::shared().min_bytes(0), Deflate::takeover().min_bytes(0));
        [
            with(Some(shared.clone()), Compression::On),
            with(Some(takeover), Compression::On),
            with(Some(shared), Compression::Off),
            with(None, Compression::On),
            with(None, Compression::Off),
        ]
    }

    fn compressed(&self) -> bool {
        self.ours.is_some() && self.theirs == Compression::On
    }

    /// Checks every connection that the relay has carried: RSV1 on the messages of both directions where compression was
    /// agreed on (RFC 7692 §6), and on none where it was not.
    fn check(&self, relay: &Relay) -> anyhow::Result<()> {
        let recordings = relay.recordings();
        ensure!(!recordings.is_empty(), "nothing passed the relay");
        for Recording { from_client, from_server } in recordings {
            let request = Reading::of(&from_client).context("no request")?;
            let response = Reading::of(&from_server).context("no response")?;
            let agreed = response.field("sec-websocket-extensions").is_some();
            ensure!(agreed == self.compressed(), "{self:?}: {}", response.head);
            for (side, reading) in [("client", &request), ("server", &response)] {
                ensure!(reading.messages().count() > 0, "{self:?}: the {side} sent no message");
                let seen = reading.messages().all(|frame| frame.rsv1);
                let none = reading.messages().all(|frame| !frame.rsv1);
                ensure!(if agreed { seen } else { none }, "{self:?}: RSV1 from the {side}");
                let masked = reading.frames.iter().all(|f| f.mask.is_some() == (side == "client"));
                ensure!(masked, "{self:?}: RFC 6455 §5.1: a client masks, a server does not");
            }
        }
        Ok(())
    }
}

/// The peer gets back from our server what it sends: empty, small, and as large as our limit allows, whole and in fragments.
pub(crate) async fn our_server_echoes(peer: Peer) -> anyhow::Result<()> {
    for agreement in Agreement::all() {
        let (server, relay) = serve_through_relay(&agreement).await?;
        let mut client = peer.connect(&url(&relay), agreement.theirs).await?;
        for length in LENGTHS {
            for kind in ["text", "binary"] {
                client.expect(&format!("{kind} {length}"), &format!("echoed {length}")).await?;
            }
        }
        client.expect("fragments 7 100000", "echoed 100000").await?;
        client
            .expect(
                &format!("fragments 300 {WHOLE_MAX_FRAGMENTED}"),
                &format!("echoed {WHOLE_MAX_FRAGMENTED}"),
            )
            .await?;
        // RFC 6455 §5.5.1: the answer carries the same code, and no reason is asked of it.
        client.expect_start("close 1000 done", "closed 1000").await?;
        agreement.check(&relay)?;
        drop(server);
    }
    Ok(())
}

/// Our client gets back from the peer what it sends, and receives what the peer sends in fragments.
pub(crate) async fn our_client_is_echoed(peer: Peer) -> anyhow::Result<()> {
    for agreement in Agreement::all() {
        let (mut server, relay, mut socket) = connect_through_relay(peer, &agreement).await?;
        for length in LENGTHS {
            let octets = pattern(length);
            let text = String::from_utf8(octets.clone())?;
            for message in [Message::from(text), Message::from(octets)] {
                socket.send(message.clone()).await?;
                let answer = socket.recv().await?.context("closed instead of echoed")?;
                ensure!(answer == message, "{agreement:?}: {length} octets came back changed");
            }
        }
        our_fragments(&mut socket).await.with_context(|| format!("{agreement:?}"))?;
        let orders = [(7, 100_000), (300, WHOLE_MAX_FRAGMENTED)];
        for (count, length) in orders {
            socket.send(format!("!fragments {count} {length}")).await?;
            let answer = socket.recv().await?.context("closed instead of fragments")?;
            ensure!(answer.as_bytes() == pattern(length), "{agreement:?}: {length} in fragments");
        }
        socket.close(CloseCode::from(4001), "that is all").await?;
        heard(&mut server, "closed 4001 that is all").await?;
        agreement.check(&relay)?;
    }
    Ok(())
}

/// A message that we write piece by piece, which goes out in fragments.
async fn our_fragments(socket: &mut WebSocket) -> anyhow::Result<()> {
    let octets = pattern(100_000);
    let mut writer = socket.send_stream(MessageKind::Binary).await?;
    for piece in octets.chunks(9_999) {
        writer.write(piece).await?;
        writer.flush().await?;
    }
    writer.finish().await?;
    let answer = socket.recv().await?.context("closed instead of echoed")?;
    ensure!(answer == Message::from(octets), "what went out in fragments came back changed");
    Ok(())
}

/// Either side pings and the other answers, as clients and as servers.
pub(crate) async fn pings_are_answered_both_ways(peer: Peer) -> anyhow::Result<()> {
    let server = ours::serve(Settings::default()).await?;
    let url = format!("ws://{}/", server.address());
    let mut client = peer.connect(&url, Compression::On).await?;
    client.expect("ping", "pong are you there").await?;
    client.expect("ask !ping", "said pong").await?;

    let (_theirs, address) = peer.serve(Compression::On).await?;
    let mut socket = ours::client(None).connect(format!("ws://{address}/")).await?;
    // Polled alone: the pong is read by the ping itself.
    socket.ping().await?;
    socket.send("!ping").await?;
    let answer = socket.recv().await?.context("closed instead of ponged")?;
    ensure!(answer.as_text() == Some("pong are you there"), "{answer:?}");
    Ok(())
}

/// Either side closes with a code and a reason and the other sees both, as clients and as servers.
pub(crate) async fn closes_carry_code_and_reason_both_ways(peer: Peer) -> anyhow::Result<()> {
    let mut server = ours::serve(Settings::default()).await?;
    let url = format!("ws://{}/", server.address());
    let mut client = peer.connect(&url, Compression::Off).await?;
    client.expect_start("close 4001 see you", "closed 4001").await?;
    let info = server.closed().await?;
    let (code, text) = (info.reason.code(), info.reason.text());
    ensure!((code, text) == (CloseCode::from(4001), "see you"), "{info:?}");
    ensure!(info.initiator == End::Remote && info.clean, "{info:?}");
    let mut client = peer.connect(&url, Compression::Off).await?;
    client.expect("expect-close !close 4002 so long", "closed 4002 so long").await?;
    let info = server.closed().await?;
    ensure!(info.initiator == End::Local && info.clean, "{info:?}");

    let (mut theirs, address) = peer.serve(Compression::Off).await?;
    let mut socket = ours::client(None).connect(format!("ws://{address}/")).await?;
    socket.close(CloseCode::from(4003), "enough").await?;
    heard(&mut theirs, "closed 4003 enough").await?;
    let mut socket = ours::client(None).connect(format!("ws://{address}/")).await?;
    socket.send("!close 4004 out of order").await?;
    let ended = socket.recv().await;
    let Err(RecvError::Closed(info)) = ended else {
        anyhow::bail!("expected the peer's close, got {ended:?}")
    };
    let (code, text) = (info.reason.code(), info.reason.text());
    ensure!((code, text) == (CloseCode::from(4004), "out of order"), "{info:?}");
    ensure!(info.clean, "{info:?}");
    Ok(())
}

/// A message one octet over our limit is refused with 1009, from a client and from a server.
pub(crate) async fn messages_over_the_limit_get_1009(peer: Peer) -> anyhow::Result<()> {
    for theirs in [Compression::Off, Compression::On] {
        let server = ours::serve(Settings::default()).await?;
        let url = format!("ws://{}/", server.address());
        let mut client = peer.connect(&url, theirs).await?;
        client.expect_start(&format!("overfill {}", WHOLE_MAX + 1), "closed 1009").await?;

        let (mut server, address) = peer.serve(theirs).await?;
        let mut socket =
            ours::client(Some(Deflate::default())).connect(format!("ws://{address}/")).await?;
        socket.send(format!("!flood {}", WHOLE_MAX + 1)).await?;
        let ended = socket.recv().await;
        ensure!(matches!(ended, Err(RecvError::Fault(_))), "{theirs:?}: {ended:?}");
        heard(&mut server, "closed 1009").await?;
    }
    Ok(())
}

async fn serve_through_relay(agreement: &Agreement) -> anyhow::Result<(Served, Relay)> {
    let settings = Settings { deflate: agreement.ours.clone(), ..Settings::default() };
    let server = ours::serve(settings).await?;
    let relay = Relay::to(server.address()).await?;
    Ok((server, relay))
}

async fn connect_through_relay(
    peer: Peer,
    agreement: &Agreement,
) -> anyhow::Result<(Program, Relay, WebSocket)> {
    let (server, address) = peer.serve(agreement.theirs).await?;
    let relay = Relay::to(address).await?;
    let socket = ours::client(agreement.ours.clone()).connect(url(&relay)).await?;
    Ok((server, relay, socket))
}

fn url(relay: &Relay) -> String {
    format!("ws://{}/", relay.address())
}

/// Waits for a line of the peer that begins like this, past those about pings and errors.
async fn heard(program: &mut Program, start: &str) -> anyhow::Result<()> {
    loop {
        let line = program.hear().await?;
        if line.starts_with("closed") {
            ensure!(line.starts_with(start), "expected {start:?}, got {line:?}");
            return Ok(());
        }
    }
}

/// Around each change of the length's encoding (RFC 6455 §5.2), and our limit on a whole message, inclusive.
const LENGTHS: [usize; 7] = [0, 5, 125, 126, 65_535, 65_536, WHOLE_MAX];
const WHOLE_MAX: usize = 16 << 20;
/// As near to the limit as 300 fragments may come, each of which is charged 64 octets.
const WHOLE_MAX_FRAGMENTED: usize = WHOLE_MAX - 300 * 64;
