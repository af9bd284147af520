//! What a connection sees to while its owner only sends, waits, or looks elsewhere: control frames, deadlines, the end.

mod support;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use duplexer::{
    Client, CloseCode, End, Limits, MessageKind, RecvError, SendError, Server, WebSocket,
};
use futures_util::{FutureExt, Sink, SinkExt};
use support::{Frame, client, client_with, host, open, until};
use tokio::io::AsyncReadExt;
use tokio::time::{Duration, Instant, sleep, timeout};

#[tokio::test(start_paused = true)]
async fn a_sender_that_never_waits_answers_pings() {
    let (socket, mut peer) = client().await;
    let (sender, receiver) = socket.split();
    drop(receiver);
    peer.sends(0x89, "are you there?").await;
    for text in ["first", "second"] {
        sender.send(text).await.expect("it is open");
    }
    assert_eq!(peer.hears().await, Frame::new(0x81, "first"));
    assert_eq!(peer.hears().await, Frame::new(0x8a, "are you there?"));
    assert_eq!(peer.hears().await, Frame::new(0x81, "second"));
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_never_waits_notices_a_close() {
    let (mut socket, mut peer) = client().await;
    peer.closes(1000, "bye").await;
    socket.send("one that crosses it").await.expect("nobody has looked yet");
    match socket.send("too late").await {
        Err(SendError::Closed(Some(info))) => assert_eq!(info.reason.code(), CloseCode::NORMAL),
        other => panic!("{other:?}"),
    }
    assert_eq!(peer.hears().await, Frame::new(0x81, "one that crosses it"));
    peer.hears_close(1000).await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_never_waits_keeps_the_connection_alive_and_notices_a_lost_peer() {
    let (mut socket, mut peer) = client().await;
    let began = Instant::now();
    let mut pings = 0;
    loop {
        match socket.send("tick").await {
            Ok(()) => {}
            Err(error) => break assert!(matches!(error, SendError::PeerLost), "{error:?}"),
        }
        loop {
            match peer.hears().await.first {
                0x81 => break,
                first => assert_eq!(first, 0x89),
            }
            pings += 1;
        }
        sleep(Duration::from_secs(1)).await;
    }
    assert!(pings > 0);
    assert!((40..44).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_handler_that_only_sends_or_sleeps_is_no_silent_peer() {
    let server = Server::default();
    let (told, mut closed) = tokio::sync::mpsc::unbounded_channel();
    let address = host(&server, move |mut socket: WebSocket, _| {
        let told = told.clone();
        async move {
            socket.send("welcome").await.expect("it is open");
            while socket.is_open() {
                sleep(Duration::from_millis(20)).await;
            }
            let _ = told.send(socket.close_info());
        }
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "welcome"));
    peer.sends(0x89, "are you there?").await;
    assert_eq!(peer.hears().await, Frame::new(0x8a, "are you there?"));
    peer.closes(1000, "bye").await;
    peer.hears_close(1000).await;
    let info = until(closed.recv()).await.expect("the handler goes on").expect("it is closed");
    assert_eq!((info.reason.code(), info.initiator), (CloseCode::NORMAL, End::Remote));
}

#[tokio::test]
async fn so_is_a_handler_that_has_split_its_socket_and_dropped_the_receiver() {
    let server = Server::default();
    let address = host(&server, |socket: WebSocket, _| async move {
        let (sender, receiver) = socket.split();
        drop(receiver);
        sender.send("welcome").await.expect("it is open");
        // Woken by nothing of its own.
        std::future::pending::<()>().await;
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "welcome"));
    for _ in 0..3 {
        peer.sends(0x82, vec![0; 1 << 20]).await;
        peer.sends(0x89, "are you there?").await;
        assert_eq!(peer.hears().await, Frame::new(0x8a, "are you there?"));
    }
}

#[tokio::test(start_paused = true)]
async fn two_ends_that_send_and_never_receive_do_not_wait_for_ever() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1 << 22).await;
    let (sender, mut receiver) = socket.split();
    // More than is held, with its pongs behind it, from a peer that then reads nothing more.
    for n in 0..15u8 {
        peer.sends(0x82, vec![n; 100_000]).await;
    }
    let began = Instant::now();
    let sent = until_virtual(sender.send(vec![0; 6 << 20])).await;
    assert!(matches!(sent, Err(SendError::PeerLost)), "{sent:?}");
    assert!((20..=60).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    for n in 0..10u8 {
        let message = receiver.recv().await.expect("it was held").expect("a message");
        assert_eq!(message.as_bytes(), vec![n; 100_000]);
    }
}

#[tokio::test(start_paused = true)]
async fn behind_a_full_hold_a_peer_that_takes_its_time_is_not_lost() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1 << 21).await;
    let (sender, mut receiver) = socket.split();
    for n in 0..15u8 {
        peer.sends(0x82, vec![n; 100_000]).await;
    }
    let long = vec![9; 8 << 20];
    let sending = sender.send(long.clone());
    let reading = async {
        let mut bytes = 0;
        let mut piece = vec![0; 1 << 20];
        while bytes < long.len() {
            // Two minutes and more in all.
            sleep(Duration::from_secs(15)).await;
            bytes += peer.io.read(&mut piece).await.expect("it is open");
        }
    };
    let (sent, ()) = tokio::join!(until_virtual(sending), reading);
    sent.expect("it was taken, if slowly");
    for n in 0..15u8 {
        let message = receiver.recv().await.expect("open").expect("a message");
        assert_eq!(message.as_bytes(), vec![n; 100_000]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_behind_more_than_is_held_is_kept_for_the_receiver() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1 << 22).await;
    let (sender, mut receiver) = socket.split();
    for n in 0..12u8 {
        peer.sends(0x82, vec![n; 100_000]).await;
    }
    peer.closes(1000, "bye").await;
    peer.ends().await;
    assert!(until_virtual(sender.ping()).await.is_err(), "no pong comes");
    for n in 0..12u8 {
        let message = receiver.recv().await.expect("it was kept").expect("a message");
        assert_eq!(message.as_bytes(), vec![n; 100_000]);
    }
    assert_eq!(receiver.recv().await.expect("a clean end"), None);
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_message_holds_while_it_is_held() {
    let mut limits = Limits::default();
    limits.message_bytes_max = 1000;
    let settings = Client::builder().limits(limits).build();
    let (mut socket, mut peer) = client_with(&settings, "", 1 << 16).await;
    peer.sends(0x82, vec![7; 1000]).await;
    peer.sends(0x82, vec![7; 1001]).await;
    assert!(until_virtual(socket.ping()).await.is_err(), "the pong is behind it");
    assert_eq!(socket.recv().await.expect("open").map(|message| message.len()), Some(1000));
    assert!(matches!(socket.recv().await, Err(RecvError::Fault(_))));
    let close = loop {
        let frame = peer.hears().await;
        if frame.first != 0x89 {
            break frame;
        }
    };
    assert_eq!(close.close_code(), Some(1009));
}

#[tokio::test(start_paused = true)]
async fn a_close_behind_much_that_was_not_read_in_time_is_still_seen() {
    let (mut socket, mut peer) = client_with(&Client::default(), "", 1 << 22).await;
    assert!(socket.close(CloseCode::NORMAL, "").now_or_never().is_none());
    peer.hears_close(1000).await;
    for _ in 0..4 {
        peer.sends(0x82, vec![0; 100_000]).await;
    }
    peer.closes(1000, "").await;
    peer.ends().await;
    // The owner is busy for longer than a closing handshake may take.
    sleep(Duration::from_secs(6)).await;
    assert_eq!(socket.recv().await.expect("a clean end"), None);
    assert!(socket.close_info().is_some_and(|info| info.clean));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_sink_has_taken_is_not_lost_to_another_that_is_written_in_pieces() {
    let (socket, mut peer) = client().await;
    let (mut sink, _receiver) = socket.split();
    let other = sink.clone();
    poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await.expect("it is open");
    let mut writer = other.send_stream(MessageKind::Text).await.expect("it is open");
    sink.start_send_unpin("second".into()).expect("it is open");
    assert!(SinkExt::flush(&mut sink).now_or_never().is_none());
    writer.write(b"first").await.expect("it is open");
    writer.finish().await.expect("it is open");
    SinkExt::flush(&mut sink).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x01, "first"));
    assert_eq!(peer.hears().await, Frame::new(0x80, ""));
    assert_eq!(peer.hears().await, Frame::new(0x81, "second"));
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_need_not_wait_wakes_nobody() {
    let (socket, _peer) = client_with(&Client::default(), "", 1 << 16).await;
    let (sender, mut receiver) = socket.split();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut receiving = pin!(receiver.recv());
    assert!(matches!(receiving.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending));
    let before = bell.0.load(Ordering::Relaxed);
    for _ in 0..100 {
        sender.send("to all").await.expect("it is open");
    }
    assert_eq!(bell.0.load(Ordering::Relaxed), before);
}

#[test]
fn handlers_that_use_each_others_sockets_do_not_block_each_other() {
    type Shared = Arc<tokio::sync::Mutex<WebSocket>>;
    let (done, finished) = mpsc::channel();
    // On a thread that is left behind when the handlers are stuck.
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(3).enable_all().build().expect("threads can be had");
        runtime.block_on(async {
            let all: Arc<Mutex<Vec<Shared>>> = Arc::default();
            let both = Arc::new(Barrier::new(2));
            let address = host(&Server::default(), move |socket: WebSocket, _| {
                let (all, both, done) = (all.clone(), both.clone(), done.clone());
                async move {
                    let mine = Arc::new(tokio::sync::Mutex::new(socket));
                    all.lock().expect("no panic").push(mine.clone());
                    mine.lock().await.send("welcome").await.expect("it is open");
                    // Within one poll, in which each has used its own.
                    tokio::task::block_in_place(|| both.wait());
                    let others = all.lock().expect("no panic").clone();
                    for other in others.iter().filter(|other| !Arc::ptr_eq(other, &mine)) {
                        other.lock().await.send("another has come").await.expect("it is open");
                    }
                    done.send(()).expect("the test waits");
                    let _ = mine.lock().await.recv().await;
                }
            })
            .await;
            let (mut first, mut second) = (open(address).await, open(address).await);
            for peer in [&mut first, &mut second] {
                for text in ["welcome", "another has come"] {
                    assert_eq!(peer.hears().await, Frame::new(0x81, text));
                }
            }
            // Each handler goes on until it is told to end.
            for peer in [&mut first, &mut second] {
                peer.closes(1000, "").await;
                peer.hears_close(1000).await;
            }
        });
    });
    for _ in 0..2 {
        finished.recv_timeout(Duration::from_secs(10)).expect("no handler is stuck");
    }
}

/// Waits for ten hours of the paused clock, which is for ever.
async fn until_virtual<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(36_000), future).await.expect("it has an end")
}
