//! Sending whole messages and its back-pressure: `send`, `feed`, `flush`, `ready`, `try_send`, prepared messages, and how
//! much waits for a peer that reads slowly or not at all.

mod support;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use duplexer::{
    Client, Deflate, Limits, Message, MessageKind, Prepared, SendOptions, TrySendError, WebSocket,
};
use futures_util::FutureExt;
use support::{Frame, Peer, client, client_over, client_with, until};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// A client whose peer takes a kilobyte before it reads.
async fn narrow() -> (WebSocket, Peer<DuplexStream>) {
    client_with(&Client::default(), "", 1024).await
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_on_the_wire_when_send_returns() {
    let (mut socket, mut peer) = client().await;
    socket.send("text").await.expect("it is open");
    assert_eq!(socket.buffered_amount(), 0);
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x81, "text")));
    socket.send(vec![1, 2, 3]).await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x82, [1, 2, 3])));
    socket.send("").await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x81, "")));
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_value_is_a_message() {
    let (mut socket, mut peer) = client().await;
    socket.send("a").await.expect("it is open");
    socket.send(String::from("b")).await.expect("it is open");
    socket.send(&[1][..]).await.expect("it is open");
    socket.send(b"\x02").await.expect("it is open");
    socket.send(bytes::Bytes::from_static(&[3])).await.expect("it is open");
    socket.send(Message::from("c")).await.expect("it is open");
    for frame in [
        Frame::new(0x81, "a"),
        Frame::new(0x81, "b"),
        Frame::new(0x82, [1]),
        Frame::new(0x82, [2]),
        Frame::new(0x82, [3]),
        Frame::new(0x81, "c"),
    ] {
        assert_eq!(peer.hears().await, frame);
    }
}

#[tokio::test(start_paused = true)]
async fn lengths_are_in_their_shortest_form_and_each_frame_has_its_own_mask() {
    // RFC 6455 §5.2, §5.3 and §10.3. `Frame::take` reads what the header declares; here its size is looked at.
    let (mut socket, mut peer) = client_with(&Client::default(), "", 1 << 20).await;
    let mut masks = Vec::new();
    for (len, header_bytes) in
        [(0, 6), (125, 6), (126, 8), (4096, 8), (65_535, 8), (65_536, 14), (100_000, 14)]
    {
        socket.feed(vec![7; len]).await.expect("it is open");
        assert_eq!(socket.buffered_amount(), header_bytes + len);
        socket.flush().await.expect("it is open");
        let mut bytes = vec![0; header_bytes + len];
        tokio::io::AsyncReadExt::read_exact(&mut peer.io, &mut bytes).await.expect("it was sent");
        masks.push(bytes[header_bytes - 4..header_bytes].to_vec());
        let payload = bytes[header_bytes..].iter().zip(masks[masks.len() - 1].iter().cycle());
        assert!(payload.map(|(byte, mask)| byte ^ mask).all(|byte| byte == 7));
    }
    masks.sort();
    masks.dedup();
    assert_eq!(masks.len(), 7, "four random bytes hardly ever repeat");
}

#[tokio::test(start_paused = true)]
async fn what_is_fed_waits_for_flush() {
    let (mut socket, mut peer) = client().await;
    socket.feed("one").await.expect("it is open");
    socket.feed("two").await.expect("it is open");
    assert_eq!(socket.buffered_amount(), 2 * (6 + 3));
    assert_eq!(peer.hears().now_or_never(), None);
    socket.flush().await.expect("it is open");
    assert_eq!(socket.buffered_amount(), 0);
    assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
    assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
}

#[tokio::test(start_paused = true)]
async fn what_is_fed_leaves_with_send_or_while_receiving() {
    let (mut socket, mut peer) = client().await;
    socket.feed("one").await.expect("it is open");
    socket.send("two").await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x81, "one")));
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x81, "two")));
    socket.feed("three").await.expect("it is open");
    assert_eq!(socket.recv().now_or_never().map(drop), None);
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x81, "three")));
}

#[tokio::test(start_paused = true)]
async fn feeding_waits_above_the_high_mark_until_the_low_one() {
    let (socket, mut peer) = narrow().await;
    let (sender, _receiver) = socket.split();
    let limits = Limits::default();
    // A message is taken while the queue is at or below the mark, so that one may pass it.
    while sender.feed(vec![0; 1000]).now_or_never().is_some() {
        assert!(sender.buffered_amount() <= limits.queue_bytes_high + 1008);
    }
    assert!(sender.buffered_amount() > limits.queue_bytes_high - 2048, "the pipe took some");
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move {
            sender.ready().await.expect("it is open");
            sender.buffered_amount()
        }
    });
    loop {
        peer.hears().await;
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        if waiting.is_finished() {
            break;
        }
        assert!(sender.buffered_amount() > limits.queue_bytes_low);
    }
    let left = until(waiting).await.expect("no panic");
    assert!((limits.queue_bytes_low - 3000..=limits.queue_bytes_low).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn the_marks_are_settings() {
    let mut limits = Limits::default();
    limits.queue_bytes_high = 100;
    limits.queue_bytes_low = 0;
    limits.queue_bytes_max = 250;
    let (mut socket, mut peer) =
        client_with(&Client::builder().limits(limits).build(), "", 16).await;
    socket.feed(vec![0; 100]).await.expect("it is open");
    assert_eq!(socket.ready().now_or_never().map(drop), None, "106 bytes wait");
    assert!(socket.try_send(vec![0; 200]).is_ok(), "one passes a queue below its bound");
    assert!(matches!(socket.try_send("over"), Err(TrySendError::Full(_))));
    let reading = async {
        assert_eq!(peer.hears().await.payload.len(), 100);
        assert_eq!(peer.hears().await.payload.len(), 200);
    };
    let (ready, ()) = tokio::join!(socket.ready(), reading);
    assert!(ready.is_ok());
    assert_eq!(socket.buffered_amount(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_ready_has_room_whatever_the_marks() {
    let mut limits = Limits::default();
    // Below the high mark, which stays at 64 KiB.
    limits.queue_bytes_max = 100;
    let (mut socket, mut peer) =
        client_with(&Client::builder().limits(limits).build(), "", 16).await;
    socket.feed(vec![0; 100]).await.expect("it is open");
    assert!(matches!(socket.try_send("over"), Err(TrySendError::Full(_))));
    assert_eq!(socket.ready().now_or_never().map(drop), None, "no room, no leave");
    let sending = async {
        socket.ready().await.expect("it is open");
        socket.try_send("now").expect("there is room");
        socket.flush().await.expect("it is open");
    };
    let ((), frame) = tokio::join!(sending, peer.hears());
    assert_eq!(frame.payload.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn try_send_gives_a_message_back_that_does_not_fit() {
    let (mut socket, mut peer) = narrow().await;
    let bound = Limits::default().queue_bytes_max;
    let mut queued = 0;
    let refused = loop {
        match socket.try_send(format!("{queued} {}", "x".repeat(100_000))) {
            Ok(()) => queued += 1,
            Err(TrySendError::Full(message)) => break message,
            Err(error) => panic!("{error}"),
        }
        assert!(socket.buffered_amount() <= bound + 100_100);
    };
    assert!(refused.as_text().expect("a text").starts_with(&format!("{queued} x")));
    assert!(socket.buffered_amount() >= bound);
    for n in 0..queued {
        let frame = async {
            tokio::select! {
                frame = peer.hears() => frame,
                _ = socket.recv() => panic!("the peer says nothing"),
            }
        };
        assert!(frame.await.payload.starts_with(format!("{n} x").as_bytes()));
    }
    assert!(socket.try_send(refused).is_ok());
}

#[tokio::test(start_paused = true)]
async fn ready_then_try_send_does_not_wait() {
    let (mut socket, mut peer) = narrow().await;
    let reading = tokio::spawn(async move {
        let mut heard = 0;
        while let Some(frame) = peer.hears_or_end().await {
            heard += usize::from(frame.first == 0x82);
        }
        heard
    });
    for _ in 0..300 {
        socket.ready().await.expect("it is open");
        assert!(socket.try_send(vec![0; 1000]).is_ok());
    }
    socket.flush().await.expect("it is open");
    drop(socket);
    assert_eq!(until(reading).await.expect("no panic"), 300);
}

#[tokio::test(start_paused = true)]
async fn one_message_of_any_size_is_sent() {
    let (mut socket, mut peer) = narrow().await;
    let (sent, frame) = tokio::join!(socket.send(vec![7; 3 << 20]), peer.hears());
    assert!(sent.is_ok());
    assert_eq!(frame.payload, vec![7; 3 << 20]);
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_send_waits() {
    let (mut socket, mut peer) = narrow().await;
    peer.sends(0x89, "still there?").await;
    peer.says("kept for later").await;
    let mut heard = Vec::new();
    let reading = async {
        while heard.len() < 3 {
            heard.push(peer.hears().await);
        }
    };
    let sending = async {
        socket.send(vec![1; 100_000]).await.expect("it is open");
        socket.send(vec![2; 100_000]).await.expect("it is open");
    };
    tokio::join!(sending, reading);
    // RFC 6455 §5.4: between two messages' frames, and as early as that.
    let firsts: Vec<_> = heard.iter().map(|frame| frame.first).collect();
    assert_eq!(firsts, [0x82, 0x8a, 0x82]);
    assert_eq!(heard[1], Frame::new(0x8a, "still there?"));
    assert_eq!(socket.recv().await.expect("open"), Some("kept for later".into()));
}

#[tokio::test(start_paused = true)]
async fn two_ends_that_only_send_do_not_wait_for_each_other() {
    // What arrives meanwhile is held, up to 1 MiB.
    let (mut socket, mut peer) = narrow().await;
    let sending = async {
        for _ in 0..8 {
            socket.send(vec![1; 50_000]).await.expect("it is open");
        }
    };
    let talking = async {
        for n in 0..8u8 {
            peer.sends(0x82, vec![n; 50_000]).await;
        }
    };
    let mut sending = Box::pin(sending);
    tokio::select! {
        () = &mut sending => panic!("the peer does not read"),
        () = talking => {}
    }
    let reading = async {
        for _ in 0..8 {
            assert_eq!(peer.hears().await, Frame::new(0x82, [1; 50_000]));
        }
    };
    tokio::join!(sending, reading);
    for n in 0..8u8 {
        assert_eq!(socket.recv().await.expect("open"), Some(vec![n; 50_000].into()));
    }
}

#[tokio::test(start_paused = true)]
async fn prepared_messages_are_sent_like_others() {
    let (mut socket, mut peer) = client().await;
    let (sender, prepared) = (&mut socket, Prepared::new("the same for everyone"));
    sender.send_prepared(&prepared).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "the same for everyone"));
    let (sender, _receiver) = socket.split();
    assert!(sender.try_send_prepared(&prepared).is_ok());
    assert_eq!(peer.hears().await, Frame::new(0x81, "the same for everyone"));
    assert!(sender.try_send(vec![0; 2 << 20]).is_ok());
    let Err(TrySendError::Full(message)) = sender.try_send_prepared(&prepared) else {
        panic!("the queue is full")
    };
    assert_eq!(message, *prepared.message());
}

#[tokio::test(start_paused = true)]
async fn compression_can_be_refused_for_one_message() {
    // RFC 7692 §6: RSV1 tells. Messages under 128 bytes are plain anyway.
    let extension = "Sec-WebSocket-Extensions: permessage-deflate; \
                     server_no_context_takeover; client_no_context_takeover\r\n";
    let offering = Client::builder().deflate(Deflate::default()).build();
    let (mut socket, mut peer) = client_with(&offering, extension, 64 << 10).await;
    let long = "long ".repeat(100);
    socket.send(long.as_str()).await.expect("it is open");
    let compressed = peer.hears().await;
    assert_eq!(compressed.first, 0xc1);
    assert!(compressed.payload.len() < 50);
    socket.send("short").await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "short"));
    let plain = SendOptions::default().compress(false);
    socket.send_with(long.as_str(), plain).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, &long));
}

/// A transport that remembers where in memory the large slices lie that it is given.
struct Watched(DuplexStream, Arc<Mutex<Vec<usize>>>);

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let large = slices.iter().filter(|slice| slice.len() >= LARGE_BYTES);
        self.1.lock().expect("no panic").extend(large.map(|slice| slice.as_ptr().addr()));
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

const LARGE_BYTES: usize = 32 << 10;

#[tokio::test(start_paused = true)]
async fn a_large_payload_that_nobody_else_holds_is_masked_where_it_lies() {
    for tried in [false, true] {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let places = Arc::new(Mutex::new(Vec::new()));
        let watched = Watched(ours, places.clone());
        let client = Client::builder().deflate(None).build();
        let (mut socket, mut peer) = client_over(&client, "", watched, theirs).await;
        let payload = vec![b'x'; LARGE_BYTES];
        let place = payload.as_ptr().addr();
        if tried {
            socket.try_send(payload).expect("there is room");
        } else {
            socket.send(payload).await.expect("it is open");
        }
        assert_eq!(peer.hears().await, Frame::new(0x82, [b'x'; LARGE_BYTES]));
        assert_eq!(*places.lock().expect("no panic"), [place], "tried: {tried}");
    }
}

#[tokio::test(start_paused = true)]
async fn options_count_for_one_message_in_every_way_of_sending() {
    // RFC 6455 §5.4.
    let (mut socket, mut peer) = client().await;
    let cut = SendOptions::default().frame_bytes_max(2);
    socket.feed_with("abc", cut).await.expect("it is open");
    socket.send_with("def", cut).await.expect("it is open");
    socket.try_send_with("ghi", cut).expect("there is room");
    let mut writer = socket.send_stream_with(MessageKind::Text, cut).await.expect("it is open");
    writer.write(b"jkl").await.expect("it is open");
    writer.finish().await.expect("it is open");
    socket.send("mno").await.expect("it is open");
    for (first, payload) in [
        (0x01, "ab"),
        (0x80, "c"),
        (0x01, "de"),
        (0x80, "f"),
        (0x01, "gh"),
        (0x80, "i"),
        (0x01, "jk"),
        (0x00, "l"),
        (0x80, ""),
        (0x81, "mno"),
    ] {
        assert_eq!(peer.hears().await, Frame::new(first, payload));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_cut_as_it_was_compressed() {
    // RFC 7692 §6.1: the bit is set "on the first fragment" alone.
    let extension = "Sec-WebSocket-Extensions: permessage-deflate; \
                     server_no_context_takeover; client_no_context_takeover\r\n";
    let (mut socket, mut peer) = client_with(&Client::default(), extension, 64 << 10).await;
    let cut = SendOptions::default().frame_bytes_max(4);
    socket.send_with("x".repeat(1000), cut).await.expect("it is open");
    let mut frames = vec![peer.hears().await];
    while frames[frames.len() - 1].first != 0x80 {
        frames.push(peer.hears().await);
    }
    assert_eq!(frames[0].first, 0x41, "{frames:?}");
    assert!(frames[1..frames.len() - 1].iter().all(|frame| frame.first == 0x00), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.payload.len() <= 4), "{frames:?}");
    assert!((2..20).contains(&frames.len()), "{frames:?}");
}
