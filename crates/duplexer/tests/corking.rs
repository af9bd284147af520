//! Automatic corking: what one poll of a hosted handler sends leaves in one write, and nothing is held back beyond that
//! poll. Looked at from the outside, by a thread that always reads: one write of ours is one read of its.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use duplexer::{Client, Limits, MessageKind, Server, WebSocket};
use futures_util::FutureExt;
use support::{
    Everybody, Frame, Role, client_with, frame, gathered, host, host_hyper, host_room, joins, open,
    open_over, until, upgrade,
};
use tokio::sync::{Notify, mpsc};

/// A message of 20 bytes.
const TEXT: &str = "twenty bytes of text";

/// A blocking client, on a thread of its own, that sends `request` so many `times` and tells the size of each read.
fn read_sizes(
    address: SocketAddr,
    request: Vec<u8>,
    answer_bytes: usize,
    times: usize,
) -> Vec<usize> {
    let mut stream = opened(address);
    let mut sizes = Vec::new();
    for _ in 0..times {
        stream.write_all(&request).expect("it is open");
        read_all(&mut stream, answer_bytes, &mut sizes);
    }
    sizes
}

/// A blocking connection, whose opening is done.
fn opened(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a TCP stream");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a TCP stream");
    stream.write_all(format!("{}\r\n", support::REQUEST).as_bytes()).expect("it is open");
    let mut buffer = vec![0; 64 << 10];
    let len = stream.read(&mut buffer).expect("an answer");
    assert!(buffer[..len].ends_with(b"\r\n\r\n"), "the head alone");
    stream
}

/// Reads so many bytes, and adds the size of each read to `sizes`.
fn read_all(stream: &mut TcpStream, mut bytes: usize, sizes: &mut Vec<usize>) {
    let mut buffer = vec![0; 64 << 10];
    while bytes > 0 {
        let len = stream.read(&mut buffer).expect("an answer");
        assert_ne!(len, 0, "the connection ended");
        sizes.push(len);
        bytes -= len;
    }
}

/// Sixteen requests that arrive together, fifty times: each lot of answers comes in one piece.
async fn leaves_in_one_write(address: SocketAddr) {
    leaves_in_one_write_of(address, 16 * (2 + TEXT.len())).await;
}

/// The same with so many bytes of answers.
async fn leaves_in_one_write_of(address: SocketAddr, answer_bytes: usize) {
    let request = frame(Role::Client, 0x81, TEXT).repeat(16);
    let reading =
        tokio::task::spawn_blocking(move || read_sizes(address, request, answer_bytes, 50));
    assert_eq!(reading.await.expect("no panic"), [answer_bytes; 50]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sixteen_requests_echoed_in_a_plain_loop_leave_in_one_write() {
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        while let Some(message) = socket.recv().await? {
            socket.send(message).await.expect("it is open");
        }
        Ok::<(), duplexer::RecvError>(())
    })
    .await;
    leaves_in_one_write(address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn so_do_answers_from_the_halves() {
    let address = host(&Server::default(), |socket: WebSocket, _| async move {
        let (sender, mut receiver) = socket.split();
        while let Ok(Some(message)) = receiver.recv().await {
            sender.send(message).await.expect("it is open");
        }
    })
    .await;
    leaves_in_one_write(address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn so_do_answers_that_are_tried_fed_or_prepared() {
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        let mut turn = 0;
        while let Ok(Some(message)) = socket.recv().await {
            turn += 1;
            match turn % 3 {
                0 => socket.feed(message).await.expect("it is open"),
                1 => socket.try_send(message).expect("there is room"),
                _ => socket.send_prepared(&duplexer::Prepared::new(message)).await.expect("open"),
            }
        }
    })
    .await;
    leaves_in_one_write(address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn so_do_answers_that_are_written_in_pieces() {
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        while let Ok(Some(message)) = socket.recv().await {
            let mut writer = socket.send_stream(message.kind()).await.expect("it is open");
            let (one, two) = message.as_bytes().split_at(9);
            writer.write(one).await.expect("it is open");
            writer.write(two).await.expect("it is open");
            writer.finish().await.expect("it is open");
        }
    })
    .await;
    // Each answer is two frames with text and an empty one that ends it.
    leaves_in_one_write_of(address, 16 * (3 * 2 + TEXT.len())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_end_of_a_message_leaves_with_a_last_piece_that_is_over_the_mark() {
    let mut limits = Limits::default();
    limits.queue_bytes_high = 10;
    let server = Server::builder().limits(limits).build();
    let address = host(&server, |mut socket: WebSocket, _| async move {
        while let Ok(Some(message)) = socket.recv().await {
            let mut writer = socket.send_stream(message.kind()).await.expect("it is open");
            writer.write(message.as_bytes()).await.expect("it is open");
            writer.finish().await.expect("it is open");
        }
    })
    .await;
    let request = frame(Role::Client, 0x81, TEXT);
    let answer_bytes = 2 * 2 + TEXT.len();
    let reading =
        tokio::task::spawn_blocking(move || read_sizes(address, request, answer_bytes, 50));
    assert_eq!(reading.await.expect("no panic"), [answer_bytes; 50]);
}

#[tokio::test]
async fn a_piece_is_not_held_back_by_a_handler_that_waits_or_flushes() {
    let go_on = Arc::new(Notify::new());
    let wait = go_on.clone();
    let address = host(&Server::default(), move |mut socket: WebSocket, _| {
        let wait = wait.clone();
        async move {
            let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
            writer.write(b"one").await.expect("it is open");
            wait.notified().await;
            writer.write(b"two").await.expect("it is open");
            writer.flush().await.expect("it is open");
            drop(writer);
            wait.notified().await;
        }
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await, Frame::new(0x01, "one"));
    go_on.notify_one();
    assert_eq!(peer.hears().await, Frame::new(0x00, "two"));
    assert_eq!(peer.hears().await.close_code(), Some(1011));
    go_on.notify_one();
}

#[tokio::test]
async fn a_reply_is_not_held_back_by_a_handler_that_waits() {
    // Two messages arrive together; the handler answers the first and then waits until the test has read the answer.
    let go_on = Arc::new(Notify::new());
    let wait = go_on.clone();
    let address = host(&Server::default(), move |mut socket: WebSocket, _| {
        let wait = wait.clone();
        async move {
            while let Ok(Some(message)) = socket.recv().await {
                socket.send(message).await.expect("it is open");
                wait.notified().await;
            }
        }
    })
    .await;
    let mut peer = open(address).await;
    let together = [peer.frame(0x81, "one"), peer.frame(0x81, "two")].concat();
    peer.sends_bytes(together).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
    go_on.notify_one();
    assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
}

#[tokio::test]
async fn a_reply_is_not_held_back_by_the_next_message_that_does_not_come() {
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        while let Ok(Some(message)) = socket.recv().await {
            socket.feed(message).await.expect("it is open");
        }
    })
    .await;
    let mut peer = open(address).await;
    let next = peer.frame(0x81, "two");
    peer.sends_bytes([&peer.frame(0x81, "one")[..], &next[..7]].concat()).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
    peer.sends_bytes(&next[7..]).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
}

#[tokio::test]
async fn what_another_task_sends_leaves_at_once() {
    // The handler itself sleeps; nobody polls it.
    let (senders, mut sent) = mpsc::unbounded_channel();
    let address = host(&Server::default(), move |socket: WebSocket, _| {
        let senders = senders.clone();
        async move {
            let (sender, _receiver) = socket.split();
            senders.send(sender).expect("the test listens");
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut peer = open(address).await;
    let sender = until(sent.recv()).await.expect("a sender");
    until(sender.send("sent")).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "sent"));
    sender.try_send("tried").expect("there is room");
    assert_eq!(peer.hears().await, Frame::new(0x81, "tried"));
    let mut writer = until(sender.send_stream(MessageKind::Text)).await.expect("it is open");
    until(writer.write(b"piece")).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x01, "piece"));
    until(writer.finish()).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x80, ""));
}

#[tokio::test]
async fn what_a_handler_sends_on_other_connections_leaves_at_once() {
    // Each connection hands its sender on; a message to one handler is passed to all before that handler waits again.
    let others = Arc::new(std::sync::Mutex::new(Vec::<duplexer::Sender>::new()));
    let list = others.clone();
    let stuck = Arc::new(Notify::new());
    let wait = stuck.clone();
    let address = host(&Server::default(), move |socket: WebSocket, _| {
        let (list, wait) = (list.clone(), wait.clone());
        async move {
            let (sender, mut receiver) = socket.split();
            list.lock().expect("no panic").push(sender);
            while let Ok(Some(message)) = receiver.recv().await {
                let senders = list.lock().expect("no panic").clone();
                for sender in senders {
                    let sent = sender.send(message.clone()).now_or_never();
                    sent.expect("there is room").expect("it is open");
                }
                wait.notified().await;
            }
        }
    })
    .await;
    let (mut one, mut two) = (open(address).await, open(address).await);
    while others.lock().expect("no panic").len() < 2 {
        tokio::task::yield_now().await;
    }
    one.says("to all").await;
    assert_eq!(two.hears().await, Frame::new(0x81, "to all"));
    assert_eq!(one.hears().await, Frame::new(0x81, "to all"));
    stuck.notify_one();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_one_poll_of_a_handler_tries_to_send_on_another_connection_leaves_in_one_write() {
    let everybody = Everybody::default();
    let address = host_room(&everybody, || std::future::ready(())).await;
    let listening = tokio::task::spawn_blocking(move || opened(address));
    let mut listener = listening.await.expect("no panic");
    gathered(&everybody, 1).await;
    let mut speaker = open(address).await;
    gathered(&everybody, 2).await;
    let answer_bytes = 16 * (2 + TEXT.len());
    let mut sizes = Vec::new();
    for _ in 0..50 {
        let together = speaker.frame(0x81, TEXT).repeat(16);
        speaker.sends_bytes(together).await;
        let reading = tokio::task::spawn_blocking(move || {
            read_all(&mut listener, answer_bytes, &mut sizes);
            (listener, sizes)
        });
        (listener, sizes) = reading.await.expect("no panic");
    }
    assert_eq!(sizes, [answer_bytes; 50]);
}

#[tokio::test]
async fn what_is_tried_on_other_connections_is_not_held_back_by_a_handler_that_waits() {
    let everybody = Everybody::default();
    let address = host_room(&everybody, std::future::pending).await;
    let (mut one, mut two) = (open(address).await, open(address).await);
    gathered(&everybody, 2).await;
    one.says("to all").await;
    assert_eq!(two.hears().await, Frame::new(0x81, "to all"));
    assert_eq!(one.hears().await, Frame::new(0x81, "to all"));
}

#[tokio::test]
async fn what_is_tried_on_other_connections_leaves_also_when_the_handler_panics_or_ends() {
    for panics in [false, true] {
        let everybody = Everybody::default();
        let list = everybody.clone();
        let address = host(&Server::default(), move |socket: WebSocket, _| {
            let list = list.clone();
            async move {
                let (sender, mut receiver) = socket.split();
                list.lock().expect("no panic").push(sender);
                let Ok(Some(message)) = receiver.recv().await else { return };
                let first = list.lock().expect("no panic").first().cloned();
                first.expect("the listener").try_send(message).expect("there is room");
                assert!(!panics, "on purpose");
            }
        })
        .await;
        let mut listener = open(address).await;
        gathered(&everybody, 1).await;
        let mut speaker = open(address).await;
        speaker.says("the last word").await;
        assert_eq!(listener.hears().await, Frame::new(0x81, "the last word"), "{panics}");
    }
}

#[tokio::test]
async fn much_for_another_connection_leaves_while_the_handler_still_runs() {
    // The handler sends until the bytes that wait have become fewer, which happens only when some are written meanwhile.
    let everybody = Everybody::default();
    let list = everybody.clone();
    let address = host(&Server::default(), move |socket: WebSocket, _| {
        let list = list.clone();
        async move {
            let (sender, mut receiver) = socket.split();
            list.lock().expect("no panic").push(sender);
            let Ok(Some(_)) = receiver.recv().await else { return };
            let first = list.lock().expect("no panic").first().cloned().expect("the listener");
            let (mut count, mut waited) = (0_u32, 0);
            while first.buffered_amount() >= waited && count < 1000 {
                waited = first.buffered_amount();
                first.try_send(vec![7; 1000]).expect("there is room");
                count += 1;
            }
            first.try_send(count.to_string()).expect("there is room");
        }
    })
    .await;
    let mut listener = open(address).await;
    gathered(&everybody, 1).await;
    open(address).await.says("go").await;
    let mut count = 0;
    let told = loop {
        let heard = listener.hears().await;
        if heard.payload.len() < 1000 {
            break String::from_utf8(heard.payload).expect("a number");
        }
        count += 1;
    };
    assert_eq!(told, count.to_string());
    assert_eq!(count, 17, "16 KiB wait, and no more");
}

#[tokio::test]
async fn more_connections_than_are_written_to_at_once_all_hear() {
    let everybody = Everybody::default();
    let mut listeners = Vec::new();
    for _ in 0..1_300 {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        listeners.push(joins(&everybody, ours, theirs).await);
    }
    gathered(&everybody, 1_300).await;
    for word in ["first", "second"] {
        listeners[0].says(word).await;
        for listener in &mut listeners {
            assert_eq!(listener.hears().await, Frame::new(0x81, word));
        }
    }
}

#[tokio::test]
async fn a_handler_that_waits_for_another_connection_is_woken_after_what_it_has_put_off() {
    // The transport is full when the poll ends: it must still wake the handler, which waits for the rest to be taken.
    let (up, mut far) = client_with(&Client::default(), "", 1 << 10).await;
    let up = Arc::new(std::sync::Mutex::new(Some(up)));
    let address = host(&Server::default(), move |mut socket: WebSocket, _| {
        let up = up.lock().expect("no panic").take();
        async move {
            let mut up = up.expect("one connection");
            while let Ok(Some(message)) = socket.recv().await {
                up.try_send(message).expect("there is room");
                up.send(vec![7; 100_000]).await.expect("it is open");
                socket.send("sent").await.expect("it is open");
            }
        }
    })
    .await;
    let mut peer = open(address).await;
    peer.says("small").await;
    assert_eq!(far.hears().await, Frame::new(0x81, "small"));
    assert_eq!(far.hears().await.payload.len(), 100_000);
    assert_eq!(peer.hears().await, Frame::new(0x81, "sent"));
}

#[tokio::test]
async fn what_is_put_off_fills_no_queue_however_small_its_bound_is() {
    let mut limits = Limits::default();
    limits.queue_bytes_max = 1_000;
    let everybody = Everybody::default();
    let list = everybody.clone();
    let address = host(&Server::builder().limits(limits).build(), move |socket: WebSocket, _| {
        let list = list.clone();
        async move {
            let (sender, mut receiver) = socket.split();
            list.lock().expect("no panic").push(sender);
            let Ok(Some(_)) = receiver.recv().await else { return };
            let first = list.lock().expect("no panic").first().cloned().expect("the listener");
            for _ in 0..20 {
                first.try_send(vec![7; 300]).expect("its transport takes all");
            }
        }
    })
    .await;
    let mut listener = open(address).await;
    gathered(&everybody, 1).await;
    open(address).await.says("go").await;
    for _ in 0..20 {
        assert_eq!(listener.hears().await, Frame::new(0x82, [7; 300]));
    }
}

#[tokio::test]
async fn the_end_of_a_message_waits_behind_a_piece_that_is_over_the_bound() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let _peer = open_over(ours, theirs, |mut socket: WebSocket, _| async move {
        let mut writer = socket.send_stream(MessageKind::Binary).await.expect("it is open");
        writer.write(vec![7; 2 << 20]).await.expect("there is room");
        tell.send(writer.finish().now_or_never().is_none()).expect("the test listens");
    })
    .await;
    assert_eq!(until(told.recv()).await, Some(true));
}

#[tokio::test]
async fn a_handler_that_only_sends_is_held_by_its_peer_and_no_other() {
    // Corked or not, the queue has its bound: the handler waits for a peer that does not read.
    let (tell, mut sent) = mpsc::unbounded_channel();
    let address = host(&Server::default(), move |mut socket: WebSocket, _| {
        let tell = tell.clone();
        async move {
            let mut count = 0u32;
            loop {
                if socket.send(vec![0; 16 << 10]).await.is_err() {
                    return;
                }
                assert!(socket.buffered_amount() <= (64 << 10) + (16 << 10) + 4);
                count += 1;
                let _ = tell.send(count);
            }
        }
    })
    .await;
    let mut peer = open(address).await;
    let mut last = 0;
    // It stops once the sockets' buffers are full: then nothing comes for a while.
    while let Ok(Some(count)) = tokio::time::timeout(Duration::from_millis(300), sent.recv()).await
    {
        last = count;
        assert!(count < 10_000, "160 MiB wait for a peer that does not read");
    }
    for _ in 0..last {
        assert_eq!(peer.hears().await.payload.len(), 16 << 10);
    }
    assert!(until(sent.recv()).await.is_some(), "it goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn so_do_the_answers_on_a_connection_that_hyper_gave_up() {
    let address = host_hyper(|request| {
        upgrade(request, |mut socket: WebSocket, _| async move {
            while let Some(message) = socket.recv().await? {
                socket.send(message).await.expect("it is open");
            }
            Ok::<(), duplexer::RecvError>(())
        })
    })
    .await;
    leaves_in_one_write(address).await;
}
