//! The socket and its halves as `Stream` and `Sink`.

mod support;

use duplexer::{Message, RecvError, SendError};
use futures_util::{FutureExt, SinkExt, StreamExt};
use support::{Frame, client, client_with, until};

#[tokio::test(start_paused = true)]
async fn a_stream_gives_messages_and_ends_with_a_clean_close() {
    let (mut socket, mut peer) = client().await;
    for text in ["one", "two"] {
        peer.says(text).await;
    }
    peer.closes(1000, "").await;
    peer.ends().await;
    let messages: Vec<_> = socket.by_ref().map(|message| message.expect("open")).collect().await;
    assert_eq!(messages, ["one".into(), "two".into()]);
    assert!(socket.next().await.is_none(), "and stays ended");
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_why_it_ended_otherwise() {
    let (socket, mut peer) = client().await;
    let (_sender, mut receiver) = socket.split();
    peer.says("one").await;
    peer.ends().await;
    assert_eq!(receiver.next().await.expect("not ended").expect("open"), Message::from("one"));
    assert!(matches!(receiver.next().await, Some(Err(RecvError::EndOfStream))));
}

#[tokio::test(start_paused = true)]
async fn a_sink_feeds_flushes_and_sends() {
    let (mut socket, mut peer) = client().await;
    SinkExt::feed(&mut socket, "one".into()).await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), None);
    SinkExt::flush(&mut socket).await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x81, "one")));
    let (mut sender, _receiver) = socket.split();
    SinkExt::send(&mut sender, "two".into()).await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x81, "two")));
}

#[tokio::test(start_paused = true)]
async fn a_sink_waits_for_a_peer_that_reads_slowly() {
    let (socket, mut peer) = client_with(&duplexer::Client::default(), "", 1024).await;
    let (mut sender, _receiver) = socket.split();
    let messages = (0..100u8).map(|n| Ok(Message::from(vec![n; 5000])));
    let mut messages = futures_util::stream::iter(messages);
    let reading = async {
        for n in 0..100 {
            assert_eq!(peer.hears().await, Frame::new(0x82, [n; 5000]));
        }
    };
    let (sent, ()) = tokio::join!(sender.send_all(&mut messages), reading);
    sent.expect("it is open");
}

#[tokio::test(start_paused = true)]
async fn closing_a_sink_closes_with_1000() {
    let (mut socket, mut peer) = client().await;
    SinkExt::feed(&mut socket, "queued".into()).await.expect("it is open");
    let answering = async {
        assert_eq!(peer.hears().await, Frame::new(0x81, "queued"));
        peer.hears_close(1000).await;
        peer.ends().await;
    };
    let (closed, ()) = tokio::join!(SinkExt::close(&mut socket), answering);
    closed.expect("it closes");
    assert!(matches!(SinkExt::send(&mut socket, "late".into()).await, Err(SendError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn stream_and_sink_can_be_forwarded() {
    let (socket, mut peer) = client().await;
    let (sender, receiver) = socket.split();
    let echo = tokio::spawn(receiver.map(|message| Ok(message.expect("open"))).forward(sender));
    for n in 0..10 {
        peer.says(&n.to_string()).await;
        assert_eq!(peer.hears().await, Frame::new(0x81, n.to_string()));
    }
    peer.closes(1000, "").await;
    peer.ends().await;
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    until(echo).await.expect("no panic").expect("a clean end");
}
