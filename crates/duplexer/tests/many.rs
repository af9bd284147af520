//! Several messages at once: `recv_many` takes what has arrived together, `try_send_prepared_many` gives it on together.

mod support;

use std::net::SocketAddr;

use duplexer::{
    Client, CloseCode, Deflate, Limits, Message, Prepared, RecvError, SendError, Sender, Server,
    WebSocket,
};
use futures_util::FutureExt;
use support::{Everybody, Frame, client, client_with, gathered, host, open, open_over, until};
use tokio::sync::mpsc;

/// Texts that are prepared.
fn prepared(texts: impl IntoIterator<Item = impl Into<Message>>) -> Vec<Prepared> {
    texts.into_iter().map(Prepared::new).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_that_arrived_together_are_taken_together() {
    let (mut socket, mut peer) = client().await;
    let frames: Vec<u8> =
        ["one", "two", "three", "four", "five"].map(|text| peer.frame(0x81, text)).concat();
    peer.sends_bytes(frames).await;
    let mut messages = vec![Message::from("before")];
    assert_eq!(socket.recv_many(&mut messages, 3).await.expect("it is open"), 3);
    assert_eq!(messages, ["before", "one", "two", "three"].map(Message::from));
    assert_eq!(socket.recv_many(&mut messages, 64).await.expect("it is open"), 2);
    assert_eq!(messages[4..], ["four", "five"].map(Message::from));
}

#[tokio::test(start_paused = true)]
async fn the_first_is_waited_for_and_none_is_lost() {
    let (mut socket, mut peer) = client().await;
    let mut messages = Vec::new();
    assert!(socket.recv_many(&mut messages, 64).now_or_never().is_none());
    assert_eq!(socket.recv_many(&mut messages, 0).await.expect("it is open"), 0);
    let next = peer.frame(0x81, "two");
    peer.sends_bytes([&peer.frame(0x81, "one")[..], &next[..4]].concat()).await;
    assert_eq!(socket.recv_many(&mut messages, 64).await.expect("it is open"), 1);
    assert!(socket.recv_many(&mut messages, 64).now_or_never().is_none());
    peer.sends_bytes(&next[4..]).await;
    assert_eq!(socket.recv_many(&mut messages, 64).await.expect("it is open"), 1);
    assert_eq!(messages, ["one", "two"].map(Message::from));
}

#[tokio::test(start_paused = true)]
async fn control_frames_and_fragments_between_them_only_divide_them() {
    let (mut socket, mut peer) = client().await;
    let frames = [
        peer.frame(0x81, "one"),
        peer.frame(0x89, "ping"),
        peer.frame(0x02, "t"),
        peer.frame(0x89, "pong"),
        peer.frame(0x80, "wo"),
        peer.frame(0x81, "three"),
    ];
    peer.sends_bytes(frames.concat()).await;
    let mut messages = Vec::new();
    assert_eq!(socket.recv_many(&mut messages, 64).await.expect("it is open"), 1);
    assert_eq!(socket.recv_many(&mut messages, 64).await.expect("it is open"), 2);
    assert_eq!(messages, [Message::from("one"), b"two"[..].into(), "three".into()]);
    assert!(socket.recv().now_or_never().is_none());
    assert_eq!(peer.hears().await, Frame::new(0x8a, "ping"));
    assert_eq!(peer.hears().await, Frame::new(0x8a, "pong"));
}

#[tokio::test(start_paused = true)]
async fn an_end_comes_behind_the_messages_before_it() {
    for (last, broken) in [(0x88, false), (0x83, true)] {
        let (mut socket, mut peer) = client().await;
        let body = if broken { vec![] } else { support::close_body(1000, "") };
        let frames = [peer.frame(0x81, "one"), peer.frame(0x81, "two"), peer.frame(last, body)];
        peer.sends_bytes(frames.concat()).await;
        let mut messages = Vec::new();
        assert_eq!(socket.recv_many(&mut messages, 64).await.expect("two came"), 2);
        drop(peer);
        for _ in 0..2 {
            let end = socket.recv_many(&mut messages, 64).await;
            assert!(
                if broken { matches!(end, Err(RecvError::Fault(_))) } else { matches!(end, Ok(0)) },
                "{last:x}: {end:?}"
            );
        }
        assert_eq!(messages.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_answered_before_the_end_behind_them() {
    let (mut socket, mut peer) = client().await;
    let close = peer.frame(0x88, support::close_body(1000, ""));
    peer.sends_bytes([peer.frame(0x81, "one"), peer.frame(0x81, "two"), close].concat()).await;
    let mut messages = Vec::new();
    while socket.recv_many(&mut messages, 64).now_or_never().is_some_and(|came| came.is_ok()) {
        for message in messages.drain(..) {
            socket.send(message).await.expect("it is open");
        }
    }
    assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
    assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
    assert_eq!(peer.hears().await.close_code(), Some(1000));
}

#[tokio::test(start_paused = true)]
async fn messages_that_were_held_are_taken_together() {
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    let talking = async {
        peer.sends(0x81, "one").await;
        peer.sends(0x81, "two").await;
        let ping = peer.hears().await;
        peer.sends(0x8a, ping.payload).await;
    };
    let (answered, ()) = tokio::join!(sender.ping(), talking);
    answered.expect("a pong");
    let mut messages = Vec::new();
    assert_eq!(receiver.recv_many(&mut messages, 64).await.expect("it is open"), 2);
    assert_eq!(messages, ["one", "two"].map(Message::from));
}

#[tokio::test(start_paused = true)]
async fn few_bytes_that_are_large_messages_are_not_all_taken_at_once() {
    let extension = "Sec-WebSocket-Extensions: permessage-deflate; \
                     server_no_context_takeover; client_no_context_takeover\r\n";
    let offering = Client::builder().deflate(Deflate::default()).build();
    let (mut socket, mut peer) = client_with(&offering, extension, 64 << 10).await;
    let message = Message::from(vec![0; 200_000]);
    socket.send(message.clone()).await.expect("it is open");
    let compressed = peer.hears().await;
    assert_eq!(compressed.first, 0xc2);
    assert!(compressed.payload.len() < 5_000);
    let together = peer.frame(0xc2, compressed.payload).repeat(5);
    peer.sends_bytes(together).await;
    let mut messages = Vec::new();
    for came in [2, 2, 1] {
        assert_eq!(socket.recv_many(&mut messages, 64).await.expect("it is open"), came);
    }
    assert!(messages == [0; 5].map(|_| message.clone()));
}

#[tokio::test(start_paused = true)]
async fn as_many_are_queued_as_there_is_room_for() {
    let (socket, mut peer) = client().await;
    let (sender, _receiver) = socket.split();
    let large = prepared((0..6).map(|n| vec![n; 300_000]));
    assert_eq!(sender.try_send_prepared_many(&[]).expect("it is open"), 0);
    // The pipe takes 64 KiB of them, once they are queued.
    assert_eq!(sender.try_send_prepared_many(&large).expect("it is open"), 4);
    assert_eq!(sender.try_send_prepared_many(&large[4..]).expect("it is open"), 0);
    let flushing = async { sender.flush().await.expect("it is open") };
    let hearing = async {
        for n in 0..4 {
            assert!(peer.hears().await == Frame::new(0x82, vec![n; 300_000]));
        }
    };
    tokio::join!(flushing, hearing);
    assert_eq!(sender.try_send_prepared_many(&prepared(["one", "two"])).expect("open"), 2);
    assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
    assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
}

#[tokio::test(start_paused = true)]
async fn a_queue_over_its_bound_is_written_out_first() {
    let mut limits = Limits::default();
    limits.queue_bytes_max = 10_000;
    let small = Client::builder().limits(limits).build();
    let (socket, mut peer) = client_with(&small, "", 64 << 10).await;
    let (sender, _receiver) = socket.split();
    let large = prepared([vec![7; 60_000], vec![7; 60_000]]);
    assert_eq!(sender.try_send_prepared_many(&large).expect("it is open"), 2);
    assert!(sender.buffered_amount() > 10_000);
    assert!(peer.hears().await == Frame::new(0x82, [7; 60_000]));
    // Nobody has written since, and now there is room in the pipe.
    assert!(sender.buffered_amount() > 10_000);
    assert_eq!(sender.try_send_prepared_many(&prepared(["one", "two"])).expect("it is open"), 2);
    assert_eq!(sender.buffered_amount(), 0);
    assert!(peer.hears().await == Frame::new(0x82, [7; 60_000]));
    assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
    assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
}

#[tokio::test(start_paused = true)]
async fn none_are_queued_inside_another_message_or_after_the_end() {
    let (socket, mut peer) = client().await;
    let (sender, _receiver) = socket.split();
    let news = prepared(["one", "two"]);
    let mut writer = sender.send_stream(duplexer::MessageKind::Text).await.expect("it is open");
    writer.write(b"first ").await.expect("it is open");
    assert_eq!(sender.try_send_prepared_many(&news).expect("it is open"), 0);
    writer.finish().await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x01, "first "));
    assert_eq!(peer.hears().await, Frame::new(0x80, ""));
    sender.abort();
    assert!(matches!(sender.try_send_prepared_many(&news), Err(SendError::Closed(_))));
    let (socket, _peer) = client().await;
    let (sender, _receiver) = socket.split();
    assert!(sender.close(CloseCode::NORMAL, "").now_or_never().is_none());
    assert!(matches!(sender.try_send_prepared_many(&news), Err(SendError::Closed(_))));
}

/// Passes on to `everybody` what one connection says together, all of one poll together; `after` sees each one who was sent it.
async fn pass_on(socket: WebSocket, everybody: &Everybody, after: impl Fn(&Sender)) {
    let (sender, mut receiver) = socket.split();
    everybody.lock().expect("no panic").push(sender);
    let mut messages = Vec::new();
    while let Ok(1..) = receiver.recv_many(&mut messages, 64).await {
        let news = prepared(messages.drain(..));
        for sender in &*everybody.lock().expect("no panic") {
            let sent = sender.try_send_prepared_many(&news).expect("it is open");
            assert_eq!(sent, news.len());
            after(sender);
        }
    }
}

#[tokio::test]
async fn others_are_written_to_at_once_but_no_more_than_a_thousand() {
    let everybody = Everybody::default();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut peers = Vec::new();
    for _ in 0..1_300 {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        let (everybody, tell) = (everybody.clone(), tell.clone());
        let handler = |socket, _| async move {
            // How much waits for each before the poll ends.
            let waits = |sender: &Sender| _ = tell.send(sender.buffered_amount());
            pass_on(socket, &everybody, waits).await;
        };
        peers.push(open_over(ours, theirs, handler).await);
    }
    gathered(&everybody, 1_300).await;
    for round in 0..2 {
        let (one, two) = (format!("one {round}"), format!("two {round}"));
        let together = [peers[0].frame(0x81, &one), peers[0].frame(0x81, &two)].concat();
        peers[0].sends_bytes(together).await;
        for peer in &mut peers {
            assert_eq!(peer.hears().await, Frame::new(0x81, &one));
            assert_eq!(peer.hears().await, Frame::new(0x81, &two));
        }
        let waited = [(); 1_300].map(|()| told.try_recv().expect("it was told"));
        assert_eq!(waited[0], 2 * (2 + 5), "who speaks hears itself when the poll ends");
        let waited = waited.iter().filter(|bytes| **bytes > 0).count();
        assert_eq!(waited, 1_300 - 1_024, "who speaks, and those above the bound");
    }
}

/// A server with these limits whose handlers [`pass_on`].
async fn host_room(limits: Limits, everybody: &Everybody) -> SocketAddr {
    let everybody = everybody.clone();
    host(&Server::builder().limits(limits).build(), move |socket, _| {
        let everybody = everybody.clone();
        async move { pass_on(socket, &everybody, |_| ()).await }
    })
    .await
}

#[tokio::test]
async fn who_is_not_behind_gets_all_however_small_the_bound_is() {
    let mut limits = Limits::default();
    limits.queue_bytes_max = 10_000;
    let everybody = Everybody::default();
    let address = host_room(limits, &everybody).await;
    let (mut one, mut two) = (open(address).await, open(address).await);
    gathered(&everybody, 2).await;
    let said: Vec<String> = (0..60).map(|n| n.to_string().repeat(500)).collect();
    let together = said.iter().map(|text| one.frame(0x81, text)).collect::<Vec<_>>().concat();
    one.sends_bytes(together).await;
    for text in &said {
        assert_eq!(one.hears().await, Frame::new(0x81, text));
        assert_eq!(two.hears().await, Frame::new(0x81, text));
    }
}

#[tokio::test]
async fn what_a_member_of_a_room_says_at_once_all_hear_in_order() {
    // Over real sockets, with compression agreed on by one of two.
    let everybody = Everybody::default();
    let address = host_room(Limits::default(), &everybody).await;
    let mut plain = open(address).await;
    let deflating = Client::builder().deflate(Deflate::default()).build();
    let mut deflating = deflating.connect(format!("ws://{address}/")).await.expect("a server");
    gathered(&everybody, 2).await;
    let said: Vec<String> = (0..100).map(|n| format!("{n} ").repeat(100)).collect();
    let together = said.iter().map(|text| plain.frame(0x81, text)).collect::<Vec<_>>().concat();
    plain.sends_bytes(together).await;
    for text in &said {
        assert_eq!(plain.hears().await, Frame::new(0x81, text));
        let heard = until(deflating.recv()).await.expect("it is open");
        assert_eq!(heard, Some(Message::from(text.as_str())));
    }
}
