//! A server over byte streams that it did not accept itself: the same opening, plain HTTP, handlers and shutdown as over
//! TCP, in a future that belongs to the caller.

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use duplexer::{Addresses, Bytes, Origins, Request, Server, WebSocket, http};
use futures_util::FutureExt;
use support::{Frame, Peer, REQUEST, Role, until};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};
use tower_service::Service;

/// More than any test here takes.
const LONG: Duration = Duration::from_secs(60);

/// Echoes what it receives.
async fn echo<S>(mut socket: WebSocket, _: Request<S>) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A pipe, with a client at its other end that has said nothing yet.
fn pipe() -> (DuplexStream, Peer<DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    (ours, Peer::new(theirs, Role::Client, LONG))
}

/// A client of an echo server, served by a task of its own, that has sent this.
async fn served(server: &Server, bytes: impl AsRef<[u8]>) -> Peer<DuplexStream> {
    let (ours, mut peer) = pipe();
    let server = server.clone();
    tokio::spawn(async move { server.serve_over(ours, Addresses::default(), echo).await });
    peer.sends_bytes(bytes).await;
    peer
}

/// The same with an open connection.
async fn opened(server: &Server) -> Peer<DuplexStream> {
    let mut peer = served(server, format!("{REQUEST}\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    peer
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_served_to_its_end() {
    let (ours, mut peer) = pipe();
    let server = Server::default();
    let serving = server.serve_over(ours, Addresses::default(), echo);
    let talking = async {
        let early = peer.frame(0x81, "early");
        peer.sends_bytes([REQUEST.as_bytes(), b"\r\n", &early].concat()).await;
        assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
        assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
        peer.says("hello").await;
        assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
        peer.closes(1000, "").await;
        assert_eq!(peer.hears().await, Frame::close(1000, ""));
        peer.hears_end().await;
    };
    tokio::join!(until(serving), talking);
}

#[tokio::test(start_paused = true)]
async fn behind_a_101_that_has_begun_no_other_answer_stands() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    // A client that takes a few bytes of its answer in the time that an opening has.
    let (ours, mut theirs) = tokio::io::duplex(10);
    let server = Server::default();
    let serving = tokio::spawn(async move {
        server.serve_over(ours, Addresses::default(), echo).await;
    });
    theirs.write_all(format!("{REQUEST}\r\n").as_bytes()).await.expect("it reads");
    // The deadline has passed, and what is said to who is refused would still be on its way.
    tokio::time::sleep(duplexer::Limits::default().open_timeout + Duration::from_secs(1)).await;
    let mut heard = String::new();
    theirs.read_to_string(&mut heard).await.expect("text");
    assert_eq!(heard, "HTTP/1.1 1");
    until(serving).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_is_always_busy_is_dropped_after_the_grace() {
    let (asked, mut asks) = mpsc::unbounded_channel();
    let server = Server::builder()
        .authorize(move |_: Request| {
            asked.send(()).expect("the test runs");
            // Uses up what tokio lets one poll do.
            std::future::poll_fn(|cx| {
                while let Poll::Ready(progress) = tokio::task::coop::poll_proceed(cx) {
                    progress.made_progress();
                }
                Poll::<Result<(), duplexer::Rejection>>::Pending
            })
        })
        .build();
    let (ours, mut peer) = pipe();
    let of = server.clone();
    tokio::spawn(async move { of.serve_over(ours, Addresses::default(), echo).await });
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    asks.recv().await.expect("it is asked");
    // Time stands still while somebody is busy.
    let shutdown = server.shutdown(Duration::ZERO);
    let busy = std::time::Instant::now();
    let shutdown = async {
        tokio::pin!(shutdown);
        std::future::poll_fn(|cx| {
            assert!(busy.elapsed() < LONG, "nobody heeds the shutdown");
            cx.waker().wake_by_ref();
            shutdown.as_mut().poll(cx)
        })
        .await;
    };
    shutdown.await;
}

#[tokio::test(start_paused = true)]
async fn the_servers_settings_count() {
    let server = Server::builder().subprotocols(["chat"]).build();
    let offer = "Sec-WebSocket-Protocol: chat\r\n";
    let mut peer = served(&server, format!("{REQUEST}{offer}\r\n")).await;
    let head = peer.hears_head().await.to_ascii_lowercase();
    assert!(head.contains("\r\nsec-websocket-protocol: chat\r\n"), "{head}");
    let mut peer = served(&server, format!("{REQUEST}Origin: http://evil.example\r\n\r\n")).await;
    assert!(peer.hears_response().await.0.starts_with("HTTP/1.1 403 "));
    peer.hears_end().await;
    let mut silent = served(&server, "").await;
    let began = Instant::now();
    assert!(silent.hears_response().await.0.starts_with("HTTP/1.1 408 "));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn addresses_are_those_that_were_told() {
    let (peer_address, local): (SocketAddr, SocketAddr) =
        (([192, 0, 2, 1], 4711).into(), ([127, 0, 0, 1], 80).into());
    let mut known = Addresses::default();
    known.peer = Some(peer_address);
    known.local = Some(local);
    for (addresses, seen) in
        [(known, (Some(peer_address), Some(local))), (Addresses::default(), (None, None))]
    {
        let (ours, mut peer) = pipe();
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = Server::default();
        let handler = move |_: WebSocket, request: Request| async move {
            tell.send((request.peer(), request.local())).expect("the test listens");
        };
        peer.sends_bytes(format!("{REQUEST}\r\n")).await;
        let closing = async {
            peer.hears_head().await;
            peer.hears_close(1000).await;
        };
        tokio::join!(until(server.serve_over(ours, addresses, handler)), closing);
        assert_eq!(told.recv().await, Some(seen));
    }
}

#[tokio::test(start_paused = true)]
async fn a_loopback_address_that_was_told_wants_a_loopback_name() {
    // DNS rebinding: a page of a name that leads here has the same host as its request.
    let request = REQUEST.replace("Host: localhost", "Host: rebound.example");
    let request = format!("{request}Origin: http://rebound.example\r\n\r\n");
    let mut loopback = Addresses::default();
    loopback.local = Some(([127, 0, 0, 1], 80).into());
    let (elsewhere, any) = (Addresses::default(), Origins::any());
    for (addresses, origins, status) in [
        (loopback, Origins::same_host(), "403"),
        (elsewhere, Origins::same_host(), "101"),
        (loopback, any, "101"),
    ] {
        let (ours, mut peer) = pipe();
        let server = Server::builder().origins(origins).build();
        tokio::spawn(async move { server.serve_over(ours, addresses, echo).await });
        peer.sends_bytes(&request).await;
        let head = peer.hears_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}

/// Answers every request with 404 and its path.
#[derive(Clone)]
struct NotHere;

impl Service<http::Request<hyper::body::Incoming>> for NotHere {
    type Response = http::Response<http_body_util::Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<hyper::body::Incoming>) -> Self::Future {
        let text = request.uri().path().to_owned();
        let mut response = http::Response::new(text.into());
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        ready(Ok(response))
    }
}

const PLAIN: &str = "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn plain_http_is_426_or_the_services() {
    let mut peer = served(&Server::default(), PLAIN).await;
    assert!(peer.hears_response().await.0.starts_with("HTTP/1.1 426 "));
    peer.hears_end().await;
    let mut peer = served(&Server::builder().http(NotHere).build(), PLAIN).await;
    let (head, text) = peer.hears_response().await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert_eq!(text, "/page");
    // A later request goes to the handler.
    let early = peer.frame(0x81, "early");
    peer.sends_bytes([REQUEST.as_bytes(), b"\r\n", &early].concat()).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_it_with_1001_and_nothing_begins_afterwards() {
    let server = Server::builder().http(NotHere).build();
    let mut peer = opened(&server).await;
    let mut plain = served(&server, PLAIN).await;
    plain.hears_response().await;
    let mut upgraded = served(&server, PLAIN).await;
    upgraded.hears_response().await;
    upgraded.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(upgraded.hears_head().await.starts_with("HTTP/1.1 101 "));
    let ends = async {
        peer.hears_close(1001).await;
        upgraded.hears_close(1001).await;
        plain.hears_end().await;
    };
    tokio::join!(until(server.shutdown(LONG)), ends);
    let (ours, mut late) = pipe();
    until(server.serve_over(ours, Addresses::default(), echo)).await;
    late.hears_end().await;
}

#[tokio::test(start_paused = true)]
async fn what_has_not_ended_after_the_grace_is_dropped() {
    let (ours, mut peer) = pipe();
    let server = Server::default();
    let serving = {
        let server = server.clone();
        tokio::spawn(async move {
            let stay = |_socket: WebSocket, _| std::future::pending::<()>();
            server.serve_over(ours, Addresses::default(), stay).await;
        })
    };
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    peer.hears_head().await;
    let began = Instant::now();
    server.shutdown(Duration::from_secs(3)).await;
    assert_eq!(began.elapsed().as_secs(), 3);
    until(serving).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn dropping_it_ends_the_connection_at_once() {
    for after_plain_http in [false, true] {
        let (ours, mut peer) = pipe();
        let server = Server::builder().http(NotHere).build();
        let mut serving = Box::pin(server.serve_over(ours, Addresses::default(), echo));
        let talking = async {
            if after_plain_http {
                peer.sends_bytes(PLAIN).await;
                peer.hears_response().await;
            }
            peer.sends_bytes(format!("{REQUEST}\r\n")).await;
            peer.hears_head().await;
            peer.says("hello").await;
            assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
        };
        tokio::select! {
            () = &mut serving => unreachable!("nobody closes"),
            () = talking => {}
        }
        drop(serving);
        peer.hears_end().await;
        // Nothing is left to wait for.
        assert!(server.shutdown(LONG).now_or_never().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn the_task_that_polls_it_may_change() {
    let (ours, mut peer) = pipe();
    let server = Server::default();
    let serving = {
        let server = server.clone();
        let mut serving =
            Box::pin(async move { server.serve_over(ours, Addresses::default(), echo).await });
        peer.sends_bytes(format!("{REQUEST}\r\n")).await;
        // Polled once by nobody, who cannot be woken.
        while peer.hears_head().now_or_never().is_none() {
            assert!((&mut serving).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        tokio::spawn(serving)
    };
    tokio::task::yield_now().await;
    tokio::join!(until(server.shutdown(LONG)), peer.hears_close(1001));
    until(serving).await.expect("no panic");
}
