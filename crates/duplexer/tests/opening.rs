//! The opening handshake of a client (RFC 6455 §4.1) against servers that answer well, badly, late or not at all.
//! What a server does with clients is in `accepting.rs`.

mod support;

use duplexer::{
    Client, ConnectError, Deflate, HandshakeError, Limits, SetupError, UriError, WebSocket, connect,
};
use http::header::{AUTHORIZATION, HOST, HeaderValue};
use support::{Frame, Peer, Role, client, client_with, until};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};

/// Connects to a server that sends `answer`, whatever is asked, and then ends the transport.
async fn answered(answer: &str) -> Result<WebSocket, ConnectError> {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    let client = Client::default();
    let opening = client.connect_over(ours, "ws://example.com/");
    let answering = async {
        peer.hears_head().await;
        peer.sends_bytes(answer).await;
        peer.ends().await;
    };
    tokio::join!(opening, answering).0
}

/// The same for an answer that opens nothing.
async fn refused(answer: &str) -> HandshakeError {
    match answered(answer).await {
        Err(ConnectError::Handshake(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// What a client of these settings asks for.
async fn request_of(client: &Client, uri: &str) -> String {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    tokio::select! {
        opened = client.connect_over(ours, uri) => panic!("nobody answered: {opened:?}"),
        head = peer.hears_head() => head,
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_asks_for_what_was_set() {
    let client = Client::builder()
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer token"))
        .origin("https://example.com")
        .subprotocol("chat.v2")
        .subprotocol("chat")
        .build();
    let head = request_of(&client, "ws://example.com:8080/chat?room=1").await;
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for line in [
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-protocol: chat.v2, chat",
        "origin: https://example.com",
        "authorization: bearer token",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    assert!(head.contains("\r\nsec-websocket-extensions: permessage-deflate; "), "{head}");
}

#[tokio::test(start_paused = true)]
async fn without_deflate_no_extension_is_offered() {
    let client = Client::builder().deflate(None::<Deflate>).build();
    let head = request_of(&client, "ws://example.com/").await.to_ascii_lowercase();
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
}

#[tokio::test(start_paused = true)]
async fn each_connection_has_a_key_of_its_own() {
    // RFC 6455 §4.1: "The nonce MUST be selected randomly for each connection."
    let client = Client::default();
    let one = request_of(&client, "ws://example.com/").await;
    assert_ne!(one, request_of(&client, "ws://example.com/").await);
}

#[tokio::test(start_paused = true)]
async fn what_was_agreed_on_is_told() {
    let offering = Client::builder().subprotocol("chat.v2").subprotocol("chat").build();
    let extension = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let headers =
        format!("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: {extension}\r\n");
    let (socket, _peer) = client_with(&offering, &headers, 4096).await;
    assert_eq!((socket.subprotocol(), socket.extensions()), (Some("chat"), extension));
    let (socket, _peer) = client().await;
    assert_eq!((socket.subprotocol(), socket.extensions()), (None, ""));
}

#[tokio::test(start_paused = true)]
async fn frames_in_the_packet_of_the_response_are_received() {
    // A pipe keeps the bytes of several writes together.
    for text in ["early", &"long ".repeat(2000)] {
        let frame = support::frame(Role::Server, 0x81, text);
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
        let accepting = async {
            let key = peer.hears_head().await;
            let key = key.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let key = duplexer_proto::handshake::Key::parse(key.expect("a key").as_bytes());
            let accept = key.expect("a valid key").accept();
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            peer.sends_bytes([head.as_bytes(), &frame[..]].concat()).await;
        };
        let client = Client::default();
        let opening = client.connect_over(ours, "ws://example.com/");
        let mut socket = tokio::join!(opening, accepting).0.expect("an open connection");
        let received = socket.recv().await.expect("open").expect("a message");
        assert_eq!(received.as_text(), Some(text));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_status_headers_and_body() {
    let error = refused(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\nX-Why: because\r\n\r\nnot from there, no",
    )
    .await;
    assert_eq!(error.status(), Some(http::StatusCode::FORBIDDEN));
    assert_eq!(
        error.headers().map(|headers| &headers["x-why"]),
        Some(&"because".parse().expect("a header value"))
    );
    let HandshakeError::Refused(response) = &error else { panic!("{error:?}") };
    assert_eq!(response.body(), b"not from there, n");
    assert!(error.to_string().contains("403 Forbidden"), "{error}");
    assert!(error.to_string().contains("not from there"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_told_and_not_followed() {
    let error = refused("HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.location(), Some("/new"));
    assert!(error.to_string().contains("/new"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_does_not_end_is_still_a_refusal() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    let client = Client::default();
    let opening = client.connect_over(ours, "ws://example.com/");
    let answering = async {
        peer.hears_head().await;
        peer.sends_bytes("HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\ntry later").await;
    };
    let began = Instant::now();
    let (opened, ()) = tokio::join!(opening, answering);
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    let Err(ConnectError::Handshake(HandshakeError::Refused(response))) = opened else {
        panic!("{opened:?}")
    };
    assert_eq!((response.status().as_u16(), &response.body()[..]), (503, &b"try later"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_accept_value_opens_nothing() {
    // RFC 6455 §4.1, item 4 of the response.
    let error = refused(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )
    .await;
    assert!(matches!(error, HandshakeError::Invalid { .. }), "{error:?}");
    assert_eq!(error.status(), Some(http::StatusCode::SWITCHING_PROTOCOLS));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_http_or_no_whole_head_opens_nothing() {
    let error = refused("SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    assert!(matches!(error, HandshakeError::Head { .. }), "{error:?}");
    let error = refused("HTTP/1.1 101 Swit").await;
    assert!(matches!(error, HandshakeError::Closed { received_bytes: 17, .. }), "{error:?}");
    let error = refused(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(16 << 10))).await;
    assert!(matches!(error, HandshakeError::Head { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_after_open_timeout() {
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_secs(3);
    for (client, seconds) in
        [(Client::default(), 10), (Client::builder().limits(limits).build(), 3)]
    {
        let (ours, _theirs) = tokio::io::duplex(64 << 10);
        let began = Instant::now();
        let opened = client.connect_over(ours, "ws://example.com/").await;
        let Err(error @ ConnectError::TimedOut { after }) = opened else { panic!("{opened:?}") };
        assert_eq!((began.elapsed(), after), (after, Duration::from_secs(seconds)));
        assert!(error.to_string().contains("open_timeout"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_response_has_one_deadline_in_all() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    let dribble = async {
        peer.hears_head().await;
        loop {
            peer.sends_bytes("H").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.sends_bytes("\x08").await;
        }
    };
    let (client, began) = (Client::default(), Instant::now());
    tokio::select! {
        opened = client.connect_over(ours, "ws://example.com/") => assert!(opened.is_err()),
        () = dribble => {}
    }
    assert!(began.elapsed() <= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connect_leaves_nothing_open() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    let client = Client::default();
    tokio::select! {
        opened = client.connect_over(ours, "ws://example.com/") => panic!("{opened:?}"),
        _ = peer.hears_head() => {}
    }
    peer.hears_end().await;
}

#[tokio::test(start_paused = true)]
async fn wss_over_a_stream_of_ones_own_is_opened() {
    let head = request_of(&Client::default(), "wss://example.com/chat").await;
    assert!(head.starts_with("GET /chat HTTP/1.1\r\nHost: example.com\r\n"), "{head}");
}

#[tokio::test]
async fn a_uri_that_is_none_of_a_websocket_is_refused() {
    for (uri, found) in [
        ("ftp://example.com/", UriError::SchemeUnknown { scheme: "ftp".to_owned() }),
        ("example.com/chat", UriError::SchemeMissing),
        ("ws://example.com/#part", UriError::Fragment),
    ] {
        let error = connect(uri).await.expect_err(uri);
        assert!(matches!(&error, ConnectError::Uri(uri) if *uri == found), "{uri}: {error:?}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_sent_are_refused_before_anything_is_sent() {
    let reserved = Client::builder().header(HOST, HeaderValue::from_static("elsewhere")).build();
    let no_token = Client::builder().subprotocol("two words").build();
    for client in [reserved, no_token] {
        let (ours, theirs) = tokio::io::duplex(4096);
        let error = client.connect_over(ours, "ws://example.com/").await.expect_err("refused");
        assert!(matches!(
            error,
            ConnectError::Setup(
                SetupError::HeaderReserved { .. } | SetupError::SubprotocolInvalid { .. }
            )
        ));
        let mut peer: Peer<DuplexStream> = Peer::new(theirs, Role::Server, Duration::from_secs(5));
        assert!(!peer.reads_more().await, "nothing was sent");
    }
}

#[tokio::test]
async fn an_origin_that_is_no_headers_value_is_refused_before_anything_is_sent() {
    let wrong = Client::builder().origin("https://example.com\r\nX: y");
    let client = wrong.clone().build();
    let (ours, theirs) = tokio::io::duplex(4096);
    let error = client.connect_over(ours, "ws://example.com/").await.expect_err("refused");
    assert!(matches!(error, ConnectError::OriginInvalid { .. }), "{error:?}");
    assert!(error.to_string().contains(r"example.com\r\nX: y"), "{error}");
    let mut peer: Peer<DuplexStream> = Peer::new(theirs, Role::Server, Duration::from_secs(5));
    assert!(!peer.reads_more().await, "nothing was sent");
    let error = client.connect("ws://127.0.0.1:1/").await.expect_err("refused");
    assert!(matches!(error, ConnectError::OriginInvalid { .. }), "{error:?}");
    // The last one counts.
    let request = request_of(&wrong.origin("https://example.com").build(), "ws://h/").await;
    assert!(request.contains("\r\nOrigin: https://example.com\r\n"), "{request}");
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let error = until(connect(format!("ws://{address}/"))).await.expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Dial { .. }), "{error:?}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn connect_dials_and_opens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let accepting = async {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut peer = Peer::new(stream, Role::Server, Duration::from_secs(10));
        let head = peer.hears_head().await;
        assert!(head.contains(&format!("\r\nHost: {address}\r\n")), "{head}");
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let key = duplexer_proto::handshake::Key::parse(key.expect("a key").as_bytes());
        let accept = key.expect("a valid key").accept();
        peer.sends_bytes(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
        .await;
        peer
    };
    let (opened, mut peer) = tokio::join!(until(connect(format!("ws://{address}"))), accepting);
    let mut socket = opened.expect("an open connection");
    until(socket.send("hello")).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn without_the_feature_wss_names_it_and_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let opened = until(connect(format!("wss://{address}/"))).await;
    let Err(ConnectError::Tls(error)) = opened else { panic!("{opened:?}") };
    assert!(matches!(error.fault(), duplexer::TlsFault::Unavailable), "{error:?}");
    assert!(error.to_string().contains("cargo feature `tls`"), "{error}");
    let (stream, _) = until(listener.accept()).await.expect("a connection");
    let mut peer = Peer::new(stream, Role::Server, Duration::from_secs(10));
    peer.hears_end().await;
}
