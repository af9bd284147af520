//! The property of cancel safety: whatever futures are dropped after whichever poll, over a transport that moves one byte at a
//! time and is not ready after each, each end receives what the other has certainly sent, whole, once and in order.

mod support;

use std::pin::pin;
use std::task::Poll;

use duplexer::testing::{Faulty, Pair};
use duplexer::{
    Client, CloseCode, Deflate, Message, MessageKind, Receiver, SendOptions, Sender, Server,
    WebSocket,
};
use proptest::prelude::*;
use support::until;
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

/// The number of a message, which is checked to be whole.
fn number(received: &Message, lens: &[usize]) -> usize {
    let text = std::str::from_utf8(received.as_bytes()).expect("ASCII");
    let n = text.split(' ').next().expect("a number").parse().expect("a number");
    assert_eq!(*received, message(n, lens[n]), "whole, and of its kind");
    n
}

/// What was sent for certain, and what may have been.
#[derive(Debug, Default)]
struct Sent {
    certain: Vec<usize>,
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
        Way::Try => {
            let ready = polls.polls(sender.ready()).await.is_some();
            ready && sender.try_send(whole).is_ok()
        }
        Way::Pieces => {
            let begun = polls.polls(sender.send_stream(whole.kind())).await;
            let Some(writer) = begun else { return };
            let mut writer = writer.expect("it is open");
            let bytes = whole.into_bytes();
            for piece in bytes.chunks(5) {
                // A dropped `write` has queued its piece or not, and does not say which: these are given their time. The
                // waits for what is queued to leave are not.
                writer.write(piece).await.expect("it is open");
                polls.polls(writer.flush()).await;
            }
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
async fn hear(receiver: &mut Receiver, lens: &[usize], polls: &mut Patience) -> Vec<usize> {
    let mut heard = Vec::new();
    for turn in 0_u64.. {
        // A receiver that is busy elsewhere: the sender reads ahead, and holds what comes for it.
        let busy = if turn.is_multiple_of(4) { polls.next() * 40 } else { 0 };
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
            let mut bytes = Vec::new();
            loop {
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
        heard.push(number(&message, lens));
    }
    heard
}

/// Each end sends all its messages and hears the other's, in two tasks of one future.
async fn converse(
    socket: WebSocket,
    script: &Script,
    polls: Patience,
    both: &Barrier,
) -> (WebSocketEnds, Vec<usize>, Sent) {
    let (sender, mut receiver) = socket.split();
    let (mut sending_polls, mut hearing_polls) = (polls.clone(), polls);
    let sending = async {
        let mut sent = Sent::default();
        for (n, (way, len)) in script.iter().enumerate() {
            act(*way, &sender, n, *len, &mut sending_polls, &mut sent).await;
        }
        sender.send("end").await.expect("it is open");
        sent
    };
    let lens: Vec<_> = script.iter().map(|(_, len)| *len).collect();
    let hearing = hear(&mut receiver, &lens, &mut hearing_polls);
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

fn judge(sent: &Sent, heard: &[usize]) {
    assert!(heard.is_sorted_by(|one, next| one < next), "in order, none twice: {heard:?}");
    let lost: Vec<_> = sent.certain.iter().filter(|n| !heard.contains(n)).collect();
    assert!(lost.is_empty(), "{lost:?} were lost of {:?}", sent.certain);
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

fn run(script: &Script, polls: &Patience, deflate: Option<Deflate>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(until(async {
        let client = Client::builder().deflate(deflate.clone()).build();
        let server = Server::builder().deflate(deflate).build();
        let both = Barrier::new(2);
        let (ours, theirs) = tokio::io::duplex(16);
        let (ours, theirs) = (dribble(ours), dribble(theirs));
        let (client, server) = Pair::new().client(&client).server(&server).open_over(ours, theirs);
        let ((ours, heard_here, sent_here), (theirs, heard_there, sent_there)) = tokio::join!(
            converse(client, script, polls.clone(), &both),
            converse(server, script, polls.clone(), &both),
        );
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
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_dropped_nothing_is_lost(
        script in prop::collection::vec((way(), 0_usize..200), 1..20),
        polls in prop::collection::vec(0_usize..40, 1..12),
        deflate in prop_oneof![Just(None), Just(Some(Deflate::shared())), Just(Some(Deflate::takeover()))],
    ) {
        prop_assume!(polls.iter().any(|polls| *polls > 6));
        run(&script, &Patience { polls, at: 0 }, deflate);
    }
}
