//! Whole messages as `recv` gives them: order, kinds, fragments, limits, and the control frames around them, however
//! the bytes are cut. Messages in pieces are in `streaming.rs`.

mod support;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use duplexer::{Client, CloseCode, Fault, Limits, Message, RecvError, WebSocket};
use futures_util::FutureExt;
use support::{Frame, Peer, Role, client, client_with, frame};
use tokio::io::DuplexStream;

async fn received(socket: &mut WebSocket) -> Message {
    socket.recv().await.expect("no violation").expect("a message")
}

/// A client whose largest message is `max` bytes.
async fn client_limited(max: u64) -> (WebSocket, Peer<DuplexStream>) {
    let mut limits = Limits::default();
    limits.message_bytes_max = max;
    client_with(&Client::builder().limits(limits).build(), "", 256 << 10).await
}

/// Hears past pongs to the Close.
async fn close_code(peer: &mut Peer<DuplexStream>) -> Option<u16> {
    loop {
        let frame = peer.hears().await;
        if frame.first == 0x88 {
            return frame.close_code();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_order_and_kind() {
    // RFC 6455 §5.6.
    let (mut socket, mut peer) = client().await;
    let large = "κόσμε".repeat(10_000);
    let texts = ["", "hello", "κόσμε", &large];
    let sending = async {
        for text in texts {
            peer.sends(0x81, text).await;
            peer.sends(0x82, text).await;
        }
    };
    let receiving = async {
        for text in texts {
            assert_eq!(received(&mut socket).await, Message::from(text));
            assert_eq!(received(&mut socket).await, Message::from(text.as_bytes()));
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test(start_paused = true)]
async fn fragments_make_one_message_and_pings_between_them_are_answered() {
    // RFC 6455 §5.4: "Control frames MAY be injected in the middle of a fragmented message."
    let (mut socket, mut peer) = client().await;
    peer.sends(0x01, "Hel").await;
    peer.sends(0x89, "one").await;
    peer.sends(0x00, "").await;
    peer.sends(0x8a, "unasked").await;
    peer.sends(0x89, "two").await;
    peer.sends(0x80, "lo").await;
    assert_eq!(received(&mut socket).await, Message::from("Hello"));
    assert_eq!(socket.recv().now_or_never().map(drop), None);
    assert_eq!(peer.hears().await, Frame::new(0x8a, "one"));
    assert_eq!(peer.hears().await, Frame::new(0x8a, "two"));
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_cut_anywhere_are_the_same_messages() {
    let script = [
        frame(Role::Server, 0x01, "Hé"),
        frame(Role::Server, 0x89, "ping"),
        frame(Role::Server, 0x80, "llo"),
        frame(Role::Server, 0x82, [7; 300]),
        frame(Role::Server, 0x88, b"\x03\xe8"),
    ]
    .concat();
    for cut in 0..=script.len() {
        let (mut socket, mut peer) = client().await;
        let sending = async {
            peer.sends_bytes(&script[..cut]).await;
            tokio::task::yield_now().await;
            peer.sends_bytes(&script[cut..]).await;
            peer.ends().await;
        };
        let receiving = async {
            assert_eq!(received(&mut socket).await, Message::from("Héllo"), "cut at {cut}");
            assert_eq!(received(&mut socket).await, Message::from(vec![7; 300]), "cut at {cut}");
            assert_eq!(socket.recv().await.expect("a clean end"), None, "cut at {cut}");
        };
        tokio::join!(sending, receiving);
        assert_eq!(peer.hears().await, Frame::new(0x8a, "ping"));
        assert_eq!(peer.hears().await, Frame::close(1000, ""));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_arrived_together_are_received_one_by_one() {
    let (mut socket, mut peer) = client().await;
    let together: Vec<u8> =
        (0..100).flat_map(|n| frame(Role::Server, 0x81, format!("{n}"))).collect();
    peer.sends_bytes(together).await;
    for n in 0..100 {
        let message = socket.recv().now_or_never().expect("it is there");
        assert_eq!(message.expect("open"), Some(Message::from(format!("{n}"))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_may_have_the_limit_and_not_one_byte_more() {
    // RFC 6455 §7.4.1: 1009.
    for (first, rest) in [(0x82, None), (0x02, Some(0x80))] {
        for (len, fits) in [(1000, true), (1001, false)] {
            // A fragment counts as 64 bytes at least.
            let max = if rest.is_some() { 999 + 64 } else { 1000 };
            let (mut socket, mut peer) = client_limited(max).await;
            match rest {
                None => peer.sends(first, vec![7; len]).await,
                Some(rest) => {
                    peer.sends(first, vec![7; len - 1]).await;
                    peer.sends(rest, [7]).await;
                }
            }
            peer.ends().await;
            if fits {
                assert_eq!(received(&mut socket).await.len(), 1000);
                continue;
            }
            let Err(RecvError::Fault(fault)) = socket.recv().await else { panic!("too big") };
            assert_eq!(fault.close_code(), CloseCode::MESSAGE_TOO_BIG);
            assert!(fault.to_string().contains("message_bytes_max"), "{fault}");
            assert_eq!(close_code(&mut peer).await, Some(1009));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_declared_length_over_the_limit_fails_before_its_bytes_come() {
    let (mut socket, mut peer) = client_limited(1000).await;
    peer.sends_bytes(b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00").await;
    peer.ends().await;
    assert!(matches!(socket.recv().await, Err(RecvError::Fault(Fault::Message(_)))));
    assert_eq!(close_code(&mut peer).await, Some(1009));
}

#[tokio::test(start_paused = true)]
async fn endless_empty_fragments_are_charged() {
    // CVE-2014-0193 and its kin.
    let (mut socket, mut peer) = client_limited(64_000).await;
    peer.sends(0x01, "").await;
    peer.sends_bytes(frame(Role::Server, 0x00, "").repeat(1000)).await;
    assert_eq!(socket.recv().now_or_never().map(drop), None, "64 bytes for each are the limit");
    peer.sends(0x00, "").await;
    peer.ends().await;
    assert!(matches!(socket.recv().await, Err(RecvError::Fault(Fault::Message(_)))));
    assert_eq!(close_code(&mut peer).await, Some(1009));
}

#[tokio::test(start_paused = true)]
async fn every_violation_has_its_code() {
    // RFC 6455 §7.4.1; each clause is tested in the core, each way to the wire here.
    for (bytes, code) in [
        (&b"\x81\x85\0\0\0\0hello"[..], 1002), // §5.1: a server does not mask
        (b"\xc1\x05hello", 1002),              // §5.2: RSV1 without an extension
        (b"\x83\x00", 1002),                   // §5.2: unknown opcode
        (b"\x82\x7e\x00\x05hello", 1002),      // §5.2: length not minimal
        (b"\x82\x7f\x80\0\0\0\0\0\0\0", 1002), // §5.2: most significant bit
        (b"\x80\x00", 1002),                   // §5.4: nothing to continue
        (b"\x01\x00\x81\x00", 1002),           // §5.4: a message inside a message
        (b"\x09\x00", 1002),                   // §5.5: a control frame in fragments
        (b"\x89\x7e\x00\x7e", 1002),           // §5.5: a control frame of 126 bytes
        (b"\x88\x01\x03", 1002),               // §5.5.1: a body of one byte
        (b"\x88\x02\x03\xed", 1002),           // §7.4.1: 1005 on the wire
        (b"\x81\x01\xff", 1007),               // §8.1
        (b"\x01\x03\xed\xa0\x80", 1007),       // §8.1: at the first impossible byte
    ] {
        let (mut socket, mut peer) = client().await;
        peer.says("before").await;
        peer.sends_bytes(bytes).await;
        peer.says("after").await;
        peer.ends().await;
        assert_eq!(received(&mut socket).await, Message::from("before"));
        let Err(RecvError::Fault(fault)) = socket.recv().await else { panic!("{bytes:?}") };
        assert_eq!(fault.close_code().as_u16(), code, "{bytes:?}: {fault}");
        assert_eq!(close_code(&mut peer).await, Some(code), "{bytes:?}");
        peer.hears_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_cannot_grow_the_queue() {
    // CVE-2020-35896: the peer sends pings and reads nothing.
    let (mut socket, mut peer) = client_with(&Client::default(), "", 1024).await;
    let pings = frame(Role::Server, 0x89, [0; 125]).repeat(100);
    let flood = async {
        for _ in 0..100 {
            peer.sends_bytes(&pings).await;
        }
        peer.says("done").await;
    };
    let ((), message) = tokio::join!(flood, socket.recv());
    assert_eq!(message.expect("open"), Some(Message::from("done")));
    assert!(socket.buffered_amount() < 64 << 10, "{}", socket.buffered_amount());
}

/// Lets every task that can run do so once.
async fn next_turn() {
    let mut waited = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_lets_others_run() {
    // CVE-2025-5399: an endless receive loop that starves the others. In memory the flood never pauses.
    let (mut socket, mut peer) = client_with(&Client::default(), "", 8 << 20).await;
    peer.sends_bytes(frame(Role::Server, 0x82, [0; 1020]).repeat(8 << 10)).await;
    let received_bytes = Arc::new(AtomicUsize::new(0));
    let count = received_bytes.clone();
    tokio::spawn(async move {
        loop {
            count.fetch_add(received(&mut socket).await.len(), Relaxed);
        }
    });
    let other = tokio::spawn(async move {
        let mut before = 0;
        while before < 7 << 20 {
            next_turn().await;
            let now = received_bytes.load(Relaxed);
            assert!(now - before <= 512 << 10, "{} bytes in one turn", now - before);
            before = now;
        }
    });
    other.await.expect("it had its turns");
}

#[tokio::test(start_paused = true)]
async fn a_large_message_lets_others_run() {
    let (mut socket, mut peer) = client_with(&Client::default(), "", 32 << 20).await;
    peer.sends_bytes(frame(Role::Server, 0x82, vec![0; 16 << 20])).await;
    let receiver = tokio::spawn(async move { received(&mut socket).await.len() });
    let mut turns = 0;
    while !receiver.is_finished() {
        next_turn().await;
        turns += 1;
    }
    assert_eq!(receiver.await.expect("it received"), 16 << 20);
    assert!(turns >= 12, "{turns} turns, with 1.25 MiB between two");
}
