//! The opening handshake of a server (RFC 6455 §4.2) with raw clients: whom it lets in, what it answers the others, plain
//! HTTP on the same port, and how long it waits.

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use duplexer::{Limits, Origins, Rejection, Request, Server, ServerBuilder, WebSocket};
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use support::{Frame, REQUEST, dial, host, open, open_with, until};
use tokio::time::{Duration, Instant};
use tower_service::Service;

/// Echoes what it receives.
async fn echo(mut socket: WebSocket, _: Request) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// What a server answers to a request with these further headers, which is not to be accepted.
async fn refusal(address: SocketAddr, headers: &str) -> (String, String) {
    let mut peer = dial(address).await;
    peer.sends_bytes(format!("{REQUEST}{headers}\r\n")).await;
    let response = peer.hears_response().await;
    peer.hears_end().await;
    response
}

/// A request with another `Host`.
async fn refusal_for_host(address: SocketAddr, host: &str, headers: &str) -> (String, String) {
    let mut peer = dial(address).await;
    let request = REQUEST.replace("Host: localhost", &format!("Host: {host}"));
    peer.sends_bytes(format!("{request}{headers}\r\n")).await;
    let response = peer.hears_response().await;
    peer.hears_end().await;
    response
}

#[tokio::test]
async fn the_answer_is_that_of_the_rfc_and_no_more() {
    // RFC 6455 §1.3.
    let address = host(&Server::default(), echo).await;
    let (_, head) = open_with(address, "").await;
    let mut lines: Vec<_> = head.trim_end().lines().map(str::to_ascii_lowercase).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "connection: upgrade",
            "http/1.1 101 switching protocols",
            "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
            "upgrade: websocket",
        ]
    );
}

#[tokio::test]
async fn a_handler_sees_the_request() {
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let address = host(&Server::default(), move |_: WebSocket, request: Request| {
        seen.send(request).expect("the test listens");
        async {}
    })
    .await;
    let (peer, _) = open_with(address, "X-Token: secret\r\nSec-WebSocket-Protocol: a, b\r\n").await;
    let request = until(requests.recv()).await.expect("a request");
    assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
    assert_eq!((request.host(), request.origin()), ("localhost", None));
    assert_eq!(request.headers()["x-token"], "secret");
    assert_eq!(request.subprotocols(), ["a", "b"]);
    assert_eq!(request.peer(), Some(peer.io.local_addr().expect("it is bound")));
    assert_eq!(request.local(), Some(address));
}

#[tokio::test]
async fn a_request_without_origin_passes() {
    // RFC 6455 §4.1, item 8: only browsers have to send one.
    let address = host(&Server::default(), echo).await;
    let mut peer = open(address).await;
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

#[tokio::test]
async fn a_page_of_the_same_host_passes_and_another_is_refused() {
    // RFC 6455 §10.2.
    let address = host(&Server::default(), echo).await;
    open_with(address, "Origin: http://localhost\r\n").await;
    open_with(address, "Origin: http://LOCALHOST:80\r\n").await;
    for origin in ["http://evil.example", "http://localhost:8080", "null", "http://localhost.evil"]
    {
        let (head, text) = refusal(address, &format!("Origin: {origin}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{origin}: {head}");
        assert!(text.contains(origin) && text.contains("`origins`"), "{text}");
    }
}

#[tokio::test]
async fn on_a_loopback_address_the_host_must_be_a_loopback_name() {
    // DNS rebinding: a page of a name that leads here has the same host as its request.
    let address = host(&Server::default(), echo).await;
    let headers = "Origin: http://rebound.example\r\n";
    let (head, text) = refusal_for_host(address, "rebound.example", headers).await;
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
    assert!(text.contains("rebound.example") && text.contains("`origins`"), "{text}");
}

#[tokio::test]
async fn origins_that_are_listed_pass_beside_the_same_host() {
    let origins = Origins::list(["https://app.example", "http://rebound.example"]);
    let server = Server::builder().origins(origins).build();
    let address = host(&server, echo).await;
    open_with(address, "Origin: https://app.example\r\n").await;
    open_with(address, "Origin: http://localhost\r\n").await;
    let mut peer = dial(address).await;
    let request = REQUEST.replace("Host: localhost", "Host: rebound.example");
    peer.sends_bytes(format!("{request}Origin: http://rebound.example\r\n\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    let (head, _) = refusal(address, "Origin: https://app.example.evil\r\n").await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[tokio::test]
async fn any_origin_passes_where_that_was_set() {
    let server = Server::builder().origins(Origins::any()).build();
    let address = host(&server, echo).await;
    open_with(address, "Origin: http://evil.example\r\n").await;
    open_with(address, "Origin: null\r\n").await;
}

#[tokio::test]
async fn the_servers_preferred_subprotocol_is_agreed_on() {
    let server = Server::builder().subprotocols(["chat.v2", "chat"]).build();
    let address = host(&server, |mut socket: WebSocket, _| async move {
        let agreed = socket.subprotocol().unwrap_or("none").to_owned();
        let _ = socket.send(agreed).await;
    })
    .await;
    for (offered, agreed) in [
        ("Sec-WebSocket-Protocol: chat, chat.v2\r\n", Some("chat.v2")),
        ("Sec-WebSocket-Protocol: other, chat\r\n", Some("chat")),
        ("Sec-WebSocket-Protocol: other\r\n", None),
        ("", None),
    ] {
        let (mut peer, head) = open_with(address, offered).await;
        let head = head.to_ascii_lowercase();
        match agreed {
            Some(name) => {
                assert!(
                    head.contains(&format!("\r\nsec-websocket-protocol: {name}\r\n")),
                    "{head}"
                );
            }
            None => assert!(!head.contains("sec-websocket-protocol"), "{head}"),
        }
        assert_eq!(peer.hears().await, Frame::new(0x81, agreed.unwrap_or("none")));
    }
}

/// A server that knows users by their query.
fn for_users() -> Server<String> {
    let builder = Server::builder().authorize(|request: Request| async move {
        match request.query().and_then(|query| query.strip_prefix("room=")) {
            Some(room) if request.headers().contains_key("x-token") => Ok(room.to_owned()),
            _ => {
                let basic = HeaderValue::from_static("Bearer");
                let refused = Rejection::new(StatusCode::UNAUTHORIZED, "who are you?\n");
                Err(refused.header(HeaderName::from_static("www-authenticate"), basic))
            }
        }
    });
    builder.build()
}

#[tokio::test]
async fn what_authorize_returns_is_there_for_the_handler() {
    let address =
        host(&for_users(), |mut socket: WebSocket, request: Request<String>| async move {
            let _ = socket.send(request.into_state()).await;
        })
        .await;
    let (mut peer, _) = open_with(address, "X-Token: secret\r\n").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "1"));
}

#[tokio::test]
async fn whom_authorize_rejects_reads_why() {
    let address = host(&for_users(), |_: WebSocket, _| async {}).await;
    let (head, text) = refusal(address, "").await;
    assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nwww-authenticate: bearer\r\n"), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert_eq!(text, "who are you?\n");
}

#[tokio::test]
async fn authorize_is_not_asked_about_a_page_that_may_not_connect() {
    let server = Server::builder()
        .authorize(|_: Request| async { panic!("asked") as Result<(), Rejection> })
        .build();
    let address = host(&server, |_: WebSocket, _| async {}).await;
    let (head, _) = refusal(address, "Origin: http://evil.example\r\n").await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[tokio::test]
async fn a_rejection_that_refuses_nothing_becomes_500() {
    let server = Server::builder()
        .authorize(|_: Request| async { Err::<(), _>(Rejection::new(StatusCode::OK, "fine\n")) })
        .build();
    let address = host(&server, |_: WebSocket, _| async {}).await;
    let (head, _) = refusal(address, "").await;
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
}

#[tokio::test]
async fn a_request_that_breaks_a_rule_is_refused_with_the_rule() {
    // RFC 6455 §4.2.1, §4.4.
    let address = host(&Server::default(), echo).await;
    for (from, to, status, word) in [
        ("Version: 13", "Version: 8", "426", "13"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", "400", "Sec-WebSocket-Key"),
        ("GET ", "POST ", "405", "GET"),
        ("HTTP/1.1", "HTTP/1.0", "400", "HTTP/1"),
        ("Connection: Upgrade", "Connection: close", "400", "Connection"),
    ] {
        let mut peer = dial(address).await;
        peer.sends_bytes(format!("{}\r\n", REQUEST.replace(from, to))).await;
        let (head, text) = peer.hears_response().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{to}: {head}");
        assert!(text.contains(word), "{to}: {text}");
        peer.hears_end().await;
    }
}

#[tokio::test]
async fn frames_in_the_packet_of_the_request_are_received() {
    let address = host(&Server::default(), echo).await;
    let mut peer = dial(address).await;
    let early = [peer.frame(0x81, "early"), peer.frame(0x01, "in two "), vec![0x80]].concat();
    peer.sends_bytes([REQUEST.as_bytes(), b"\r\n", &early].concat()).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
    let rest = peer.frame(0x80, "pieces");
    peer.sends_bytes(&rest[1..]).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "in two pieces"));
}

#[tokio::test]
async fn a_request_one_byte_at_a_time_is_a_request() {
    let address = host(&Server::default(), echo).await;
    let mut peer = dial(address).await;
    for byte in format!("{REQUEST}\r\n").bytes() {
        peer.sends_bytes([byte]).await;
    }
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

/// A server whose deadline for opening a test can wait for.
fn impatient() -> ServerBuilder {
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_millis(200);
    Server::builder().limits(limits)
}

#[tokio::test]
async fn a_head_that_dribbles_in_has_one_deadline_in_all() {
    let address = host(&impatient().build(), echo).await;
    let peer = dial(address).await;
    let began = Instant::now();
    let (read, mut write) = peer.io.into_split();
    let dribble = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        for byte in REQUEST.bytes() {
            pause.tick().await;
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        write
    });
    let mut answer = tokio::io::BufReader::new(read);
    let mut line = String::new();
    until(tokio::io::AsyncBufReadExt::read_line(&mut answer, &mut line)).await.expect("an answer");
    assert!(line.starts_with("HTTP/1.1 408 "), "{line}");
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert!(began.elapsed() < Duration::from_secs(5));
    dribble.abort();
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_dropped_at_the_deadline() {
    let address = host(&impatient().build(), echo).await;
    let mut peer = dial(address).await;
    let (head, text) = peer.hears_response().await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(text.contains("open_timeout"), "{text}");
    peer.hears_end().await;
}

#[tokio::test]
async fn authorize_counts_against_the_deadline() {
    // Also where the request is not the connection's first, and hyper has read it.
    let server = impatient()
        .authorize(|_: Request| async { std::future::pending::<Result<(), Rejection>>().await })
        .http(Greeter)
        .build();
    let address = host(&server, |_: WebSocket, _| async {}).await;
    let (head, _) = refusal(address, "").await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    let mut peer = dial(address).await;
    peer.sends_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    peer.hears_response().await;
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    let (head, _) = peer.hears_response().await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
}

#[tokio::test]
async fn a_head_over_its_limits_is_refused() {
    let address = host(&Server::default(), echo).await;
    for headers in [format!("X: {}\r\n", "x".repeat(16 << 10)), "X: y\r\n".repeat(100)] {
        let (head, _) = refusal(address, &headers).await;
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    }
}

/// Answers every request with its path.
#[derive(Clone)]
struct Greeter;

impl Service<http::Request<hyper::body::Incoming>> for Greeter {
    type Response = Response<http_body_util::Full<bytes::Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<hyper::body::Incoming>) -> Self::Future {
        let text = format!("{} {}", request.method(), request.uri());
        Box::pin(async { Ok(Response::new(text.into())) })
    }
}

#[tokio::test]
async fn plain_http_without_a_service_is_426() {
    // RFC 9110 §15.5.22.
    let address = host(&Server::default(), echo).await;
    let mut peer = dial(address).await;
    peer.sends_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let (head, text) = peer.hears_response().await;
    assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("\r\nupgrade: websocket\r\n"), "{head}");
    assert_eq!(text, "only WebSocket requests are served here\n");
    peer.hears_end().await;
}

#[tokio::test]
async fn plain_http_goes_to_the_service_and_a_later_upgrade_to_the_handler() {
    let address = host(&Server::builder().http(Greeter).build(), echo).await;
    let mut peer = dial(address).await;
    for path in ["/a", "/b"] {
        peer.sends_bytes(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        let (head, text) = peer.hears_response().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(text, format!("GET {path}"));
    }
    peer.sends_bytes("POST /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(peer.hears_response().await.1, "POST /c");
    let early = peer.frame(0x81, "early");
    peer.sends_bytes([REQUEST.as_bytes(), b"\r\n", &early].concat()).await;
    let head = peer.hears_head().await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
    assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
    peer.says("later").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "later"));
    peer.closes(1000, "").await;
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.hears_end().await;
}

#[tokio::test]
async fn a_later_upgrade_is_judged_like_a_first_one() {
    let address = host(&Server::builder().http(Greeter).build(), echo).await;
    let mut peer = dial(address).await;
    for (request, status) in [
        (format!("{REQUEST}Origin: http://evil.example\r\n\r\n"), "403"),
        (format!("{}\r\n", REQUEST.replace("Version: 13", "Version: 8")), "426"),
    ] {
        peer.sends_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        peer.hears_response().await;
        peer.sends_bytes(request).await;
        let (head, _) = peer.hears_response().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        peer = dial(address).await;
    }
}

#[tokio::test]
async fn a_socket_that_came_by_a_later_upgrade_is_closed_by_shutdown() {
    let server = Server::builder().http(Greeter).build();
    let address = host(&server, echo).await;
    let mut idle = dial(address).await;
    idle.sends_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    idle.hears_response().await;
    let mut peer = dial(address).await;
    peer.sends_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    peer.hears_response().await;
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    let ends = async {
        peer.hears_close(1001).await;
        idle.hears_end().await;
    };
    tokio::join!(until(server.shutdown(Duration::from_secs(60))), ends);
}
