//! `Upgrade` behind a real hyper server, with raw clients: whom it lets in and what it answers the others, how the connection is run
//! afterwards, and how it ends.

mod support;

use std::net::SocketAddr;

use duplexer::{
    Addresses, Deflate, Limits, Origins, Rejection, Request, Server, Upgrade, UpgradeError,
    WebSocket, http,
};
use futures_util::FutureExt;
use http::header::HeaderValue;
use http::{Response, StatusCode, Version};
use hyper::body::Incoming;
use support::{
    Frame, Peer, REQUEST, Role, dial, host_hyper, open, open_with, serve_hyper, until, upgrade,
};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

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

/// Answers with the settings of a server, whose connections echo.
async fn answer<S>(server: Server<S>, mut request: http::Request<Incoming>) -> Response<String>
where
    S: Send + Sync + 'static,
{
    match Upgrade::from_request(&mut request) {
        Ok(upgrade) => server.upgrade(upgrade, echo).await,
        Err(error) => error.response(),
    }
}

/// An echo behind hyper with the settings of `server`.
async fn hosted<S: Send + Sync + 'static>(server: &Server<S>) -> SocketAddr {
    let server = server.clone();
    host_hyper(move |request| answer(server.clone(), request)).await
}

/// The same for one connection, over a pipe, whose client has sent this.
async fn piped(server: &Server, bytes: impl AsRef<[u8]>) -> Peer<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let server = server.clone();
    tokio::spawn(serve_hyper(ours, move |request| answer(server.clone(), request)));
    let mut peer = Peer::new(theirs, Role::Client, LONG);
    peer.sends_bytes(bytes).await;
    peer
}

/// What is answered to these bytes.
async fn response(address: SocketAddr, request: &str) -> (String, String) {
    let mut peer = dial(address).await;
    peer.sends_bytes(request).await;
    let (head, text) = peer.hears_response().await;
    (head.to_ascii_lowercase(), text)
}

#[tokio::test]
async fn a_connection_is_upgraded_and_echoes() {
    let address = hosted(&Server::default()).await;
    let mut peer = open(address).await;
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    peer.sends(0x89, "there?").await;
    assert_eq!(peer.hears().await, Frame::new(0x8a, "there?"));
    peer.closes(1000, "").await;
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.hears_end().await;
}

#[tokio::test]
async fn what_was_sent_behind_the_request_is_not_lost() {
    // hyper has read it already.
    let address = hosted(&Server::default()).await;
    let mut peer = dial(address).await;
    let early = peer.frame(0x81, "early");
    let (half, rest) = early.split_at(4);
    peer.sends_bytes([REQUEST.as_bytes(), b"\r\n", &early, half].concat()).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
    peer.sends_bytes(rest).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
}

#[tokio::test]
async fn over_a_stream_of_another_kind_nothing_is_lost_either() {
    let early = support::frame(Role::Client, 0x81, "early");
    let bytes = [REQUEST.as_bytes(), b"\r\n", &early].concat();
    let mut peer = piped(&Server::default(), bytes).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

#[tokio::test]
async fn a_later_request_of_a_connection_is_upgraded() {
    let address = hosted(&Server::default()).await;
    let mut peer = dial(address).await;
    let refused = REQUEST.replace("Host: localhost", "Host: other");
    peer.sends_bytes(format!("{refused}Origin: http://localhost\r\n\r\n")).await;
    assert!(peer.hears_response().await.0.starts_with("HTTP/1.1 403 "));
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

#[tokio::test]
async fn the_servers_settings_count() {
    let mut limits = Limits::default();
    limits.message_bytes_max = 10;
    let server = Server::builder()
        .limits(limits)
        .deflate(Deflate::shared())
        .subprotocols(["chat"])
        .authorize(|request: Request| async move {
            let refused = Rejection::new(StatusCode::UNAUTHORIZED, "who are you?\n")
                .header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
            request.headers().get("x-user").map(|_| 7).ok_or(refused)
        })
        .build();
    let address = hosted(&server).await;
    let (head, text) = response(address, &format!("{REQUEST}\r\n")).await;
    assert!(head.starts_with("http/1.1 401 "), "{head}");
    assert!(head.contains("\r\nwww-authenticate: basic\r\n"), "{head}");
    assert_eq!(text, "who are you?\n");
    let headers = "X-User: me\r\nSec-WebSocket-Protocol: other, chat\r\n\
                   Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut peer, head) = open_with(address, headers).await;
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nsec-websocket-protocol: chat\r\n"), "{head}");
    assert!(head.contains("\r\nsec-websocket-extensions: permessage-deflate"), "{head}");
    peer.says("0123456789").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "0123456789"));
    peer.says("0123456789+").await;
    assert_eq!(peer.hears().await.close_code(), Some(1009));
}

#[tokio::test]
async fn a_handler_sees_the_request_its_state_and_where_it_came_from() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let server = Server::builder().authorize(|_| async { Ok("state") }).build();
    let address = host_hyper(move |mut request| {
        let (server, seen) = (server.clone(), seen.clone());
        async move {
            let upgrade = Upgrade::from_request(&mut request).expect("a valid request");
            let handler = move |_: WebSocket, request: Request<&'static str>| async move {
                seen.send(request).expect("the test listens");
            };
            server.upgrade(upgrade, handler).await
        }
    })
    .await;
    let peer = open(address).await;
    let request = until(requests.recv()).await.expect("a request");
    assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
    assert_eq!(*request.state(), "state");
    // Nobody has told them.
    assert_eq!(request.peer(), Some(peer.io.local_addr().expect("it is bound")));
    assert_eq!(request.local(), Some(address));
}

#[tokio::test]
async fn without_settings_the_defaults_count() {
    let address = host_hyper(|mut request| async move {
        let upgrade = Upgrade::from_request(&mut request).expect("a valid request");
        upgrade.on_upgrade(|mut socket: WebSocket| async move { socket.send("hello").await })
    })
    .await;
    let (mut peer, head) =
        open_with(address, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    assert!(head.to_ascii_lowercase().contains("permessage-deflate"), "{head}");
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    peer.hears_close(1000).await;
    let request = format!("{REQUEST}Origin: http://evil.example\r\n\r\n");
    let (head, text) = response(address, &request).await;
    assert!(head.starts_with("http/1.1 403 "), "{head}");
    assert!(text.contains("`origins`"), "{text}");
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_has_its_connection_closed_with_1011() {
    let address = host_hyper(|request| {
        upgrade(request, |mut socket: WebSocket, _| async move {
            let message = socket.recv().await.expect("open").expect("a message");
            assert_ne!(message.as_text(), Some("panic"), "as it was told");
            Err::<(), _>("no")
        })
    })
    .await;
    for text in ["fail", "panic"] {
        let mut peer = open(address).await;
        peer.says(text).await;
        peer.hears_close(1011).await;
    }
}

#[tokio::test]
async fn a_request_that_is_none_is_refused_by_name() {
    let address = hosted(&Server::default()).await;
    let without = |name: &str| -> String {
        let lines = REQUEST.split_inclusive("\r\n");
        lines.filter(|line| !line.starts_with(name)).collect()
    };
    for (request, status, told) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n".to_owned(), "426", "`Upgrade: websocket`"),
        (REQUEST.replace("GET", "POST"), "405", "POST"),
        (REQUEST.replace("HTTP/1.1", "HTTP/1.0"), "400", "HTTP/1.0"),
        (format!("{REQUEST}Content-Length: 5\r\n"), "400", "body"),
        (format!("{REQUEST}Transfer-Encoding: chunked\r\n"), "400", "body"),
        (without("Sec-WebSocket-Key"), "400", "Sec-WebSocket-Key"),
        (REQUEST.replace("ub25jZQ==", "ub25jZQ"), "400", "Sec-WebSocket-Key"),
        (without("Sec-WebSocket-Version"), "426", "Sec-WebSocket-Version"),
        (REQUEST.replace("Version: 13", "Version: 8"), "426", "`8`"),
        (without("Connection"), "400", "`Connection: Upgrade`"),
        (without("Host"), "400", "Host"),
        (format!("{REQUEST}Origin: http://evil.example\r\n"), "403", "http://evil.example"),
    ] {
        let (head, text) = response(address, &format!("{request}\r\n")).await;
        let version = if request.contains("HTTP/1.0") { "1.0" } else { "1.1" };
        assert!(head.starts_with(&format!("http/{version} {status} ")), "{request}: {head}");
        assert!(text.contains(told), "{request}: {text}");
        let versions = head.contains("\r\nsec-websocket-version: 13\r\n");
        assert_eq!(versions, status == "426", "{request}: {head}");
        assert_eq!(head.contains("\r\nallow: get\r\n"), status == "405", "{request}: {head}");
    }
}

#[test]
fn later_versions_of_http_are_refused_clearly() {
    // RFC 8441 §4: an extended CONNECT, which this end has not offered to understand.
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let mut request = http::Request::connect("https://localhost/chat")
            .version(version)
            .header("Sec-WebSocket-Version", "13")
            .body(())
            .expect("a request");
        let error = Upgrade::from_request(&mut request).expect_err("not over this version");
        assert_eq!(error, UpgradeError::HttpVersion { version });
        let response = error.response();
        assert_eq!(response.status(), StatusCode::HTTP_VERSION_NOT_SUPPORTED);
        assert!(!response.headers().contains_key("connection"), "RFC 9113 §8.2.2");
        assert!(response.body().contains("HTTP/1.1"), "{}", response.body());
    }
}

#[test]
fn a_request_that_has_lost_its_connection_is_the_servers_fault() {
    let mut request = http::Request::get("/chat")
        .header("Host", "localhost")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13")
        .body("a body that nobody looks at")
        .expect("a request");
    request.extensions_mut().insert("kept");
    let error = Upgrade::from_request(&mut request).expect_err("no connection");
    assert_eq!(error, UpgradeError::NotUpgradable);
    assert_eq!(error.response().status(), StatusCode::INTERNAL_SERVER_ERROR);
    // The request is as it was.
    assert_eq!(request.headers().len(), 5);
    assert_eq!(request.extensions().get(), Some(&"kept"));
}

/// An echo behind hyper, of which nobody tells or somebody has told the addresses; tells of each connection that has a handler.
async fn on_loopback(origins: Origins, told: bool) -> (SocketAddr, mpsc::UnboundedReceiver<()>) {
    let server = Server::builder().origins(origins).build();
    let (begun, handlers) = mpsc::unbounded_channel();
    let mut addresses = Addresses::default();
    addresses.local = Some(([127, 0, 0, 1], 80).into());
    let address = host_hyper(move |mut request| {
        let (server, begun) = (server.clone(), begun.clone());
        if told {
            request.extensions_mut().insert(addresses);
        }
        async move {
            let upgrade = Upgrade::from_request(&mut request).expect("a valid request");
            let handler = move |socket, request| async move {
                begun.send(()).expect("the test listens");
                echo(socket, request).await;
            };
            server.upgrade(upgrade, handler).await
        }
    })
    .await;
    (address, handlers)
}

#[tokio::test]
async fn on_a_loopback_address_a_rebound_name_gets_no_handler() {
    // DNS rebinding: a page of a name that leads here has the same host as its request.
    let request = REQUEST.replace("Host: localhost", "Host: rebound.example");
    let request = format!("{request}Origin: http://rebound.example\r\n\r\n");
    let (address, mut handlers) = on_loopback(Origins::same_host(), true).await;
    let (head, text) = response(address, &request).await;
    assert!(head.starts_with("http/1.1 403 "), "{head}");
    assert!(text.contains("`origins`"), "{text}");
    assert!(handlers.try_recv().is_err());
    // Where the address is known too late for that, the connection is closed.
    let (address, mut handlers) = on_loopback(Origins::same_host(), false).await;
    let mut peer = dial(address).await;
    peer.sends_bytes([request.as_bytes(), &peer.frame(0x81, "hello")].concat()).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    peer.hears_close(1008).await;
    assert!(handlers.try_recv().is_err());
    // The setting lets it in.
    let (address, mut handlers) = on_loopback(Origins::any(), false).await;
    let mut peer = dial(address).await;
    peer.sends_bytes(&request).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    until(handlers.recv()).await.expect("a handler");
}

#[tokio::test]
async fn bounds_of_connections_count_for_upgrades_too() {
    let server = Server::builder().connections_max(1).build();
    let address = hosted(&server).await;
    let mut peer = open(address).await;
    let (head, text) = response(address, &format!("{REQUEST}\r\n")).await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert!(text.contains("`connections_max`"), "{text}");
    tokio::join!(until(server.shutdown(LONG)), peer.hears_close(1001));
    // The peer's address is known when the answer has left.
    let server = Server::builder().connections_per_address_max(1).build();
    let address = hosted(&server).await;
    let _first = open(address).await;
    open(address).await.hears_close(1013).await;
}

#[tokio::test]
async fn shutdown_closes_with_1001_and_nothing_is_accepted_afterwards() {
    let server = Server::default();
    let address = hosted(&server).await;
    let mut peer = open(address).await;
    peer.says("hello").await;
    peer.hears().await;
    tokio::join!(until(server.shutdown(LONG)), peer.hears_close(1001));
    let (head, text) = response(address, &format!("{REQUEST}\r\n")).await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert!(text.contains("shut down"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_has_not_ended_after_the_grace_is_dropped() {
    let server = Server::default();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let settings = server.clone();
    tokio::spawn(serve_hyper(ours, move |mut request| {
        let server = settings.clone();
        async move {
            let upgrade = Upgrade::from_request(&mut request).expect("a valid request");
            server.upgrade(upgrade, |_socket, _| std::future::pending::<()>()).await
        }
    }));
    let mut peer = Peer::new(theirs, Role::Client, LONG);
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    peer.hears_head().await;
    let began = Instant::now();
    server.shutdown(Duration::from_secs(3)).await;
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_does_not_come_is_408_and_shutdown_does_not_wait_for_it() {
    let server = Server::builder().authorize(|_| std::future::pending()).build();
    let undecided = |server: &Server| {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let server = server.clone();
        tokio::spawn(serve_hyper(ours, move |request| answer(server.clone(), request)));
        Peer::new(theirs, Role::Client, LONG)
    };
    let (mut first, began) = (undecided(&server), Instant::now());
    first.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(first.hears_response().await.0.starts_with("HTTP/1.1 408 "));
    assert_eq!(began.elapsed().as_secs(), 10);
    let (mut second, began) = (undecided(&server), Instant::now());
    second.sends_bytes(format!("{REQUEST}\r\n")).await;
    let answered = async {
        tokio::task::yield_now().await;
        server.shutdown(LONG).await;
        assert!(second.hears_response().await.0.starts_with("HTTP/1.1 503 "));
    };
    until(answered).await;
    assert_eq!(began.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_sent_is_not_waited_for() {
    let server = Server::default();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (accepted, mut answers) = mpsc::unbounded_channel();
    let settings = server.clone();
    tokio::spawn(serve_hyper(ours, move |mut request| {
        let (server, accepted) = (settings.clone(), accepted.clone());
        async move {
            let upgrade = Upgrade::from_request(&mut request).expect("a valid request");
            let answer = server.upgrade(upgrade, echo).await;
            accepted.send(answer).expect("the test listens");
            std::future::pending().await
        }
    }));
    let mut peer = Peer::new(theirs, Role::Client, LONG);
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    let answer = answers.recv().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    let began = Instant::now();
    server.shutdown(LONG).await;
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_keeps_its_connections_ends_the_upgrade() {
    let server = Server::default();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let settings = server.clone();
    let service = hyper::service::service_fn(move |request| {
        let server = settings.clone();
        async move { Ok::<_, std::convert::Infallible>(answer(server, request).await) }
    });
    let io = hyper_util::rt::TokioIo::new(ours);
    // Without `with_upgrades`.
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
    let mut peer = Peer::new(theirs, Role::Client, LONG);
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    peer.hears_head().await;
    peer.hears_end().await;
    assert!(server.shutdown(LONG).now_or_never().is_some(), "nothing is left to wait for");
}

#[tokio::test]
async fn an_upgrade_that_is_dropped_leaves_the_answer_to_the_service() {
    let address = host_hyper(|mut request| async move {
        drop(Upgrade::from_request(&mut request).expect("a valid request"));
        Response::new("not today\n".to_owned())
    })
    .await;
    let (head, text) = response(address, &format!("{REQUEST}\r\n")).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(text, "not today\n");
}
