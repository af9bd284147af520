//! Cancel safety: futures dropped after any number of polls, over a transport that takes and gives one byte at a time and
//! is not ready every other time. Nothing is lost, doubled or cut short.

mod support;

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use duplexer::{Client, CloseCode, Message, MessageKind, WebSocket};
use support::{Frame, Peer, client_over, until};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// A pipe that gives and takes one byte, every other time.
struct Dribble {
    io: DuplexStream,
    reads: bool,
    writes: bool,
}

/// Says "not now" every other time, and comes back at once.
fn not_now(ready: &mut bool, cx: &Context<'_>) -> bool {
    *ready = !*ready;
    if !*ready {
        cx.waker().wake_by_ref();
    }
    !*ready
}

impl AsyncRead for Dribble {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if not_now(&mut self.reads, cx) {
            return Poll::Pending;
        }
        let mut one = [0];
        let mut byte = ReadBuf::new(&mut one);
        let read = Pin::new(&mut self.io).poll_read(cx, &mut byte);
        buffer.put_slice(byte.filled());
        read
    }
}

impl AsyncWrite for Dribble {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if not_now(&mut self.writes, cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if not_now(&mut self.writes, cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

async fn dribbling() -> (WebSocket, Peer<DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(64);
    let ours = Dribble { io: ours, reads: false, writes: false };
    client_over(&Client::default(), "", ours, theirs).await
}

/// Polls a future at most so many times and drops it.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        cx.waker().wake_by_ref();
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Numbers that differ from run to run of a loop, and not of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A peer that echoes messages and answers control frames, until it has answered a Close; tells all it has heard.
async fn echo(mut peer: Peer<DuplexStream>) -> Vec<Frame> {
    let mut heard = Vec::new();
    while let Some(frame) = peer.hears_or_end().await {
        let answer = if frame.first == 0x89 { 0x8a } else { frame.first };
        peer.sends(answer, &frame.payload).await;
        let closes = frame.first == 0x88;
        heard.push(frame);
        if closes {
            peer.ends().await;
            break;
        }
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_dropped_recv_loses_nothing() {
    let (mut socket, mut peer) = dribbling().await;
    let texts: Vec<String> = (0..40).map(|n| format!("{n} {}", "é".repeat(n % 7))).collect();
    let expected = texts.clone();
    let sending = tokio::spawn(async move {
        for (n, text) in texts.iter().enumerate() {
            match n % 3 {
                0 => peer.says(text).await,
                1 => {
                    peer.sends(0x01, &text.as_bytes()[..1]).await;
                    peer.sends(0x89, "ping").await;
                    peer.sends(0x80, &text.as_bytes()[1..]).await;
                }
                _ => {
                    peer.sends(0x01, text).await;
                    peer.sends(0x80, "").await;
                }
            }
        }
        peer
    });
    for text in expected {
        let message = loop {
            if let Some(received) = polled(socket.recv(), 1).await {
                break received.expect("open").expect("a message");
            }
        };
        assert_eq!(message.as_text(), Some(&text[..]));
    }
    until(sending).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_chunk_loses_nothing() {
    let (mut socket, mut peer) = dribbling().await;
    let sending = tokio::spawn(async move {
        for _ in 0..5 {
            peer.sends(0x02, "one ").await;
            peer.sends(0x89, "ping").await;
            peer.sends(0x80, "two").await;
        }
        peer
    });
    for times in 1..=5 {
        // Dropped before it gave a reader, it has taken nothing; the reader would be another matter.
        assert!(polled(socket.recv_stream(), 1).await.is_none());
        let mut reader = socket.recv_stream().await.expect("open").expect("a message");
        let mut all = Vec::new();
        loop {
            match polled(reader.chunk(), times).await.transpose().expect("open") {
                None => {}
                Some(Some(piece)) => all.extend_from_slice(&piece),
                Some(None) => break,
            }
        }
        assert_eq!(all, b"one two");
    }
    until(sending).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_has_queued_its_message_whole_or_not_at_all() {
    for times in 0..60 {
        let (mut socket, peer) = dribbling().await;
        let echo = tokio::spawn(echo(peer));
        let sent = polled(socket.send("the message"), times).await;
        assert!(sent.is_none() || times > 17, "its 17 bytes leave one by one");
        socket.send("the next").await.expect("it is open");
        socket.close(CloseCode::NORMAL, "").await.expect("may be sent");
        let heard = until(echo).await.expect("no panic");
        let texts: Vec<_> = heard.iter().filter(|frame| frame.first == 0x81).collect();
        // With room in the queue it is there after the first poll.
        let expected = [Frame::new(0x81, "the message"), Frame::new(0x81, "the next")];
        let expected: Vec<_> = expected.iter().skip(usize::from(times == 0)).collect();
        assert_eq!(texts, expected, "{times} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_write_has_queued_its_piece_whole_or_not_at_all() {
    for times in 1..40 {
        let (mut socket, peer) = dribbling().await;
        let echo = tokio::spawn(echo(peer));
        let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
        polled(writer.write(b"one "), times).await;
        polled(writer.flush(), times % 7).await;
        polled(writer.write(b"two"), times % 5 + 1).await;
        writer.finish().await.expect("it is open");
        socket.close(CloseCode::NORMAL, "").await.expect("may be sent");
        let heard = until(echo).await.expect("no panic");
        let all = heard.iter().filter(|frame| frame.first != 0x88);
        let all: Vec<u8> = all.flat_map(|frame| frame.payload.clone()).collect();
        assert_eq!(all, b"one two", "{times} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_close_is_gone_on_with() {
    for times in 0..60 {
        let (mut socket, peer) = dribbling().await;
        let echo = tokio::spawn(echo(peer));
        socket.feed("queued").await.expect("it is open");
        polled(socket.close(4000.into(), "done"), times).await;
        match times % 3 {
            0 => socket.close(4000.into(), "done").await.expect("may be sent"),
            1 => assert_eq!(socket.recv().await.expect("a clean end"), None),
            _ => while polled(socket.recv(), 1).await.is_none() {},
        }
        let heard = until(echo).await.expect("no panic");
        assert_eq!(
            heard,
            [Frame::new(0x81, "queued"), Frame::close(4000, "done")],
            "{times} polls"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_ping_loses_no_message_and_confuses_no_other() {
    for times in 0..60 {
        let (mut socket, peer) = dribbling().await;
        tokio::spawn(echo(peer));
        socket.feed("one").await.expect("it is open");
        polled(socket.ping(), times).await;
        socket.feed("two").await.expect("it is open");
        assert!(socket.ping().await.is_ok(), "{times} polls");
        for text in ["one", "two"] {
            assert_eq!(socket.recv().await.expect("open"), Some(text.into()), "{times} polls");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_ready_promises_nothing_and_costs_nothing() {
    let (mut socket, peer) = dribbling().await;
    let echo = tokio::spawn(echo(peer));
    for n in 0..20 {
        polled(socket.ready(), n % 3).await;
        polled(socket.flush(), n % 5).await;
        socket.ready().await.expect("it is open");
        socket.try_send(vec![7; n]).expect("it is ready");
    }
    // Echoes are read past, and dropped, by `close`.
    socket.close(CloseCode::NORMAL, "").await.expect("may be sent");
    let heard = until(echo).await.expect("no panic");
    let lens: Vec<_> = heard.iter().map(|frame| frame.payload.len()).collect();
    assert_eq!(lens[..20], (0..20).collect::<Vec<_>>());
}

/// One of the things that users do, polled a few times and dropped. Tells whether message `n` was certainly queued.
async fn something(socket: &mut WebSocket, n: u32, dice: &mut Dice) -> bool {
    let message = || Message::from(format!("{n} {}", "x".repeat(n as usize % 50)));
    let times = usize::try_from(dice.below(12)).expect("small");
    match dice.below(5) {
        0 => polled(socket.send(message()), times).await.is_some(),
        1 => polled(socket.feed(message()), times).await.is_some(),
        2 => socket.try_send(message()).is_ok(),
        3 => {
            let Some(writer) = polled(socket.send_stream(MessageKind::Text), times.max(1)).await
            else {
                return false;
            };
            let mut writer = writer.expect("it is open");
            let message = message();
            let (head, tail) = message.as_bytes().split_at(1);
            polled(writer.write(head), times + 1).await;
            writer.write(tail).await.expect("it is open");
            writer.finish().await.is_ok()
        }
        _ => {
            polled(socket.ping(), times).await;
            false
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_dropped_messages_stay_whole_and_in_order() {
    for seed in 1..=40 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let (mut socket, peer) = dribbling().await;
        let echo = tokio::spawn(echo(peer));
        let (mut certain, mut received) = (Vec::new(), Vec::new());
        let mut take = |message: Message| {
            let text = message.as_text().expect("only texts").to_owned();
            let n = text.split(' ').next().expect("a number").parse::<u32>().expect("a number");
            assert_eq!(text, format!("{n} {}", "x".repeat(n as usize % 50)), "whole");
            received.push(n);
        };
        for n in 0..30 {
            if something(&mut socket, n, &mut dice).await {
                certain.push(n);
            }
            let times = usize::try_from(dice.below(30)).expect("small");
            if let Some(message) = polled(socket.recv(), times).await {
                take(message.expect("open").expect("a message"));
            }
        }
        socket.send("1000 ").await.expect("it is open");
        loop {
            let message = socket.recv().await.expect("open").expect("a message");
            if message.as_text() == Some("1000 ") {
                break;
            }
            take(message);
        }
        assert!(
            received.is_sorted_by(|one, next| one < next),
            "in order, none twice: {received:?}"
        );
        assert!(certain.iter().all(|n| received.contains(n)), "{certain:?} in {received:?}");
        socket.close(CloseCode::NORMAL, "").await.expect("may be sent");
        until(echo).await.expect("no panic");
    }
}
