//! Handlers and the server that runs them: how a handler's end closes its connection, and how the server's end closes all.
//! The clients are raw TCP.

mod support;

use std::io;
use std::sync::Arc;

use duplexer::{CloseCode, End, RecvError, Request, SendError, Server, WebSocket};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use support::{Frame, dial, host, open, until};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Duration, Instant};

/// More than any test here takes.
const LONG: Duration = Duration::from_secs(60);

/// Where a handler puts something for the test.
fn channel<T>() -> (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>) {
    mpsc::unbounded_channel()
}

#[tokio::test]
async fn a_handler_that_returns_closes_with_1000() {
    let address = host(&Server::default(), |_: WebSocket, _| async {}).await;
    open(address).await.hears_close(1000).await;
}

#[tokio::test]
async fn a_handler_that_drops_its_socket_closes_with_1000_and_goes_on() {
    let (done, mut dones) = channel();
    let go_on = Arc::new(Notify::new());
    let wait = go_on.clone();
    let address = host(&Server::default(), move |socket: WebSocket, _| {
        let (done, wait) = (done.clone(), wait.clone());
        async move {
            drop(socket);
            wait.notified().await;
            done.send("went on").expect("the test listens");
        }
    })
    .await;
    open(address).await.hears_close(1000).await;
    go_on.notify_one();
    assert_eq!(until(dones.recv()).await, Some("went on"));
}

#[tokio::test]
async fn a_handler_that_fails_closes_with_1011_behind_what_it_has_sent() {
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        socket.send("so far so good").await.expect("it is open");
        Err(io::Error::other("a secret"))
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "so far so good"));
    assert_eq!(peer.hears().await, Frame::close(1011, "internal error"));
}

#[tokio::test]
async fn a_handler_that_panics_closes_with_1011_and_disturbs_nobody() {
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        while let Some(message) = socket.recv().await.expect("no violation") {
            assert_ne!(message.as_text(), Some("panic"), "as asked");
            socket.send(message).await.expect("it is open");
        }
    })
    .await;
    let (mut one, mut other) = (open(address).await, open(address).await);
    one.says("panic").await;
    one.hears_close(1011).await;
    other.says("still there?").await;
    assert_eq!(other.hears().await, Frame::new(0x81, "still there?"));
}

#[tokio::test]
async fn a_handler_that_panics_before_its_first_wait_closes_with_1011() {
    // The function itself, not the future that it returns.
    fn handler(_: WebSocket, request: Request) -> std::future::Ready<()> {
        assert_eq!(request.path(), "/elsewhere", "as asked");
        std::future::ready(())
    }
    let address = host(&Server::default(), handler).await;
    open(address).await.hears_close(1011).await;
}

#[tokio::test]
async fn a_handlers_own_close_is_the_one_that_is_sent() {
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        socket.close(4003.into(), "full").await.expect("may be sent");
        Err(io::Error::other("too late to matter"))
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await, Frame::close(4003, "full"));
    peer.closes(4003, "").await;
    peer.hears_end().await;
}

#[tokio::test]
async fn a_handler_that_aborts_goes_on() {
    let (done, mut dones) = channel();
    let go_on = Arc::new(Notify::new());
    let wait = go_on.clone();
    let address = host(&Server::default(), move |mut socket: WebSocket, _| {
        let (done, wait) = (done.clone(), wait.clone());
        async move {
            socket.abort();
            wait.notified().await;
            done.send(socket.close_info()).expect("the test listens");
        }
    })
    .await;
    open(address).await.hears_end().await;
    go_on.notify_one();
    let info = until(dones.recv()).await.flatten().expect("it went on");
    assert_eq!((info.initiator, info.reason.code()), (End::Local, CloseCode::ABNORMAL));
}

#[tokio::test]
async fn a_handler_sees_the_end_of_its_connection_and_may_do_more() {
    let (done, mut dones) = channel();
    let go_on = Arc::new(Notify::new());
    let wait = go_on.clone();
    let address = host(&Server::default(), move |mut socket: WebSocket, _| {
        let (done, wait) = (done.clone(), wait.clone());
        async move {
            assert_eq!(socket.recv().await.expect("a clean end"), None);
            wait.notified().await;
            done.send(()).expect("the test listens");
        }
    })
    .await;
    let mut peer = open(address).await;
    peer.closes(1000, "").await;
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.hears_end().await;
    go_on.notify_one();
    assert_eq!(until(dones.recv()).await, Some(()));
}

#[tokio::test]
async fn a_socket_given_to_another_task_lives_on_and_is_closed_when_dropped() {
    let (sockets, mut given) = channel();
    let address = host(&Server::default(), move |socket: WebSocket, _| {
        let sockets = sockets.clone();
        async move { sockets.send(socket).expect("the test listens") }
    })
    .await;
    let mut peer = open(address).await;
    let mut socket = until(given.recv()).await.expect("a socket");
    for _ in 0..3 {
        peer.says("over there?").await;
        peer.sends(0x89, "alive?").await;
        let message = until(socket.recv()).await.expect("open").expect("a message");
        until(socket.send(message)).await.expect("it is open");
        let ping = tokio::join!(until(socket.ping()), async {
            let heard = [peer.hears().await, peer.hears().await, peer.hears().await];
            let ping = heard.iter().find(|frame| frame.first == 0x89).expect("a ping");
            peer.sends(0x8a, &ping.payload).await;
            heard
        });
        assert!(ping.0.is_ok());
        for frame in [Frame::new(0x81, "over there?"), Frame::new(0x8a, "alive?")] {
            assert!(ping.1.contains(&frame), "{frame:?}");
        }
    }
    drop(socket);
    peer.hears_close(1000).await;
}

#[tokio::test]
async fn a_handler_that_fails_does_not_let_its_socket_live_on() {
    let (sockets, mut given) = channel();
    let address = host(&Server::default(), move |socket: WebSocket, _| {
        let sockets = sockets.clone();
        async move {
            sockets.send(socket).expect("the test listens");
            Err(io::Error::other("after giving it away"))
        }
    })
    .await;
    let mut peer = open(address).await;
    let mut socket = until(given.recv()).await.expect("a socket");
    peer.hears_close(1011).await;
    assert!(matches!(until(socket.send("late")).await, Err(SendError::Closed(_))));
}

#[tokio::test]
async fn shutdown_closes_everyone_with_1001_idle_handlers_included() {
    let server = Server::default();
    let address = host(&server, |mut socket: WebSocket, _| async move {
        let end = socket.recv().await;
        assert_eq!(end.expect("a clean end"), None);
    })
    .await;
    let mut peers = [open(address).await, open(address).await, open(address).await];
    peers[0].says("this one has spoken").await;
    let closed = async {
        for peer in &mut peers[1..] {
            peer.hears_close(1001).await;
        }
        // This one's handler had returned.
        assert!(matches!(peers[0].hears().await.close_code(), Some(1000 | 1001)));
        peers[0].ends().await;
        while peers[0].hears_or_end().await.is_some() {}
    };
    tokio::join!(until(server.shutdown(LONG)), closed);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[test]
fn handlers_may_shut_the_server_down_themselves_and_at_the_same_time() {
    // Both have just used their sockets; each then closes the other's, and waits for its own end, which the grace brings.
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build();
    let runtime = threads.expect("there are threads");
    let (tell, told) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let server = Server::default();
        let (both, stopping) = (Arc::new(std::sync::Barrier::new(2)), server.clone());
        let address = host(&server, move |mut socket: WebSocket, _| {
            let (both, stopping) = (both.clone(), stopping.clone());
            async move {
                let message = socket.recv().await.expect("open").expect("a message");
                both.wait();
                socket.send(message).await.expect("it is open");
                stopping.shutdown(Duration::from_millis(50)).await;
            }
        })
        .await;
        let (mut one, mut other) = (open(address).await, open(address).await);
        one.says("stop").await;
        other.says("stop").await;
        for peer in [&mut one, &mut other] {
            assert_eq!(peer.hears().await, Frame::new(0x81, "stop"));
            peer.hears_close(1001).await;
        }
        server.shutdown(LONG).await;
        tell.send(()).expect("the test listens");
    });
    let ended = told.recv_timeout(Duration::from_secs(10));
    runtime.shutdown_background();
    ended.expect("nobody waits for the other for ever");
}

#[tokio::test]
async fn shutdown_lets_a_handler_finish_its_work() {
    let server = Server::default();
    let (done, mut dones) = channel();
    let go_on = Arc::new(Notify::new());
    let wait = go_on.clone();
    let address = host(&server, move |mut socket: WebSocket, _| {
        let (done, wait) = (done.clone(), wait.clone());
        async move {
            while let Ok(Some(_)) = socket.recv().await {}
            wait.notified().await;
            done.send(()).expect("the test listens");
        }
    })
    .await;
    let mut peer = open(address).await;
    let then = async {
        peer.hears_close(1001).await;
        go_on.notify_one();
    };
    tokio::join!(until(server.shutdown(LONG)), then);
    assert_eq!(dones.try_recv(), Ok(()));
}

#[tokio::test]
async fn handlers_that_never_finish_are_dropped_after_the_grace() {
    // One never looks at its socket, and its peer never answers; one ignores a peer that has gone long ago; one spins.
    let server = Server::default();
    let (started, mut starts) = channel();
    let address = host(&server, move |mut socket: WebSocket, request: Request| {
        let started = started.clone();
        async move {
            let tell = Telling(started);
            match request.query() {
                Some("gone") => {
                    let _ = socket.recv().await;
                    tell.0.send("started").expect("the test listens");
                    std::future::pending::<()>().await;
                }
                Some("spin") => {
                    tell.0.send("started").expect("the test listens");
                    loop {
                        tokio::task::yield_now().await;
                    }
                }
                _ => {
                    tell.0.send("started").expect("the test listens");
                    std::future::pending::<()>().await;
                }
            }
        }
    })
    .await;
    let mut peers = Vec::new();
    for query in ["gone", "spin", "idle"] {
        let mut peer = dial(address).await;
        peer.sends_bytes(format!("{}\r\n", support::REQUEST.replace("room=1", query))).await;
        assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
        if query == "gone" {
            peer.closes(1000, "").await;
            assert_eq!(peer.hears().await, Frame::close(1000, ""));
            peer.hears_end().await;
        }
        assert_eq!(until(starts.recv()).await, Some("started"));
        peers.push(peer);
    }
    let began = Instant::now();
    until(server.shutdown(Duration::from_millis(200))).await;
    assert!(began.elapsed() >= Duration::from_millis(200));
    for _ in &peers {
        assert_eq!(starts.try_recv(), Ok("dropped"));
    }
    for peer in &mut peers[1..] {
        assert_eq!(peer.hears().await.close_code(), Some(1001));
        peer.hears_end().await;
    }
}

/// Tells when it is dropped.
struct Telling(mpsc::UnboundedSender<&'static str>);

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[tokio::test]
async fn shutdown_reaches_a_socket_that_another_task_waits_on() {
    let server = Server::default();
    let (ends, mut ended) = channel();
    let address = host(&server, move |mut socket: WebSocket, _| {
        let ends = ends.clone();
        async move {
            tokio::spawn(async move {
                socket.send("moved").await.expect("it is open");
                ends.send(socket.recv().await).expect("the test listens");
            });
        }
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "moved"));
    tokio::join!(until(server.shutdown(LONG)), peer.hears_close(1001));
    assert!(matches!(until(ended.recv()).await, Some(Ok(None))));
}

#[tokio::test]
async fn shutdown_reaches_a_handler_that_is_polled_by_wakers_of_its_own() {
    // `FuturesUnordered` polls a future only when that future's own waker was woken.
    let server = Server::default();
    let address = host(&server, |mut socket: WebSocket, _| async move {
        socket.send("ready").await.expect("it is open");
        let mut futures = FuturesUnordered::new();
        futures.push(async move { socket.recv().await });
        assert!(matches!(futures.next().await, Some(Ok(None))));
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "ready"));
    tokio::join!(until(server.shutdown(LONG)), peer.hears_close(1001));
}

#[tokio::test]
async fn shutdown_ends_openings_and_waits_for_none_of_them_beyond_the_grace() {
    let server = Server::default();
    let address = host(&server, |_: WebSocket, _| async {}).await;
    let mut peer = dial(address).await;
    peer.sends_bytes("GET / HTTP/1.1\r\nHost: ").await;
    // A second connection, opened and closed, shows that the first was accepted.
    open(address).await.hears_close(1000).await;
    until(server.shutdown(Duration::from_millis(50))).await;
    assert!(!peer.reads_more().await);
}

#[tokio::test]
async fn a_refusal_that_nobody_reads_does_not_outlast_the_grace() {
    let server = Server::default();
    let address = host(&server, |_: WebSocket, _| async {}).await;
    let mut peer = dial(address).await;
    peer.sends_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(peer.hears_response().await.0.starts_with("HTTP/1.1 426 "));
    // The peer stays, which would keep the refusal for 2 s.
    let began = Instant::now();
    until(server.shutdown(Duration::from_millis(50))).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_shutdown_that_is_given_up_goes_on_closing_and_the_next_counts_its_own_grace() {
    let server = Server::default();
    let (started, mut starts) = channel();
    let address = host(&server, move |socket: WebSocket, _| {
        let tell = Telling(started.clone());
        async move {
            let _both = (socket, tell);
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut peer = open(address).await;
    assert!(tokio::time::timeout(Duration::ZERO, server.shutdown(LONG)).await.is_err());
    // Nobody waits, and still it is closed; its handler stays.
    peer.hears_close(1001).await;
    assert!(starts.try_recv().is_err(), "the handler was not dropped");
    until(server.shutdown(Duration::from_millis(50))).await;
    assert_eq!(starts.try_recv(), Ok("dropped"));
}

#[tokio::test]
async fn a_dropped_serve_leaves_the_connections_that_it_has_accepted() {
    let server = Server::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut serving = Box::pin(server.serve(listener, |mut socket: WebSocket, _| async move {
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.expect("it is open");
        }
    }));
    let mut peer = tokio::select! {
        _ = &mut serving => unreachable!("nobody shuts it down"),
        peer = open(address) => peer,
    };
    drop(serving);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
    peer.says("still there?").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "still there?"));
    tokio::join!(until(server.shutdown(LONG)), peer.hears_close(1001));
}

#[tokio::test]
async fn a_server_without_connections_shuts_down_at_once() {
    let server = Server::default();
    let (served, ends) = oneshot::channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let serving = server.clone();
    tokio::spawn(async move {
        let ended = serving.serve(listener, |_: WebSocket, _| async {}).await;
        served.send(ended).expect("the test listens");
    });
    tokio::task::yield_now().await;
    until(server.shutdown(LONG)).await;
    assert!(until(ends).await.expect("it has returned").is_ok());
}

#[tokio::test]
async fn a_peer_that_vanishes_is_the_handlers_error_and_nobody_elses() {
    let (ends, mut ended) = channel();
    let address = host(&Server::default(), move |mut socket: WebSocket, _| {
        let ends = ends.clone();
        async move { ends.send(socket.recv().await).expect("the test listens") }
    })
    .await;
    drop(open(address).await);
    let end = until(ended.recv()).await.expect("it has ended");
    assert!(matches!(end, Err(RecvError::EndOfStream | RecvError::Io(_))), "{end:?}");
}
