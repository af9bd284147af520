//! The property of cancel safety: whatever futures are dropped after whichever poll, over a transport that moves one byte at a
//! time and is not ready after each, each end receives what the other has certainly sent, whole, once and in order. That is for all ways of
//! sending, receiving, streaming and closing of a connection that is open; `Stream`, `Sink`, `into_io` and `events` are made of the same.

mod support;

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;

use duplexer::testing::{Faulty, Pair};
use duplexer::{
    Client, CloseCode, Deflate, Message, MessageKind, Prepared, Receiver, SendOptions, Sender,
    Server, WebSocket,
};
use futures_util::FutureExt;
use proptest::prelude::*;
use support::{Frame, Peer, client_with, until};
use tokio::io::DuplexStream;
use tokio::sync::Barrier;

/// How many polls each future gets before it is dropped, one after another and over again.
#[derive(Clone, Debug)]
struct Patience {
    polls: Vec<usize>,
    at: usize,
}

impl Patience {
    fn next(&mut self) -> usize {
        self.at = (self.at + 1) % self.polls.len();
        self.polls[self.at]
    }

    /// Polls a future so many times at most and drops it.
    async fn polls<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut left = self.next();
        let mut future = pin!(future);
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
}

/// One way of sending.
#[derive(Clone, Copy, Debug)]
enum Way {
    Send,
    SendCut,
    Feed,
    Flush,
    Try,
    Prepared,
    Pieces,
    Ping,
    Ready,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        Just(Way::Send),
        Just(Way::SendCut),
        Just(Way::Feed),
        Just(Way::Flush),
        Just(Way::Try),
        Just(Way::Prepared),
        Just(Way::Pieces),
        Just(Way::Ping),
        Just(Way::Ready),
    ]
}

/// Message `n`: its number, and bytes that follow from it.
fn message(n: usize, len: usize) -> Message {
    let noise = (0..len).map(|at| b'a' + u8::try_from((at * at + n) % 23).expect("small"));
    let text = String::from_utf8(noise.collect()).expect("ASCII");
    match n % 2 {
        0 => format!("{n} {text}").into(),
        _ => format!("{n} {text}").into_bytes().into(),
    }
}

/// Piece `at` of a message that is written in pieces, behind its number.
fn piece(n: usize, at: usize) -> String {
    format!(";{at}{}", "x".repeat((n * 3 + at * 5) % 17))
}

/// The number of a message, which is checked to be whole, and which of its pieces it has where it was written in pieces: each
/// whole as well.
fn number(received: &Message, script: &Script) -> (usize, Vec<usize>) {
    let text = std::str::from_utf8(received.as_bytes()).expect("ASCII");
    let n = text.split([' ', ';']).next().expect("a number").parse().expect("a number");
    let (way, len) = script[n];
    let whole = message(n, len);
    if !matches!(way, Way::Pieces) {
        assert_eq!(*received, whole, "whole, and of its kind");
        return (n, Vec::new());
    }
    assert_eq!(received.kind(), whole.kind());
    let pieces = text.split(';').skip(1).map(|one| {
        let at = one.trim_end_matches('x').parse().expect("a number");
        assert_eq!(format!(";{one}"), piece(n, at), "whole");
        at
    });
    (n, pieces.collect())
}

/// What was heard: messages by their numbers, with the pieces of those that were written in pieces.
type Heard = Vec<(usize, Vec<usize>)>;

/// What was sent for certain.
#[derive(Debug, Default)]
struct Sent {
    certain: Vec<usize>,
    /// Of messages that were written in pieces, those whose `write` was not dropped. One that was is there whole or not at all.
    pieces: BTreeMap<usize, Vec<usize>>,
}

/// Does one thing and drops its future early; notes whether message `n` was certainly queued.
async fn act(
    way: Way,
    sender: &Sender,
    n: usize,
    len: usize,
    polls: &mut Patience,
    sent: &mut Sent,
) {
    let whole = message(n, len);
    let done = match way {
        Way::Send => polls.polls(sender.send(whole)).await.is_some(),
        Way::SendCut => {
            let options = SendOptions::default().frame_bytes_max(7);
            polls.polls(sender.send_with(whole, options)).await.is_some()
        }
        Way::Feed => polls.polls(sender.feed(whole)).await.is_some(),
        Way::Prepared => {
            let prepared = Prepared::new(whole);
            polls.polls(sender.send_prepared(&prepared)).await.is_some()
        }
        Way::Try => {
            let ready = polls.polls(sender.ready()).await.is_some();
            ready && sender.try_send(whole).is_ok()
        }
        Way::Pieces => {
            let begun = polls.polls(sender.send_stream(whole.kind())).await;
            let Some(writer) = begun else { return };
            let mut writer = writer.expect("it is open");
            writer.write(n.to_string().as_bytes()).await.expect("it is open");
            for at in 0..len / 10 {
                if let Some(written) = polls.polls(writer.write(piece(n, at).as_bytes())).await {
                    written.expect("it is open");
                    sent.pieces.entry(n).or_default().push(at);
                }
                if at % 3 == 0 {
                    polls.polls(writer.flush()).await;
                }
            }
            // Dropped before it has queued the end, it would leave the message unfinished.
            writer.finish().await.is_ok()
        }
        Way::Flush => {
            polls.polls(sender.flush()).await;
            false
        }
        Way::Ready => {
            polls.polls(sender.ready()).await;
            false
        }
        Way::Ping => {
            polls.polls(sender.ping()).await;
            false
        }
    };
    if done {
        sent.certain.push(n);
    }
}

/// Receives until the peer's `end`, with futures that are dropped early: whole messages, pieces of messages, and readers that
/// are kept over several dropped waits.
async fn hear(receiver: &mut Receiver, script: &Script, polls: &mut Patience) -> Heard {
    let (mut heard, mut last): (Heard, u64) = (Vec::new(), 0);
    for turn in 0_u64.. {
        let in_vain = turn - last;
        assert!(in_vain < TURNS_MAX, "the end is lost, behind {heard:?}");
        // A receiver that is busy elsewhere: the sender reads ahead, and holds what comes for it.
        let busy = if turn.is_multiple_of(4) && in_vain < 100 { polls.next() * 40 } else { 0 };
        for _ in 0..busy {
            tokio::task::yield_now().await;
        }
        let message = if turn.is_multiple_of(2) {
            match polls.polls(receiver.recv()).await {
                Some(received) => received.expect("open").expect("a message"),
                None => continue,
            }
        } else {
            let Some(begun) = polls.polls(receiver.recv_stream()).await else { continue };
            let mut reader = begun.expect("open").expect("a message");
            let (mut bytes, mut waits) = (Vec::new(), 0);
            loop {
                waits += 1;
                assert!(waits < TURNS_MAX, "the rest of a message is lost, behind {bytes:?}");
                match polls.polls(reader.chunk()).await {
                    Some(Ok(Some(piece))) => bytes.extend_from_slice(&piece),
                    Some(Ok(None)) => break,
                    Some(Err(error)) => panic!("open: {error}"),
                    None => {}
                }
            }
            match reader.kind() {
                MessageKind::Text => String::from_utf8(bytes).expect("UTF-8").into(),
                MessageKind::Binary => bytes.into(),
            }
        };
        if message.as_text() == Some("end") {
            return heard;
        }
        heard.push(number(&message, script));
        last = turn;
    }
    heard
}

/// Each end sends all its messages and hears the other's, in two tasks of one future.
async fn converse(
    socket: WebSocket,
    Case { script, polls, deaf, .. }: &Case,
    both: &Barrier,
) -> (WebSocketEnds, Heard, Sent) {
    let (sender, mut receiver) = socket.split();
    let (mut sending_polls, mut hearing_polls) = (polls.clone(), polls.clone());
    let sending = async {
        let mut sent = Sent::default();
        for (n, (way, len)) in script.iter().enumerate() {
            act(*way, &sender, n, *len, &mut sending_polls, &mut sent).await;
        }
        sender.send("end").await.expect("it is open");
        sent
    };
    let hearing = async {
        // Meanwhile whoever sends and has to wait reads, and holds what comes.
        for _ in 0..*deaf {
            tokio::task::yield_now().await;
        }
        hear(&mut receiver, script, &mut hearing_polls).await
    };
    let (sent, heard) = tokio::join!(sending, hearing);
    // The other end may not be there yet, and wants to be read.
    tokio::select! {
        _ = both.wait() => {}
        early = receiver.recv() => panic!("nothing comes behind the end: {early:?}"),
    }
    (WebSocketEnds { sender, receiver }, heard, sent)
}

/// What is left of a socket.
struct WebSocketEnds {
    sender: Sender,
    receiver: Receiver,
}

type Script = Vec<(Way, usize)>;

/// What both ends do.
#[derive(Clone, Debug)]
struct Case {
    script: Script,
    polls: Patience,
    /// How often a receiver passes before it listens at all.
    deaf: usize,
    deflate: Option<Deflate>,
}

fn judge(sent: &Sent, heard: &Heard) {
    let numbers: Vec<_> = heard.iter().map(|(n, _)| *n).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "in order, none twice: {numbers:?}");
    let lost: Vec<_> = sent.certain.iter().filter(|n| !numbers.contains(n)).collect();
    assert!(lost.is_empty(), "{lost:?} were lost of {:?}", sent.certain);
    for (n, pieces) in heard {
        assert!(pieces.is_sorted_by(|one, next| one < next), "in order, none twice: {pieces:?}");
        let certain = sent.pieces.get(n).into_iter().flatten();
        let lost: Vec<_> = certain.filter(|at| !pieces.contains(at)).collect();
        assert!(lost.is_empty(), "pieces {lost:?} of message {n} were lost");
    }
}

/// Closes with futures that are dropped early, and with one that is not in the end.
async fn close(ends: WebSocketEnds, polls: &mut Patience) {
    for _ in 0..3 {
        polls.polls(ends.sender.close(CloseCode::NORMAL, "done")).await;
    }
    ends.sender.close(CloseCode::NORMAL, "done").await.expect("it may be sent");
    let info = ends.sender.close_info().expect("it is over");
    assert!(info.clean, "{info:?}");
    drop(ends.receiver);
}

fn run(case: &Case) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(until(async {
        let Case { polls, deflate, .. } = case;
        let client = Client::builder().deflate(deflate.clone()).build();
        let server = Server::builder().deflate(deflate.clone()).build();
        let both = Barrier::new(2);
        let (ours, theirs) = tokio::io::duplex(16);
        let (ours, theirs) = (dribble(ours), dribble(theirs));
        let (client, server) = Pair::new().client(&client).server(&server).open_over(ours, theirs);
        let ((ours, heard_here, sent_here), (theirs, heard_there, sent_there)) =
            tokio::join!(converse(client, case, &both), converse(server, case, &both),);
        judge(&sent_here, &heard_there);
        judge(&sent_there, &heard_here);
        let (mut one, mut other) = (polls.clone(), polls.clone());
        tokio::join!(close(ours, &mut one), close(theirs, &mut other));
    }));
}

fn dribble(io: tokio::io::DuplexStream) -> Faulty<tokio::io::DuplexStream> {
    Faulty::new(io).piece_bytes(1).stutter()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_dropped_nothing_is_lost(
        script in prop::collection::vec((way(), 0_usize..200), 1..20),
        polls in prop::collection::vec(0_usize..40, 1..12),
        deaf in prop_oneof![Just(0_usize), 0_usize..8000],
        deflate in prop_oneof![Just(None), Just(Some(Deflate::shared())), Just(Some(Deflate::takeover()))],
    ) {
        prop_assume!(polls.iter().any(|polls| *polls > 6));
        run(&Case { script, polls: Patience { polls, at: 0 }, deaf, deflate });
    }
}

/// A call that has to wait, made with a queue that is full.
type Call = for<'s> fn(&'s Sender) -> std::pin::Pin<Box<dyn Future<Output = ()> + 's>>;

/// Every call of a sender that waits, by its name.
const CALLS: [(&str, Call); 6] = [
    ("send", |sender| Box::pin(sender.send("waits").map(drop))),
    ("feed", |sender| Box::pin(sender.feed("waits").map(drop))),
    ("flush", |sender| Box::pin(sender.flush().map(drop))),
    ("ready", |sender| Box::pin(sender.ready().map(drop))),
    ("ping", |sender| Box::pin(sender.ping().map(drop))),
    ("send_stream", |sender| {
        Box::pin(async {
            // Never gets so far: a writer that is dropped fails the connection.
            let writer = sender.send_stream(MessageKind::Text).await.expect("it is open");
            std::mem::forget(writer);
            panic!("the queue is full");
        })
    }),
];

/// A client whose queue is full, for its peer does not read, in halves.
async fn stuffed() -> (Sender, Receiver, Peer<DuplexStream>) {
    let (socket, peer) = client_with(&Client::default(), "", 1000).await;
    let (sender, receiver) = socket.split();
    sender.try_send("x".repeat(100_000)).expect("it is open");
    (sender, receiver, peer)
}

/// Polls once and drops.
fn once<F: Future>(future: F) -> Option<F::Output> {
    future.now_or_never()
}

#[tokio::test(start_paused = true)]
async fn messages_that_were_held_outlast_every_call_that_held_them() {
    for (name, call) in CALLS {
        for count in 1..8_usize {
            let (sender, mut receiver, mut peer) = stuffed().await;
            for n in 0..count {
                // Read and held by a call that is dropped, with a part of the next message.
                let text = format!("message {n}");
                let said = peer.frame(0x81, &text);
                let (front, back) = said.split_at(n % said.len());
                peer.sends_bytes(front).await;
                assert_eq!(once(call(&sender)), None, "{name} waits");
                peer.sends_bytes(back).await;
                assert_eq!(once(call(&sender)), None, "{name} waits");
            }
            for n in 0..count {
                let text = format!("message {n}");
                if n % 2 == 0 {
                    let held = once(receiver.recv()).expect("it is held").expect("open");
                    assert_eq!(held.expect("a message").as_text(), Some(&*text), "{name}");
                } else {
                    let begun = once(receiver.recv_stream()).expect("it is held").expect("open");
                    let mut reader = begun.expect("a message");
                    let held = once(reader.chunk()).expect("it is held").expect("open");
                    assert_eq!(held.expect("a piece"), text, "{name}");
                    assert_eq!(once(reader.chunk()).expect("the end").expect("open"), None);
                }
                assert_eq!(once(call(&sender)), None, "{name} waits still");
            }
            assert!(once(receiver.recv()).is_none(), "{name}: nothing twice");
            let (flushed, frame) = tokio::join!(sender.flush(), peer.hears());
            assert!(flushed.is_ok());
            assert_eq!(frame.payload.len(), 100_000, "{name}: it is whole, whatever was dropped");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_a_writer_held_outlast_its_dropped_writes() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1000).await;
    let (sender, mut receiver) = socket.split();
    let mut writer = sender.send_stream(MessageKind::Binary).await.expect("it is open");
    while once(writer.write(&[0; 1000])).is_some() {}
    for n in 0..5 {
        peer.says(&n.to_string()).await;
        assert!(once(writer.write(b"dropped")).is_none(), "the queue is full");
        peer.says(&n.to_string()).await;
        assert!(once(writer.flush()).is_none(), "the queue is full");
    }
    for n in 0..10 {
        let held = once(receiver.recv()).expect("it is held").expect("open");
        assert_eq!(held.expect("a message").as_text(), Some(&*(n / 2).to_string()));
        assert!(once(writer.write(b"dropped")).is_none(), "the queue is full");
    }
    // None of the dropped ones was queued.
    let (finished, frames) = tokio::join!(writer.finish(), async {
        let mut frames: Vec<Frame> = Vec::new();
        while frames.last().is_none_or(|last| last.first & 0x80 == 0) {
            frames.push(peer.hears().await);
        }
        frames
    });
    finished.expect("it is open");
    assert!(frames.iter().all(|frame| frame.payload.iter().all(|byte| *byte == 0)));
}

/// Times that a receiver asks in vain for one message, of a peer that sends a few thousand bytes in all.
const TURNS_MAX: u64 = 5000;
