//! What connections hold: nothing while idle, and constant memory while messages of any length pass. The heap is counted,
//! on one thread.

mod support;

use duplexer::{Client, Deflate, MessageKind, Request, Server, WebSocket};
use futures_util::FutureExt;
use support::heap::{Counting, Peak, live};
use support::{Frame, Peer, client_with, host, host_hyper, open, until, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[global_allocator]
static HEAP: Counting = Counting;

/// The length of a message that must not be held.
const LONG: usize = 64 << 20;
/// What streaming it may hold: queue, pipe, a read buffer, and the windows of deflate.
const HELD_MAX: usize = 2 << 20;

/// A piece that compresses somewhat.
fn piece() -> Vec<u8> {
    let mut state = 1u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"etaoin shrdlu"[state as usize >> 24 & 7]
    };
    (0..64 << 10).map(|_| next()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_long_message_is_sent_in_constant_memory() {
    let (mut socket, mut peer) = client_with(&Client::default(), "", 64 << 10).await;
    let (piece, peak) = (piece(), Peak::from_here());
    let writing = async {
        let mut writer = socket.send_stream(MessageKind::Binary).await.expect("it is open");
        for _ in 0..LONG / piece.len() {
            writer.write(&piece).await.expect("it is open");
        }
        writer.finish().await.expect("it is open");
    };
    let reading = async {
        let mut buffer = [0; 16 << 10];
        let mut left = LONG / piece.len() * (piece.len() + 14) + 6;
        while left > 0 {
            left -= peer.io.read(&mut buffer).await.expect("it is open");
        }
    };
    tokio::join!(writing, reading);
    assert!(peak.bytes() < HELD_MAX, "{} bytes", peak.bytes());
}

#[tokio::test(start_paused = true)]
async fn a_long_frame_is_received_in_constant_memory() {
    let (mut socket, mut peer) = client_with(&Client::default(), "", 64 << 10).await;
    let (piece, peak) = (piece(), Peak::from_here());
    let sending = async {
        peer.sends_bytes([&b"\x82\x7f"[..], &(LONG as u64).to_be_bytes()].concat()).await;
        for _ in 0..LONG / piece.len() {
            peer.io.write_all(&piece).await.expect("it is open");
        }
    };
    let receiving = async {
        let mut reader = socket.recv_stream().await.expect("open").expect("a message");
        let mut len = 0;
        while let Some(bytes) = reader.chunk().await.expect("open") {
            len += bytes.len();
        }
        assert_eq!(len, LONG);
    };
    tokio::join!(sending, receiving);
    assert!(peak.bytes() < HELD_MAX, "{} bytes", peak.bytes());
}

#[tokio::test(start_paused = true)]
async fn a_long_message_inflates_in_constant_memory() {
    // RFC 7692, with stored blocks (RFC 1951 §3.2.4) for a peer without a compressor.
    let extension = "Sec-WebSocket-Extensions: permessage-deflate; \
                     server_no_context_takeover; client_no_context_takeover\r\n";
    let offering = Client::builder().deflate(Deflate::default()).build();
    let (mut socket, mut peer) = client_with(&offering, extension, 64 << 10).await;
    let (block, peak) = (piece().split_off(1), Peak::from_here());
    let blocks = LONG / block.len();
    let sending = async {
        for n in 0..blocks {
            let first = if n == 0 { 0x42 } else { 0x00 };
            peer.sends(first, [b"\x00\xff\xff\x00\x00", &block[..]].concat()).await;
        }
        peer.sends(0x80, [0]).await;
    };
    let receiving = async {
        let mut reader = socket.recv_stream().await.expect("open").expect("a message");
        let mut len = 0;
        while let Some(bytes) = reader.chunk().await.expect("open") {
            len += bytes.len();
        }
        assert_eq!(len, blocks * block.len());
    };
    tokio::join!(sending, receiving);
    assert!(peak.bytes() < HELD_MAX, "{} bytes", peak.bytes());
}

#[tokio::test]
async fn a_long_message_is_echoed_through_deflate_in_constant_memory() {
    // Both ends are ours: what one compresses the other inflates, and back.
    let takeover = || Some(Deflate::takeover());
    let server = Server::builder().deflate(takeover()).build();
    let address = host(&server, |socket: WebSocket, _| async move {
        let (sender, mut receiver) = socket.split();
        while let Ok(Some(mut reader)) = receiver.recv_stream().await {
            let mut writer = sender.send_stream(reader.kind()).await.expect("it is open");
            while let Some(bytes) = reader.chunk().await.expect("open") {
                writer.write(&bytes).await.expect("it is open");
            }
            writer.finish().await.expect("it is open");
        }
    })
    .await;
    let client = Client::builder().deflate(takeover()).build();
    let socket = until(client.connect(format!("ws://{address}/"))).await.expect("it listens");
    assert!(socket.extensions().starts_with("permessage-deflate"));
    let (sender, mut receiver) = socket.split();
    let (piece, peak) = (piece(), Peak::from_here());
    let pieces = LONG / 2 / piece.len();
    let writing = async {
        let mut writer = sender.send_stream(MessageKind::Binary).await.expect("it is open");
        for _ in 0..pieces {
            writer.write(&piece).await.expect("it is open");
        }
        writer.finish().await.expect("it is open");
    };
    let reading = async {
        let mut reader = receiver.recv_stream().await.expect("open").expect("a message");
        let mut len = 0;
        while let Some(bytes) = reader.chunk().await.expect("open") {
            let at = len % piece.len();
            let same = bytes.len().min(piece.len() - at);
            assert!(bytes[..same] == piece[at..at + same], "other bytes at {len}");
            len += bytes.len();
        }
        assert_eq!(len, pieces * piece.len());
    };
    tokio::join!(writing, reading);
    // Each end may hold a mebibyte for the reader while the writer waits, in a buffer that has doubled.
    assert!(peak.bytes() < 4 * HELD_MAX, "{} bytes", peak.bytes());
}

#[tokio::test(start_paused = true)]
async fn a_declared_length_allocates_nothing() {
    // CVE-2022-35922: buffers grow with bytes received.
    let (mut socket, mut peer) = client_with(&Client::default(), "", 4096).await;
    assert!(socket.recv().now_or_never().is_none());
    let before = live();
    peer.sends_bytes(b"\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00abc").await;
    assert!(socket.recv().now_or_never().is_none());
    assert!(live() < before + 1000, "{} bytes", live() - before);
}

#[tokio::test(start_paused = true)]
async fn between_two_receives_no_buffer_is_held() {
    let settings = Client::default();
    let mut ends = Vec::new();
    let before = live();
    for _ in 0..40 {
        let (mut socket, mut peer) = client_with(&settings, "", 256).await;
        let (message, ()) = tokio::join!(socket.recv(), peer.says("hello"));
        assert_eq!(message.expect("open"), Some("hello".into()));
        ends.push((socket, peer));
    }
    let each = (live() - before) / ends.len();
    // The thread's own buffers are among it.
    assert!(each < 20_000, "{each} bytes each");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_idle_connections_hold_no_buffer() {
    let settings = Client::default();
    let mut ends = Vec::new();
    for _ in 0..1000 {
        let (mut socket, peer) = client_with(&settings, "", 256).await;
        assert!(socket.recv().now_or_never().is_none());
        ends.push((socket, peer));
    }
    let before = live();
    for (socket, peer) in &mut ends {
        let talk = async {
            peer.sends(0x02, vec![1; 10_000]).await;
            peer.sends(0x89, "between").await;
            peer.sends(0x80, vec![2; 10_000]).await;
            assert_eq!(peer.hears().await, Frame::new(0x8a, "between"));
            assert_eq!(peer.hears().await.payload.len(), 20_000);
        };
        let echo = async {
            let message = socket.recv().await.expect("open").expect("a message");
            socket.send(message).await.expect("it is open");
        };
        tokio::join!(talk, echo);
        assert!(socket.recv().now_or_never().is_none());
    }
    // The thread keeps a few buffers for all; a peer keeps its own, which is given back here.
    for (_, peer) in &mut ends {
        peer.forget();
    }
    let more = live().saturating_sub(before);
    assert!(more < 1000 * 100 + (1 << 20), "{} bytes each", more / 1000);
}

#[tokio::test]
async fn a_byte_stream_passes_in_constant_memory_both_ways() {
    let address = host(&Server::default(), |socket: WebSocket, _| async move {
        let (mut from, mut to) = tokio::io::split(socket.into_io());
        tokio::io::copy(&mut from, &mut to).await.map(|_| ())
    })
    .await;
    let socket = until(duplexer::connect(&format!("ws://{address}/"))).await.expect("it listens");
    let (mut from, mut to) = tokio::io::split(socket.into_io());
    let (piece, peak) = (piece(), Peak::from_here());
    let writing = async {
        for _ in 0..LONG / 2 / piece.len() {
            to.write_all(&piece).await.expect("it is open");
        }
        to.flush().await.expect("it is open");
    };
    let reading = async {
        let mut back = vec![0; piece.len()];
        for _ in 0..LONG / 2 / piece.len() {
            from.read_exact(&mut back).await.expect("it is open");
            assert!(back == piece, "other bytes");
        }
    };
    tokio::join!(writing, reading);
    // Each end may hold a mebibyte for the reader while the writer waits.
    assert!(peak.bytes() < 4 * HELD_MAX, "{} bytes", peak.bytes());
}

/// Waits for a message that does not come.
async fn wait(mut socket: WebSocket) {
    // The test ends with its peers.
    let _ = socket.recv().await;
}

#[tokio::test]
async fn an_idle_connection_that_was_upgraded_costs_no_more_than_a_servers() {
    const CONNECTIONS: usize = 50;
    let by_ours = host(&Server::default(), |socket: WebSocket, _| wait(socket)).await;
    let by_hyper = host_hyper(|request| upgrade(request, |socket, _| wait(socket))).await;
    let mut each = Vec::new();
    for address in [by_ours, by_hyper] {
        let mut peers = Vec::new();
        for warm in [true, false] {
            let before = live();
            for _ in 0..CONNECTIONS {
                let mut peer = open(address).await;
                peer.sends(0x89, "there?").await;
                assert_eq!(peer.hears().await, Frame::new(0x8a, "there?"));
                peer.forget();
                peers.push(peer);
            }
            if !warm {
                each.push((live() - before) / CONNECTIONS);
            }
        }
    }
    // The stack's buffers alone would be 8 KiB, a box around the stream 64 bytes.
    assert!(each[1] < each[0] + 48, "{each:?} bytes");
}

#[tokio::test]
async fn an_idle_connection_of_a_server_holds_little() {
    // With every bound on what connections may do that is on by default, and after a message in pieces.
    const CONNECTIONS: usize = 100;
    let address = host(&Server::default(), |mut socket: WebSocket, request: Request| async move {
        drop(request);
        while let Ok(Some(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    })
    .await;
    // The first makes what all share.
    let mut first = open(address).await;
    let mut peers = Vec::with_capacity(CONNECTIONS);
    let talk = async |peer: &mut Peer<TcpStream>| {
        peer.sends(0x01, "in two ").await;
        peer.sends(0x80, "pieces").await;
        assert_eq!(peer.hears().await, Frame::new(0x81, "in two pieces"));
        peer.forget();
    };
    talk(&mut first).await;
    let before = live();
    for _ in 0..CONNECTIONS {
        let mut peer = open(address).await;
        talk(&mut peer).await;
        peers.push(peer);
    }
    let both = (live() - before) / CONNECTIONS;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut streams = Vec::with_capacity(CONNECTIONS);
    let before = live();
    for _ in 0..CONNECTIONS {
        streams.push(until(TcpStream::connect(address)).await.expect("it listens"));
    }
    let peers_own = (live() - before) / CONNECTIONS;
    let each = both - peers_own;
    // `duplexer echo`, whose handler's future is smaller, takes some 1,000, of which the allocator makes 1,110 resident.
    assert!(each < 1160, "{each} bytes each");
}
