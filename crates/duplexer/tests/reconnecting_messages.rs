//! What is sent and received over a connection that is opened again: what is lost is told, what is not is not sent twice, and no
//! future that is dropped takes another one's progress with it.

mod support;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use duplexer::{Client, ConnectError, Message, Reconnect, ReconnectSendError, Sender, WebSocket};
use support::{Frame, accept, lab, lab_with, until};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Duration;

fn text(received: Result<Option<Message>, duplexer::ReconnectError>) -> String {
    let message = received.expect("no end").expect("a message");
    message.as_text().expect("a text").to_owned()
}

const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_send_waits_for_a_connection_and_drives_it_alone() {
    let (builder, mut arrivals) = lab();
    let feed = builder.build();
    let script = async {
        arrivals.refuses(BUSY).await;
        let mut peer = arrivals.opens().await;
        assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
        peer
    };
    let (sent, _peer) = tokio::join!(feed.send("hello"), script);
    sent.expect("it is open at last");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_not_queued_goes_over_the_next_connection() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let (sent, mut first) = tokio::join!(feed.send("one"), arrivals.opens());
    sent.expect("it is open");
    assert_eq!(first.hears().await, Frame::new(0x81, "one"));
    first.says("unread").await;
    first.closes(1012, "").await;
    // This end learns of the Close, and cannot send any more.
    let current = feed.sender().current().expect("it is open");
    while current.is_open() {
        tokio::time::timeout(Duration::from_millis(1), current.ready()).await.ok();
        let _ = current.flush().await;
        tokio::task::yield_now().await;
    }
    drop(current);
    let script = async {
        assert_eq!(first.hears().await.close_code(), Some(1012));
        first.ends().await;
        let mut second = arrivals.opens().await;
        assert_eq!(second.hears().await, Frame::new(0x81, "two"));
        second.says("after").await;
        second
    };
    let (sent, _second) = tokio::join!(feed.send("two"), script);
    sent.expect("over the second connection");
    // What the first had still to give is received before what the second gives.
    assert_eq!(text(feed.recv().await), "unread");
    assert_eq!(text(feed.recv().await), "after");
}

#[tokio::test(start_paused = true)]
async fn a_message_cut_off_on_its_way_is_told_and_not_sent_again() {
    let (builder, mut arrivals) = lab_with(1024);
    let mut feed = builder.build();
    let sender = feed.sender();
    let script = async {
        let first = arrivals.opens().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // It has taken a kilobyte of it, and goes.
        drop(first);
        let mut second = arrivals.opens().await;
        second.says("again").await;
        assert_eq!(second.hears().await, Frame::new(0x81, "new"));
        second
    };
    let talking = async {
        let sent = sender.send("x".repeat(100_000)).await;
        let Err(ReconnectSendError::Lost(_)) = sent else { panic!("{sent:?}") };
        sender.send("new").await.expect("over the second connection");
    };
    let (received, (), _second) = tokio::join!(feed.recv(), talking, script);
    assert_eq!(text(received), "again");
}

/// A pipe that gives nothing, and wakes nobody, while it is told so.
struct Quiet(DuplexStream, Arc<AtomicBool>);

impl AsyncRead for Quiet {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.1.load(Ordering::Relaxed) {
            true => Poll::Pending,
            false => Pin::new(&mut self.0).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Quiet {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A task that ends a connection when it is woken, as another thread might between two steps of a call.
struct Ends(Sender);

impl Wake for Ends {
    fn wake(self: Arc<Self>) {
        self.0.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_never_queued_is_not_called_lost() {
    let quiet = Arc::new(AtomicBool::new(false));
    let (ends, mut attempts) = unbounded_channel();
    let transport = quiet.clone();
    let mut feed = Reconnect::builder_with(move |_| {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        ends.send(theirs).expect("the test runs");
        let ours = Quiet(ours, transport.clone());
        async move { Client::default().connect_over(ours, "ws://example.com/").await }
    })
    .build();
    let sender = feed.sender();
    let accepting = async { accept(attempts.recv().await.expect("an attempt")).await.1 };
    let (sent, mut first) = tokio::join!(sender.send("one"), accepting);
    sent.expect("it is open");
    assert_eq!(first.hears().await, Frame::new(0x81, "one"));
    // A call that waits for a message ends the connection as soon as there is one, and a send is the first to see that.
    quiet.store(true, Ordering::Relaxed);
    first.says("unread").await;
    let current = sender.current().expect("it is open");
    let ending = Waker::from(Arc::new(Ends(current.clone())));
    let mut receiving = pin!(feed.recv());
    assert!(receiving.as_mut().poll(&mut Context::from_waker(&ending)).is_pending());
    // What the call has just attended to, a send would not look at again.
    current.ready().await.expect("it is open");
    quiet.store(false, Ordering::Relaxed);
    let script = async {
        let Some(frame) = first.hears_or_end().await else {
            return accept(attempts.recv().await.expect("an attempt")).await.1.hears().await;
        };
        frame
    };
    let sending = async { sender.send("two").await.expect("over one connection or the other") };
    let ((), heard) = until(async { tokio::join!(sending, script) }).await;
    assert_eq!(heard, Frame::new(0x81, "two"));
    assert!(!current.is_open(), "it was ended meanwhile");
}

#[tokio::test(start_paused = true)]
async fn what_was_queued_at_a_loss_is_counted() {
    let (builder, mut arrivals) = lab_with(1024);
    let mut feed = builder.build();
    let mut sender = feed.sender();
    let script = async {
        let first = arrivals.opens().await;
        // A send that is dropped has queued its message whole.
        let _ = tokio::time::timeout(Duration::from_secs(1), sender.send("x".repeat(50_000))).await;
        drop(first);
        loop {
            if let Some(duplexer::ReconnectState::Waiting { loss, .. }) = sender.changed().await {
                break loss;
            }
        }
    };
    let loss = tokio::select! {
        received = feed.recv() => panic!("{received:?}"),
        loss = script => loss,
    };
    assert!((48_000..51_000).contains(&loss.unsent_bytes), "{loss:?}");
    assert!(loss.to_string().contains(&loss.unsent_bytes.to_string()), "{loss}");
}

#[tokio::test(start_paused = true)]
async fn after_the_end_a_message_is_given_back() {
    let (builder, _arrivals) = lab();
    let feed = builder.build();
    feed.sender().stop();
    let sent = feed.send("hello").await;
    let Err(ReconnectSendError::Ended(message)) = sent else { panic!("{sent:?}") };
    assert_eq!(message.as_text(), Some("hello"));
}

#[tokio::test(start_paused = true)]
async fn more_than_is_held_has_to_be_received_before_sending_goes_on() {
    let (builder, mut arrivals) = lab_with(8 << 20);
    let mut feed = builder.build();
    let (sent, mut first) = tokio::join!(feed.send("one"), arrivals.opens());
    sent.expect("it is open");
    for _ in 0..40 {
        first.says(&"x".repeat(60_000)).await;
    }
    first.closes(1001, "").await;
    first.ends().await;
    drop(first);
    let sent = feed.send("two").await;
    let message = match sent {
        Err(ReconnectSendError::Unread(message)) => message,
        // What is written to a peer that went is lost first.
        Err(ReconnectSendError::Lost(_)) => match feed.send("two").await {
            Err(ReconnectSendError::Unread(message)) => message,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(message.as_text(), Some("two"));
    for _ in 0..40 {
        assert_eq!(text(feed.recv().await).len(), 60_000);
    }
    let (sent, mut second) = tokio::join!(feed.send(message), arrivals.opens());
    sent.expect("over the second connection");
    assert_eq!(second.hears().await, Frame::new(0x81, "two"));
}

#[tokio::test(start_paused = true)]
async fn each_connection_begins_with_what_its_opener_says() {
    let (ends, mut theirs) = unbounded_channel();
    let mut token = 0;
    let mut feed = Reconnect::builder_with(move |_| {
        token += 1;
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        ends.send(theirs).expect("the test runs");
        async move {
            let client = duplexer::Client::builder().bearer_auth(&token.to_string()).build();
            let mut socket: WebSocket = client.connect_over(ours, "ws://example.com/").await?;
            // An error here would be worth another attempt.
            socket
                .send("subscribe")
                .await
                .map_err(|error| ConnectError::Io(std::io::Error::other(error)))?;
            Ok::<_, ConnectError>(socket)
        }
    })
    .build();
    let script = async {
        for number in 1..4 {
            let io = theirs.recv().await.expect("an attempt");
            let (head, mut peer) = accept(io).await;
            assert!(head.contains(&format!("\r\nAuthorization: Bearer {number}\r\n")), "{head}");
            assert_eq!(peer.hears().await, Frame::new(0x81, "subscribe"));
            peer.says("news").await;
        }
    };
    let reading = async {
        for _ in 1..4 {
            assert_eq!(text(feed.recv().await), "news");
        }
    };
    tokio::join!(reading, script);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_left_drives_on() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let sender = feed.sender();
    // One task begins the attempt, and is gone before its answer comes.
    let mut peer = tokio::select! {
        received = feed.recv() => panic!("{received:?}"),
        peer = arrivals.next() => peer,
    };
    let sending = tokio::spawn(async move { sender.send("hello").await });
    let head = peer.hears_head().await;
    peer.sends_bytes(support::answer_to(&head, "")).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    sending.await.expect("no panic").expect("it is open");
    peer.says("hi").await;
    assert_eq!(text(feed.recv().await), "hi");
}

#[tokio::test(start_paused = true)]
async fn many_senders_wait_together_and_all_get_through() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let sender = feed.sender();
            tokio::spawn(async move { sender.send(format!("{number}")).await })
        })
        .collect();
    let script = async {
        arrivals.refuses(BUSY).await;
        let mut peer = arrivals.opens().await;
        let mut heard = Vec::new();
        for _ in 0..20 {
            heard.push(String::from_utf8(peer.hears().await.payload).expect("a text"));
        }
        heard.sort_by_key(|number| number.parse::<u32>().expect("a number"));
        peer.says("enough").await;
        (heard, peer)
    };
    let (received, (heard, _peer)) = tokio::join!(feed.recv(), script);
    assert_eq!(text(received), "enough");
    assert_eq!(heard, (0..20).map(|number: u32| number.to_string()).collect::<Vec<_>>());
    for task in tasks {
        task.await.expect("no panic").expect("it was sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_over_many_losses_send_nothing_twice() {
    let (builder, mut arrivals) = lab_with(256);
    let none = Duration::ZERO;
    let mut feed = builder.backoff(none, none).build();
    // Each connection hears some messages, and goes without a word.
    let (heard, mut hearings) = unbounded_channel();
    let serving = tokio::spawn(async move {
        for connection in 0_u32.. {
            let mut peer = arrivals.opens().await;
            let heard = heard.clone();
            tokio::spawn(async move {
                for _ in 0..connection * 7 % 13 + 1 {
                    let Some(frame) = peer.hears_or_end().await else { return };
                    heard.send(String::from_utf8(frame.payload).expect("a text")).ok();
                }
            });
        }
    });
    let senders: Vec<_> = (0..4)
        .map(|task| {
            let sender = feed.sender();
            tokio::spawn(async move {
                for number in 0..100 {
                    match sender.send(format!("{task}.{number}")).await {
                        Ok(()) | Err(ReconnectSendError::Lost(_)) => {}
                        other => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    let stopping = feed.sender();
    let all = async {
        for sender in senders {
            sender.await.expect("no panic");
        }
        stopping.stop();
    };
    let received = until(async { tokio::join!(feed.recv(), all).0 }).await;
    assert_eq!(received.expect("it was stopped"), None);
    serving.abort();
    let mut once = std::collections::HashSet::new();
    while let Ok(message) = hearings.try_recv() {
        assert!(once.insert(message.clone()), "{message} was heard twice");
    }
    assert!(!once.is_empty(), "some are heard");
}
