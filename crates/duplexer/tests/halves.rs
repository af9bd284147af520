//! The halves of a socket in several hands: two tasks at once, cloned senders on several threads, and what becomes of one
//! half when the other stops, is dropped, or is somewhere else.

mod support;

use std::collections::HashMap;

use duplexer::{
    CloseCode, Message, MessageKind, RecvError, SendError, Sender, Server, TrySendError,
};
use futures_util::FutureExt;
use support::{Frame, client, client_with, host, open, until};
use tokio::sync::mpsc;

#[tokio::test(start_paused = true)]
async fn both_halves_are_used_from_two_tasks_at_once() {
    let (socket, mut peer) = client_with(&duplexer::Client::default(), "", 1024).await;
    let (sender, mut receiver) = socket.split();
    let sending = tokio::spawn(async move {
        for n in 0..1000u32 {
            sender.send(n.to_be_bytes().to_vec()).await.expect("it is open");
        }
        sender
    });
    let receiving = tokio::spawn(async move {
        for n in 0..1000u32 {
            let message = receiver.recv().await.expect("open");
            assert_eq!(message, Some(n.to_be_bytes().to_vec().into()));
        }
        receiver
    });
    for n in 0..1000u32 {
        peer.sends(0x82, n.to_be_bytes()).await;
        assert_eq!(peer.hears().await, Frame::new(0x82, n.to_be_bytes()));
    }
    let (sender, _receiver) =
        (until(sending).await.expect("no panic"), until(receiving).await.expect("no panic"));
    assert!(sender.is_open());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clones_send_whole_messages_from_several_threads() {
    // The server echoes; eight senders and one receiver share the client's end over TCP.
    let address = host(&Server::default(), |mut socket: duplexer::WebSocket, _| async move {
        while let Ok(Some(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await;
    let socket = until(duplexer::connect(format!("ws://{address}/"))).await.expect("it listens");
    let (sender, mut receiver) = socket.split();
    let senders = (0..8u32).map(|who| {
        let sender = sender.clone();
        tokio::spawn(async move {
            for n in 0..50u32 {
                let len = 8 + (n as usize * 331) % 5000;
                let mut bytes = vec![u8::try_from(who).expect("small"); len];
                bytes[..4].copy_from_slice(&who.to_be_bytes());
                bytes[4..8].copy_from_slice(&n.to_be_bytes());
                match n % 4 {
                    0 => sender.feed(bytes).await.expect("it is open"),
                    1 => {
                        let kind = MessageKind::Binary;
                        let mut writer = sender.send_stream(kind).await.expect("it is open");
                        for piece in bytes.chunks(1000) {
                            writer.write(piece).await.expect("it is open");
                        }
                        writer.finish().await.expect("it is open");
                    }
                    _ => sender.send(bytes).await.expect("it is open"),
                }
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut next = HashMap::new();
    for _ in 0..8 * 50 {
        let message = until(receiver.recv()).await.expect("open").expect("a message");
        let bytes = message.as_bytes();
        let who = u32::from_be_bytes(*bytes.first_chunk().expect("four bytes"));
        let n = u32::from_be_bytes(*bytes[4..].first_chunk().expect("four bytes"));
        assert_eq!(n, *next.entry(who).and_modify(|n| *n += 1).or_insert(0), "in order of {who}");
        assert_eq!(bytes.len(), 8 + (n as usize * 331) % 5000);
        assert!(bytes[8..].iter().all(|byte| u32::from(*byte) == who), "no other's bytes");
    }
    for sender in senders {
        until(sender).await.expect("no panic");
    }
    until(sender.close(CloseCode::NORMAL, "")).await.expect("may be sent");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_reading_does_not_block_the_writers() {
    // The peer sends more than is held for the reader, and reads.
    let (socket, mut peer) = client_with(&duplexer::Client::default(), "", 4096).await;
    let (sender, mut receiver) = socket.split();
    let sending = async {
        for _ in 0..100 {
            sender.send(vec![1; 50_000]).await.expect("it is open");
        }
    };
    let mut heard = 0;
    let (mut read, write) = tokio::io::split(&mut peer.io);
    let talking = async {
        let mut write = write;
        let frame = support::frame(support::Role::Server, 0x82, [2; 50_000]);
        loop {
            tokio::io::AsyncWriteExt::write_all(&mut write, &frame).await.expect("it is open");
        }
    };
    let reading = async {
        let mut buffer = vec![0; 4096];
        while heard < 100 * 50_008 {
            heard += tokio::io::AsyncReadExt::read(&mut read, &mut buffer).await.expect("open");
        }
    };
    tokio::select! {
        () = talking => {}
        ((), ()) = async { tokio::join!(sending, reading) } => {}
    }
    assert_eq!(receiver.recv().await.expect("open"), Some(vec![2; 50_000].into()));
}

#[tokio::test(start_paused = true)]
async fn without_a_receiver_pings_are_answered_while_a_sender_is_polled() {
    let (socket, mut peer) = client_with(&duplexer::Client::default(), "", 1024).await;
    let (sender, receiver) = socket.split();
    drop(receiver);
    // More than would be held for a receiver.
    let talking = async {
        for n in 0..40u8 {
            peer.sends(0x82, vec![n; 50_000]).await;
        }
        peer.sends(0x89, "behind it all").await;
        loop {
            let frame = peer.hears().await;
            match frame.first {
                0x8a => break assert_eq!(frame, Frame::new(0x8a, "behind it all")),
                first => assert_eq!(first, 0x82, "{frame:?}"),
            }
        }
        peer.hears_close(1000).await;
        peer.ends().await;
    };
    let sending = async {
        sender.send(vec![1; 100_000]).await.expect("it is open");
        sender.close(CloseCode::NORMAL, "").await.expect("may be sent");
    };
    tokio::join!(talking, sending);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_receiver_discards_what_comes_and_what_is_held() {
    let (socket, mut peer) = client().await;
    let (sender, receiver) = socket.split();
    let answering = async {
        let ping = peer.hears().await;
        peer.says("held").await;
        peer.sends(0x01, "half ").await;
        peer.sends(0x8a, &ping.payload).await;
    };
    assert!(tokio::join!(sender.ping(), answering).0.is_ok());
    drop(receiver);
    let answering = async {
        let ping = peer.hears().await;
        peer.sends(0x80, "gone").await;
        peer.sends(0x01, b"\xff").await;
        peer.sends(0x8a, &ping.payload).await;
        peer.ends().await;
    };
    // What is discarded is checked all the same (RFC 6455 §8.1).
    assert!(tokio::join!(sender.ping(), answering).0.is_err());
    assert_eq!(peer.hears().await.close_code(), Some(1007));
}

#[tokio::test(start_paused = true)]
async fn without_senders_the_receiver_goes_on() {
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    drop((sender.clone(), sender));
    peer.sends(0x89, "still answered?").await;
    peer.says("still received").await;
    assert_eq!(receiver.recv().await.expect("open"), Some("still received".into()));
    assert_eq!(receiver.recv().now_or_never().map(drop), None);
    assert_eq!(peer.hears().await, Frame::new(0x8a, "still answered?"));
    peer.closes(1000, "").await;
    peer.ends().await;
    assert_eq!(receiver.recv().await.expect("a clean end"), None);
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
}

#[tokio::test(start_paused = true)]
async fn every_half_learns_of_the_end() {
    let (socket, mut peer) = client_with(&duplexer::Client::default(), "", 1024).await;
    let (sender, mut receiver) = socket.split();
    let stuck: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(vec![0; 100_000]).await })
        })
        .collect();
    let received = tokio::spawn(async move { receiver.recv().await });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    peer.sends(0x81, b"\xff").await;
    peer.ends().await;
    assert!(matches!(until(received).await.expect("no panic"), Err(RecvError::Fault(_))));
    for stuck in stuck {
        assert!(matches!(until(stuck).await.expect("no panic"), Err(SendError::Closed(Some(_)))));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_when_another_that_waited_is_gone() {
    // The transport remembers one waker; the task that has asked last goes away.
    let (socket, mut peer) = client_with(&duplexer::Client::default(), "", 1024).await;
    let (sender, mut receiver) = socket.split();
    let received = tokio::spawn(async move { receiver.recv().await });
    let sent = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(vec![0; 2000]).await }
    });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert_eq!(sender.ping().now_or_never(), None);
    assert!(sender.send(vec![0; 2000]).now_or_never().is_none());
    peer.says("hello").await;
    let message = until(received).await.expect("no panic").expect("open");
    assert_eq!(message, Some(Message::from("hello")));
    for _ in 0..3 {
        assert!(matches!(peer.hears().await.first, 0x82 | 0x89));
    }
    until(sent).await.expect("no panic").expect("it is open");
}

#[tokio::test(start_paused = true)]
async fn other_senders_wait_while_a_message_is_written_in_pieces() {
    // RFC 6455 §5.4: fragments of one message are not interleaved with another's.
    let (socket, mut peer) = client().await;
    let (sender, _receiver) = socket.split();
    let mut writer = sender.send_stream(MessageKind::Text).await.expect("it is open");
    writer.write(b"first, ").await.expect("it is open");
    let other = sender.clone();
    let waiting = tokio::spawn(async move { other.send("second").await });
    tokio::task::yield_now().await;
    assert!(matches!(sender.try_send("third"), Err(TrySendError::Full(_))));
    assert!(sender.ready().now_or_never().is_none());
    sender.pong(b"between").expect("control frames may pass");
    assert!(!waiting.is_finished());
    writer.write(b"and last").await.expect("it is open");
    writer.finish().await.expect("it is open");
    until(waiting).await.expect("no panic").expect("it is open");
    for frame in [
        Frame::new(0x01, "first, "),
        Frame::new(0x8a, "between"),
        Frame::new(0x00, "and last"),
        Frame::new(0x80, ""),
        Frame::new(0x81, "second"),
    ] {
        assert_eq!(peer.hears().await, frame);
    }
}

#[tokio::test(start_paused = true)]
async fn one_end_is_known_to_all_clones() {
    let (socket, _peer) = client().await;
    let (sender, receiver) = socket.split();
    let clone = sender.clone();
    sender.abort();
    assert!(!clone.is_open());
    assert_eq!(clone.close_info(), sender.close_info());
    assert_eq!(
        format!("{clone:?} {receiver:?}"),
        "Sender { state: Closed } Receiver { state: Closed }"
    );
}

#[tokio::test]
async fn publishers_reach_a_handler_that_waits_to_receive() {
    // The usual hub: handlers receive, others hold their senders and never wait.
    let (senders, mut joined) = mpsc::unbounded_channel::<Sender>();
    let address = host(&Server::default(), move |socket: duplexer::WebSocket, _| {
        let senders = senders.clone();
        async move {
            let (sender, mut receiver) = socket.split();
            senders.send(sender).expect("the test listens");
            while let Ok(Some(_)) = receiver.recv().await {}
        }
    })
    .await;
    let mut peer = open(address).await;
    let sender = until(joined.recv()).await.expect("a sender");
    let news = duplexer::Prepared::new("n".repeat(100_000));
    // More than the sockets' buffers take: the rest leaves while the handler waits.
    let mut queued = 0;
    while sender.try_send_prepared(&news).is_ok() {
        queued += 1;
        assert!(queued < 1000, "100 MB wait for a peer that does not read");
    }
    for _ in 0..queued {
        assert_eq!(peer.hears().await.payload.len(), 100_000);
    }
    sender.try_send("there is room again").expect("the queue is empty");
    assert_eq!(peer.hears().await, Frame::new(0x81, "there is room again"));
}
