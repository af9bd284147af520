//! How a connection ends (RFC 6455 §7) as the user of one end sees it: who closed, with what, cleanly or not, and what
//! becomes of waiting messages. Ends that a server brings about are in `hosting.rs`.

mod support;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use duplexer::{Client, CloseCode, CloseReasonError, End, Limits, RecvError, SendError, WebSocket};
use futures_util::FutureExt;
use support::{Frame, client, client_over, client_with, dial, host, open, until};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Duration, Instant};

/// Who began, with what code and reason the connection ended, and whether both ends sent a Close.
fn ended(socket: &WebSocket) -> (End, u16, String, bool) {
    let info = socket.close_info().expect("it has ended");
    (info.initiator, info.reason.code().as_u16(), info.reason.text().to_owned(), info.clean)
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_the_answer_and_the_end_of_the_transport() {
    // RFC 6455 §7.1.1: a client waits for the server to close the transport first.
    let (mut socket, mut peer) = client().await;
    assert!(socket.is_open());
    assert_eq!(socket.close_info(), None);
    {
        let mut closing = std::pin::pin!(socket.close(CloseCode::NORMAL, "done"));
        assert_eq!(closing.as_mut().now_or_never(), None);
        assert_eq!(peer.hears().await, Frame::close(1000, "done"));
        peer.closes(1000, "bye").await;
        assert_eq!(closing.as_mut().now_or_never(), None, "the transport has not ended");
        peer.ends().await;
        assert_eq!(closing.await, Ok(()));
    }
    peer.hears_end().await;
    assert!(!socket.is_open());
    assert_eq!(ended(&socket), (End::Local, 1000, "bye".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn close_is_idempotent() {
    let (mut socket, mut peer) = client().await;
    let answered = async {
        assert_eq!(peer.hears().await, Frame::close(4000, "first"));
        peer.closes(4000, "").await;
        peer.ends().await;
        peer.hears_end().await;
    };
    let (closed, ()) = tokio::join!(socket.close(4000.into(), "first"), answered);
    assert_eq!(closed, Ok(()));
    for _ in 0..2 {
        assert_eq!(socket.close(4001.into(), "again").await, Ok(()));
        assert_eq!(ended(&socket), (End::Local, 4000, String::new(), true));
    }
}

#[tokio::test(start_paused = true)]
async fn close_is_bounded_by_close_timeout() {
    let (mut socket, mut peer) = client().await;
    let began = Instant::now();
    assert_eq!(socket.close(CloseCode::NORMAL, "").await, Ok(()));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.hears_end().await;
    // RFC 6455 §7.1.5: no Close was received, so the connection's code is 1006.
    assert_eq!(ended(&socket), (End::Local, 1006, String::new(), false));
    assert!(matches!(socket.recv().await, Err(RecvError::CloseOverdue)));
}

#[tokio::test(start_paused = true)]
async fn close_is_bounded_when_the_peer_reads_nothing() {
    let (mut socket, _peer) = client_with(&Client::default(), "", 1024).await;
    assert!(socket.try_send(vec![0; 100_000]).is_ok());
    let began = Instant::now();
    assert_eq!(socket.close(CloseCode::NORMAL, "").await, Ok(()));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(ended(&socket), (End::Local, 1006, String::new(), false));
}

#[tokio::test(start_paused = true)]
async fn close_timeout_is_a_setting() {
    let mut limits = Limits::default();
    limits.close_timeout = Duration::from_millis(300);
    let settings = Client::builder().limits(limits).build();
    let (mut socket, _peer) = client_with(&settings, "", 1024).await;
    let began = Instant::now();
    assert_eq!(socket.close(CloseCode::NORMAL, "").await, Ok(()));
    assert_eq!(began.elapsed(), Duration::from_millis(300));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_on_does_not_prolong_the_close() {
    let (mut socket, mut peer) = client().await;
    let talk = async {
        loop {
            peer.says("and another thing").await;
            peer.sends(0x89, "ping").await;
            tokio::time::sleep(Duration::from_millis(70)).await;
        }
    };
    let began = Instant::now();
    tokio::select! {
        closed = socket.close(CloseCode::NORMAL, "") => assert_eq!(closed, Ok(())),
        () = talk => {}
    }
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn close_refuses_what_may_not_be_sent_and_does_nothing() {
    // RFC 6455 §7.4.1, and §5.5: a control frame has at most 125 bytes.
    let (mut socket, mut peer) = client().await;
    let code = CloseCode::ABNORMAL;
    let refused = socket.close(code, "").await;
    assert_eq!(refused, Err(CloseReasonError::CodeNotForWire { code }));
    let refused = socket.close(CloseCode::NORMAL, &"x".repeat(124)).await;
    assert_eq!(refused, Err(CloseReasonError::ReasonTooLong { len: 124 }));
    assert!(socket.is_open());
    socket.send("still here").await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "still here"));
}

#[tokio::test(start_paused = true)]
async fn messages_not_yet_received_are_discarded_by_close() {
    let (mut socket, mut peer) = client().await;
    peer.says("unread").await;
    peer.sends(0x01, "unfinished").await;
    let answered = async {
        assert_eq!(peer.hears().await, Frame::close(1000, ""));
        peer.sends(0x80, "").await;
        peer.says("on its way").await;
        peer.closes(1000, "").await;
        peer.ends().await;
    };
    let (closed, ()) = tokio::join!(socket.close(CloseCode::NORMAL, ""), answered);
    assert_eq!(closed, Ok(()));
    assert_eq!(socket.recv().await.expect("a clean end"), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_queued_leaves_before_the_close() {
    let (mut socket, mut peer) = client().await;
    socket.feed("one").await.expect("it is open");
    socket.feed("two").await.expect("it is open");
    let heard = async {
        assert_eq!(peer.hears().await, Frame::new(0x81, "one"));
        assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
        peer.hears_close(1000).await;
        peer.ends().await;
    };
    let (closed, ()) = tokio::join!(socket.close(CloseCode::NORMAL, ""), heard);
    assert_eq!(closed, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_close() {
    // RFC 6455 §5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
    let (mut socket, mut peer) = client().await;
    assert_eq!(socket.close(CloseCode::NORMAL, "").now_or_never(), None);
    let Err(SendError::Closed(Some(info))) = socket.send("late").await else { panic!("refused") };
    assert_eq!((info.initiator, info.reason.code()), (End::Local, CloseCode::NORMAL));
    assert!(matches!(socket.feed("late").await, Err(SendError::Closed(_))));
    assert!(matches!(socket.ready().await, Err(SendError::Closed(_))));
    assert!(socket.try_send("late").is_err());
    assert!(socket.ping().await.is_err());
    assert!(socket.pong(b"late").is_err());
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.closes(1000, "").await;
    peer.ends().await;
    assert_eq!(socket.recv().await.expect("a clean end"), None);
    peer.hears_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_close_goes_on_with_the_next_use() {
    let (mut socket, mut peer) = client().await;
    assert_eq!(socket.close(CloseCode::NORMAL, "done").now_or_never(), None);
    peer.hears_close(1000).await;
    peer.ends().await;
    assert_eq!(socket.recv().await.expect("a clean end"), None);
    assert_eq!(ended(&socket), (End::Local, 1000, String::new(), true));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_well_is_no_error() {
    // 1000, 1001 or no code.
    for (body, code) in [(&b"\x03\xe8"[..], 1000), (b"\x03\xe9", 1001), (b"", 1005)] {
        let (mut socket, mut peer) = client().await;
        peer.says("last words").await;
        peer.sends(0x88, body).await;
        peer.ends().await;
        assert_eq!(socket.recv().await.expect("a message"), Some("last words".into()));
        assert_eq!(socket.recv().await.expect("a clean end"), None);
        assert_eq!(socket.recv().await.expect("the same again"), None);
        assert_eq!(peer.hears().await, Frame::new(0x88, body));
        peer.hears_end().await;
        assert_eq!(ended(&socket), (End::Remote, code, String::new(), true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_with_another_code_is_an_error() {
    for code in [1002, 1008, 1011, 3000, 4999] {
        let (mut socket, mut peer) = client().await;
        peer.closes(code, "no more").await;
        peer.ends().await;
        for _ in 0..2 {
            let Err(RecvError::Closed(info)) = socket.recv().await else { panic!("{code}") };
            assert_eq!(info.reason.code().as_u16(), code);
        }
        assert_eq!(peer.hears().await.close_code(), Some(code));
        assert_eq!(ended(&socket), (End::Remote, code, "no more".to_owned(), true));
        let Err(SendError::Closed(Some(info))) = socket.send("late").await else {
            panic!("{code}")
        };
        assert_eq!(info.reason.text(), "no more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_was_read_while_sending_is_answered_without_further_use() {
    // RFC 6455 §5.5.1: "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST
    // send a Close frame in response."
    let (mut socket, mut peer) = client_with(&Client::default(), "", 1024).await;
    let sent = async { socket.send(vec![0; 2000]).await.expect("it is queued and leaves") };
    let heard = async {
        peer.closes(1000, "").await;
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert_eq!(peer.hears().await.payload.len(), 2000);
        assert_eq!(peer.hears().await, Frame::close(1000, ""));
    };
    tokio::join!(sent, heard);

    let (mut socket, mut peer) = client().await;
    peer.closes(1001, "").await;
    assert!(socket.ping().await.is_err());
    let heard = [peer.hears().await, peer.hears().await];
    assert_eq!(heard[1], Frame::close(1001, ""));
    assert!(socket.close_info().is_some_and(|info| info.clean));
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_was_found_while_sending_is_told_without_further_use() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x81, b"\xff").await;
    assert!(socket.ping().await.is_err());
    assert_eq!(peer.hears().await.first, 0x89);
    assert_eq!(peer.hears().await.close_code(), Some(1007));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_is_sent_when_the_socket_is_dropped() {
    let (mut socket, mut peer) = client_with(&Client::default(), "", 1024).await;
    assert!(socket.send(vec![0; 1500]).now_or_never().is_none());
    peer.closes(1000, "").await;
    assert_eq!(socket.recv().now_or_never().map(drop), None);
    let mut heard = vec![0; 1024];
    tokio::io::AsyncReadExt::read_exact(&mut peer.io, &mut heard).await.expect("it was sent");
    drop(socket);
    heard.clear();
    tokio::io::AsyncReadExt::read_to_end(&mut peer.io, &mut heard).await.expect("it was sent");
    assert_eq!(heard.len(), 1508 - 1024 + 8, "the rest of the message and a Close");
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_close_is_ignored() {
    // RFC 6455 §5.5.1.
    let (mut socket, mut peer) = client().await;
    peer.closes(1000, "").await;
    peer.says("late").await;
    peer.sends_bytes([0xff; 64]).await;
    peer.ends().await;
    assert_eq!(socket.recv().await.expect("a clean end"), None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_transport_is_1006() {
    // RFC 6455 §7.1.5.
    let (mut socket, mut peer) = client().await;
    peer.says("last words").await;
    peer.sends(0x01, "cut sh").await;
    peer.ends().await;
    assert_eq!(socket.recv().await.expect("a message"), Some("last words".into()));
    for _ in 0..2 {
        assert!(matches!(socket.recv().await, Err(RecvError::EndOfStream)));
    }
    assert_eq!(ended(&socket), (End::Remote, 1006, String::new(), false));
    assert!(matches!(socket.send("late").await, Err(SendError::Closed(Some(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_peers_fault_is_told_to_it_and_to_the_user() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x81, b"\xff").await;
    peer.ends().await;
    assert!(matches!(socket.recv().await, Err(RecvError::Fault(_))));
    assert_eq!(peer.hears().await.close_code(), Some(1007));
    let (initiator, code, _, clean) = ended(&socket);
    assert_eq!((initiator, code, clean), (End::Local, 1007, false));
}

/// Both ends of a pipe whose one end cannot be written to any more.
struct ReadOnly(DuplexStream);

impl AsyncRead for ReadOnly {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ReadOnly {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.starts_with(b"GET ") {
            return Pin::new(&mut self.0).poll_write(cx, bytes);
        }
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn read_only_client() -> (WebSocket, support::Peer<DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(4096);
    client_over(&Client::default(), "", ReadOnly(ours), theirs).await
}

#[tokio::test(start_paused = true)]
async fn a_peers_close_counts_even_where_writing_has_failed() {
    let (mut socket, mut peer) = read_only_client().await;
    peer.says("last words").await;
    peer.closes(1011, "out of order").await;
    peer.ends().await;
    let Err(SendError::Io(error)) = socket.send("lost").await else { panic!("a broken pipe") };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(socket.recv().await.expect("a message"), Some("last words".into()));
    let Err(RecvError::Closed(info)) = socket.recv().await else { panic!("the peer's reason") };
    assert_eq!(info.reason.text(), "out of order");
}

#[tokio::test(start_paused = true)]
async fn a_failed_transport_is_told_with_its_cause() {
    let (mut socket, mut peer) = read_only_client().await;
    peer.ends().await;
    assert!(matches!(socket.send("lost").await, Err(SendError::Io(_))));
    let Err(RecvError::Io(error)) = socket.recv().await else { panic!("the cause") };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(ended(&socket), (End::Remote, 1006, String::new(), false));
}

#[tokio::test(start_paused = true)]
async fn abort_ends_at_once_and_the_peer_sees_1006() {
    let (mut socket, mut peer) = client_with(&Client::default(), "", 1024).await;
    assert!(socket.try_send(vec![0; 100_000]).is_ok());
    socket.abort();
    assert_eq!(ended(&socket), (End::Local, 1006, String::new(), false));
    assert_eq!(socket.buffered_amount(), 0);
    assert!(matches!(socket.recv().await, Err(RecvError::Aborted)));
    assert!(matches!(socket.send("late").await, Err(SendError::Closed(Some(_)))));
    assert_eq!(socket.close(CloseCode::NORMAL, "").await, Ok(()));
    while peer.reads_more().await {}
}

#[tokio::test(start_paused = true)]
async fn a_dropped_client_says_1001() {
    let (mut socket, mut peer) = client().await;
    socket.feed("queued").await.expect("it is open");
    drop(socket);
    assert_eq!(peer.hears().await, Frame::new(0x81, "queued"));
    assert_eq!(peer.hears().await, Frame::close(1001, ""));
    peer.hears_end().await;
}

#[tokio::test(start_paused = true)]
async fn halves_say_1001_when_the_last_is_dropped() {
    let (socket, mut peer) = client().await;
    let (sender, receiver) = socket.split();
    let clone = sender.clone();
    drop((sender, receiver));
    clone.send("still open").await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "still open"));
    drop(clone);
    assert_eq!(peer.hears().await, Frame::close(1001, ""));
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_says_nothing_when_dropped() {
    let (mut socket, mut peer) = client().await;
    assert_eq!(socket.close(4000.into(), "once").now_or_never(), None);
    drop(socket);
    assert_eq!(peer.hears().await, Frame::close(4000, "once"));
    peer.hears_end().await;
}

#[tokio::test(start_paused = true)]
async fn closing_wakes_the_other_half() {
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    let received = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    let answered = async {
        peer.hears_close(1000).await;
        peer.ends().await;
    };
    let (closed, ()) = tokio::join!(sender.close(CloseCode::NORMAL, ""), answered);
    assert_eq!(closed, Ok(()));
    assert_eq!(until(received).await.expect("no panic").expect("a clean end"), None);
}

#[tokio::test(start_paused = true)]
async fn abort_wakes_the_other_half() {
    let (socket, _peer) = client().await;
    let (sender, mut receiver) = socket.split();
    let received = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    sender.abort();
    assert!(matches!(until(received).await.expect("no panic"), Err(RecvError::Aborted)));
}

#[tokio::test]
async fn a_server_ends_the_transport_first() {
    // RFC 6455 §7.1.1.
    let server = duplexer::Server::default();
    let address = host(&server, |mut socket: WebSocket, _| async move {
        let _ = socket.recv().await;
    })
    .await;
    let mut peer = open(address).await;
    peer.closes(1000, "").await;
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.hears_end().await;
    let _ = dial(address).await;
}
