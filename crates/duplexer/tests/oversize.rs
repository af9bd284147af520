//! Messages over the limit that are skipped (`Oversize::Skip`) instead of ending the connection: for a server and a client, and
//! with all that goes on around them.

mod support;

use duplexer::{
    Addresses, Client, Deflate, Event, Limits, MessageKind, Oversize, RateLimits, Request, Server,
    WebSocket,
};
use futures_util::FutureExt;
use support::{Frame, Peer, REQUEST, Role, client_with, frame, host, open, until};
use tokio::io::DuplexStream;
use tokio::time::Duration;

/// Messages of 1000 bytes at most; larger ones are skipped.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.message_bytes_max = 1000;
    limits.oversize = Oversize::Skip;
    limits
}

async fn echo(mut socket: WebSocket, _: Request) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A client that skips, and its peer.
async fn client() -> (WebSocket, Peer<DuplexStream>) {
    client_with(&Client::builder().limits(limits()).build(), "", 64 << 10).await
}

#[tokio::test]
async fn a_server_skips_what_is_too_large_and_answers_the_rest() {
    for deflate in [None, Some(Deflate::shared()), Some(Deflate::takeover())] {
        let server = Server::builder().limits(limits()).deflate(deflate.clone()).build();
        let address = host(&server, echo).await;
        let client = Client::builder().deflate(deflate).build();
        let mut socket =
            until(client.connect(format!("ws://{address}/"))).await.expect("it listens");
        let noise: String = (0..200_000_u32)
            .map(|n| char::from(b' ' + n.wrapping_mul(0x9e37_79b1).to_be_bytes()[0] % 64))
            .collect();
        for len in [1000, 1001, 3, 200_000, 999] {
            until(socket.send(&noise[..len])).await.expect("it is open");
            until(socket.ping()).await.expect("it answers inside and behind what is skipped");
        }
        for len in [1000, 3, 999] {
            let heard = until(socket.recv()).await.expect("it is open").expect("an echo");
            assert_eq!(heard.as_text(), Some(&noise[..len]));
        }
        until(socket.close(duplexer::CloseCode::NORMAL, "")).await.expect("it may be sent");
        assert!(socket.close_info().expect("it is over").clean);
    }
}

#[tokio::test]
async fn control_frames_inside_a_skipped_message_are_answered() {
    // RFC 6455 §5.4: "Control frames MAY be injected in the middle of a fragmented message."
    let server = Server::builder().limits(limits()).build();
    let mut peer = open(host(&server, echo).await).await;
    peer.sends(0x02, [0; 900]).await;
    for payload in ["one", "two"] {
        peer.sends(0x00, [0; 900]).await;
        peer.sends(0x89, payload).await;
        assert_eq!(peer.hears().await, Frame::new(0x8a, payload));
    }
    peer.sends(0x80, "").await;
    peer.says("next").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "next"));
    peer.sends(0x02, [0; 1001]).await;
    peer.closes(1000, "").await;
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.hears_end().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_says_what_was_skipped_in_its_order() {
    let (mut socket, mut peer) = client().await;
    assert!(matches!(socket.events().next().await, Some(Event::Open)));
    peer.says("one").await;
    peer.sends(0x01, [b'x'; 1001]).await;
    peer.sends(0x89, "?").await;
    peer.sends(0x80, "x").await;
    peer.sends(0x82, [0; 5000]).await;
    peer.says("two").await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(match socket.events().next().await.expect("open") {
            Event::Message(message) => message.as_text().expect("a text").to_owned(),
            Event::Skipped { kind, bytes_max } => format!("{kind:?} over {bytes_max}"),
            Event::Ping(_) => "ping".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["one", "Text over 1000", "ping", "Binary over 1000", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_recv_loses_neither_the_skip_nor_what_follows() {
    let (mut socket, mut peer) = client().await;
    let skipped = frame(Role::Server, 0x82, [0; 1500]);
    for byte in &skipped {
        peer.sends_bytes([*byte]).await;
        assert!(socket.recv().now_or_never().is_none());
    }
    peer.says("next").await;
    assert_eq!(socket.recv().await.expect("open"), Some("next".into()));
    // A reader in the place of a receiver that has begun to skip is not given the rest.
    peer.sends_bytes(&skipped[..1200]).await;
    assert!(socket.recv().now_or_never().is_none());
    peer.sends_bytes(&skipped[1200..]).await;
    peer.says("and next").await;
    let mut reader = socket.recv_stream().await.expect("open").expect("a message");
    assert_eq!(reader.kind(), MessageKind::Text);
    assert_eq!(reader.chunk().await.expect("open").expect("a piece"), "and next");
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_longer_than_what_is_skipped() {
    // `recv_stream` takes what `recv` would not, and leaves `recv` what comes then.
    let (mut socket, mut peer) = client().await;
    peer.sends(0x82, [0; 5000]).await;
    let mut reader = socket.recv_stream().await.expect("open").expect("a message");
    let mut len = 0;
    while let Some(piece) = reader.chunk().await.expect("open") {
        len += piece.len();
    }
    assert_eq!(len, 5000);
    drop(reader);
    peer.says("next").await;
    assert_eq!(socket.recv().await.expect("open"), Some("next".into()));
}

#[tokio::test(start_paused = true)]
async fn a_keepalive_is_answered_while_a_message_is_skipped() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x02, [0; 1001]).await;
    let talking = async {
        for _ in 0..5 {
            let ping = peer.hears().await;
            assert_eq!(ping.first, 0x89);
            peer.sends(0x00, [0; 100]).await;
            peer.sends(0x8a, &ping.payload).await;
        }
        peer.sends(0x80, "").await;
        peer.says("next").await;
    };
    let (received, ()) = tokio::join!(socket.recv(), talking);
    assert_eq!(received.expect("open"), Some("next".into()));
}

#[tokio::test(start_paused = true)]
async fn a_skipped_message_counts_for_its_rate() {
    let mut rates = RateLimits::default();
    rates.messages_per_second_max = Some(2);
    let server = Server::builder().limits(limits()).rates(rates).build();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move { server.serve_over(theirs, Addresses::default(), echo).await });
    let mut peer = Peer::new(ours, Role::Client, Duration::from_secs(3600));
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    peer.hears_head().await;
    peer.says("one").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
    peer.sends(0x82, [0; 1001]).await;
    peer.says("three").await;
    assert_eq!(peer.hears().await.close_code(), Some(1008));
}
