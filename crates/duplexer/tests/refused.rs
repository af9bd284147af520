//! Answers that open nothing: each has an error of its own that tells what the server did, with its status and the beginning of its
//! body where there are any, and within the deadline.

mod support;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use duplexer::{Client, ConnectError, HandshakeError, Limits};
use duplexer_proto::handshake::{ExtensionFault, HeadError, ResponseFault};
use http::StatusCode;
use support::{Peer, Role, answer_to};
use tokio::io::{AsyncRead, AsyncReadExt, DuplexStream, ReadBuf};
use tokio::time::{Duration, Instant};

/// Asks with `client` while `answer` runs with the request's head; gives why nothing was opened.
async fn refusal<F: Future>(
    client: &Client,
    answer: impl FnOnce(String, Peer<DuplexStream>) -> F,
) -> ConnectError {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(3600));
    let began = Instant::now();
    let answering = async {
        let head = peer.hears_head().await;
        // The transport does not end with the answer.
        let _peer = answer(head, peer).await;
        std::future::pending().await
    };
    let error = tokio::select! {
        opened = client.connect_over(ours, "ws://example.com/") => opened.expect_err("refused"),
        () = answering => unreachable!("it waits for ever"),
    };
    assert!(began.elapsed() <= Duration::from_secs(10), "the deadline: {error:?}");
    error
}

/// Why an answer of 101 that differs from the right one opens nothing.
async fn fault(change: impl FnOnce(String) -> String) -> ResponseFault {
    let client = Client::builder().subprotocol("chat").subprotocol("chat.v2").build();
    let error = refusal(&client, |head, mut peer| async move {
        peer.sends_bytes(change(answer_to(&head, ""))).await;
        peer
    })
    .await;
    let shown = error.to_string();
    let ConnectError::Handshake(HandshakeError::Invalid { fault, response }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    // What nobody declares is no body, and is not waited for.
    assert_eq!((response.body().as_slice(), shown.contains("invalid")), (&b""[..], true));
    fault
}

/// What is wrong with an answer that is no head, and its beginning.
fn no_head(error: &ConnectError) -> (HeadError, &[u8]) {
    match error {
        ConnectError::Handshake(HandshakeError::Head { fault, start }) => (*fault, start),
        other => panic!("{other:?}"),
    }
}

/// The status that was read.
fn status(error: &ConnectError) -> Option<StatusCode> {
    match error {
        ConnectError::Handshake(error) => error.status(),
        other => panic!("{other:?}"),
    }
}

/// The same for one line instead of another.
async fn fault_with(line: &str, instead: &str) -> ResponseFault {
    fault(|answer| {
        assert!(answer.contains(line), "{line} in {answer}");
        answer.replace(line, instead)
    })
    .await
}

/// The same for further lines.
async fn fault_after(lines: &str) -> ResponseFault {
    fault_with("Upgrade: websocket\r\n", &format!("Upgrade: websocket\r\n{lines}")).await
}

#[tokio::test(start_paused = true)]
async fn any_other_status_is_told_with_the_beginning_of_its_body() {
    let long = "x".repeat(9000);
    let cases = [
        ("200 OK", "<!DOCTYPE html>\n<title>Welcome</title>", "<!DOCTYPE html>"),
        ("404 Not Found", "no such room", "no such room"),
        ("401 Unauthorized", "who are you?", "who are you?"),
        ("502 Bad Gateway", long.as_str(), "xxxx"),
        ("204 No Content", "", "204"),
        ("418 ", "teapot \x1b[2J", "teapot \\u{1b}[2J"),
    ];
    for (status, body, shown) in cases {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let error = refusal(&Client::default(), |_, mut peer| async move {
            peer.sends_bytes(answer).await;
            peer
        })
        .await;
        assert!(error.to_string().contains(shown), "{error}");
        let ConnectError::Handshake(HandshakeError::Refused(response)) = error else {
            panic!("{status}: {error:?}")
        };
        assert!(status.starts_with(response.status().as_str()), "{status}");
        assert_eq!(response.body(), &body.as_bytes()[..body.len().min(4096)], "{status}");
    }
}

/// A transport that has failed.
struct Reset;

impl AsyncRead for Reset {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_is_cut_off_by_a_reset_is_still_a_refusal() {
    // RFC 9112 §9.6: a server that closes while bytes come for it resets the transport.
    let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\nno entr";
    let io = tokio::io::join(answer.chain(Reset), tokio::io::sink());
    let opened = Client::default().connect_over(io, "ws://example.com/").await;
    let Err(ConnectError::Handshake(HandshakeError::Refused(response))) = opened else {
        panic!("{opened:?}")
    };
    assert_eq!((response.status(), &response.body()[..]), (StatusCode::FORBIDDEN, &b"no entr"[..]));
    // Of a head that is cut off so the beginning is shown, with its status.
    let io = tokio::io::join(answer[..24].chain(Reset), tokio::io::sink());
    let opened = Client::default().connect_over(io, "ws://example.com/").await;
    let Err(ConnectError::Handshake(error)) = opened else { panic!("{opened:?}") };
    assert_eq!(error.status(), Some(StatusCode::FORBIDDEN));
    assert!(matches!(error, HandshakeError::Closed { received_bytes: 24, .. }), "{error:?}");
    // Where nothing came, it is the transport that failed.
    let io = tokio::io::join(Reset, tokio::io::sink());
    let opened = Client::default().connect_over(io, "ws://example.com/").await;
    assert!(matches!(opened, Err(ConnectError::Io(_))), "{opened:?}");
}

#[tokio::test(start_paused = true)]
async fn interim_answers_are_passed_over() {
    let error = refusal(&Client::default(), |_, mut peer| async move {
        peer.sends_bytes("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n").await;
        peer.sends_bytes("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
        peer
    })
    .await;
    assert!(
        matches!(&error, ConnectError::Handshake(refused) if refused.status() == Some(StatusCode::FORBIDDEN))
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_a_rule_of_the_handshake_names_it() {
    // RFC 6455 §4.1, items 2 to 4 of the response.
    let accept = "Sec-WebSocket-Accept: ";
    let wrong = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Was: ";
    assert_eq!(fault_with(accept, wrong).await, ResponseFault::AcceptWrong);
    assert_eq!(fault_with(accept, "X: ").await, ResponseFault::AcceptMissing);
    assert_eq!(fault_after(&format!("{accept}x\r\n")).await, ResponseFault::AcceptRepeated);
    let upgrade = "Upgrade: websocket\r\n";
    assert_eq!(fault_with(upgrade, "").await, ResponseFault::UpgradeMissing);
    assert_eq!(fault_with(upgrade, "Upgrade: h2c\r\n").await, ResponseFault::UpgradeWrong);
    let connection = "Connection: Upgrade\r\n";
    assert_eq!(fault_with(connection, "").await, ResponseFault::ConnectionMissing);
    let close = "Connection: close\r\n";
    assert_eq!(fault_with(connection, close).await, ResponseFault::ConnectionMissing);
    let version = fault_with("HTTP/1.1", "HTTP/1.0").await;
    assert!(matches!(version, ResponseFault::HttpVersion { .. }), "{version:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_offered_is_not_taken() {
    // RFC 6455 §4.1, items 5 and 6 of the response.
    let name = "Sec-WebSocket-Protocol";
    let fault = fault_after(&format!("{name}: chess\r\n")).await;
    assert_eq!(fault, ResponseFault::SubprotocolNotOffered { name: "chess".to_owned() });
    for two in
        [format!("{name}: chat, chat.v2\r\n"), format!("{name}: chat\r\n{name}: chat.v2\r\n")]
    {
        assert_eq!(fault_after(&two).await, ResponseFault::SubprotocolRepeated);
    }
    let name = "Sec-WebSocket-Extensions";
    let extension = |fault| match fault {
        ResponseFault::Extensions(fault) => fault,
        other => panic!("{other:?}"),
    };
    let fault = extension(fault_after(&format!("{name}: x-webkit-deflate-frame\r\n")).await);
    let expected = ExtensionFault::NotOffered { name: "x-webkit-deflate-frame".to_owned() };
    assert_eq!(fault, expected);
    let twice = "permessage-deflate, permessage-deflate";
    let fault = extension(fault_after(&format!("{name}: {twice}\r\n")).await);
    assert!(matches!(fault, ExtensionFault::Repeated { .. } | ExtensionFault::Invalid(_)));
    let fault = extension(fault_after(&format!("{name}: =\r\n")).await);
    assert!(matches!(fault, ExtensionFault::Malformed(_)), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_on_the_upgrade_opens_nothing() {
    // RFC 9110 §15.2: a 1xx response has no content; its bytes would be taken for frames.
    for line in ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 0, 5"] {
        assert_eq!(fault_after(&format!("{line}\r\n")).await, ResponseFault::Body, "{line}");
    }
    // The beginning of the body is told, whichever rule was broken first.
    for (line, instead) in [("Upgrade: websocket", "X: y"), ("X-Y: z\r\n", "")] {
        let error = refusal(&Client::default(), |head, mut peer| async move {
            let declared = "X-Y: z\r\nContent-Length: 11\r\n";
            let answer = answer_to(&head, declared).replace(line, instead);
            peer.sends_bytes(answer + "<p>\x1b[31mno!!").await;
            peer
        })
        .await;
        assert!(error.to_string().ends_with(": <p>\\u{1b}[31mno!"), "{error}");
        let ConnectError::Handshake(HandshakeError::Invalid { response, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(response.body(), b"<p>\x1b[31mno!");
    }
    // What says that there is none is harmless.
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    let answering = async {
        let head = peer.hears_head().await;
        peer.sends_bytes(answer_to(&head, "Content-Length: 0\r\n")).await;
    };
    let client = Client::default();
    let (opened, ()) = tokio::join!(client.connect_over(ours, "ws://example.com/"), answering);
    opened.expect("an open connection");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_ends_by_its_bound() {
    let error = refusal(&Client::default(), |_, mut peer| async move {
        peer.sends_bytes("HTTP/1.1 101 Switching Protocols\r\nX: ").await;
        peer.sends_bytes("x".repeat(20 << 10)).await;
        peer
    })
    .await;
    let (head, start) = no_head(&error);
    assert_eq!(head, HeadError::TooLarge { bytes_max: 16 << 10 });
    assert!(start.starts_with(b"HTTP/1.1 101 Switching Protocols\r\nX: xxx"), "{error:?}");
    assert_eq!(start.len(), 256, "the beginning, and no more");
    assert_eq!(status(&error), Some(StatusCode::SWITCHING_PROTOCOLS));
    assert!(error.to_string().ends_with("`HTTP/1.1 101 Switching Protocols`"), "{error}");
    let error = refusal(&Client::default(), |_, mut peer| async move {
        peer.sends_bytes("HTTP/1.1 101 Switching Protocols\r\n").await;
        peer.sends_bytes("X: y\r\n".repeat(101)).await;
        peer
    })
    .await;
    let (head, _) = no_head(&error);
    assert_eq!(head, HeadError::TooManyLines { lines_max: 100 });
}

#[tokio::test(start_paused = true)]
async fn silence_and_dribble_end_at_the_deadline() {
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_secs(4);
    let client = Client::builder().limits(limits).build();
    for dribbled in ["", "HTTP/1.1 101 Switching Protocols\r\nX: and so on and so on"] {
        let began = Instant::now();
        let error = refusal(&client, |_, mut peer| async move {
            for byte in dribbled.bytes() {
                peer.sends_bytes([byte]).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            peer
        })
        .await;
        assert_eq!(began.elapsed(), Duration::from_secs(4));
        assert!(error.to_string().contains("within 4s"), "{error}");
        match error {
            ConnectError::TimedOut { .. } => assert_eq!(dribbled, "", "silence"),
            ConnectError::Handshake(HandshakeError::TimedOut { start, .. }) => {
                assert!(!start.is_empty() && dribbled.as_bytes().starts_with(&start), "{start:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_answer() {
    for (garbage, tls) in
        [(&b"\x16\x03\x01\x02"[..], true), (b"\0\0\0", false), (b"+PONG\r\n", false)]
    {
        let error = refusal(&Client::default(), |_, mut peer| async move {
            peer.sends_bytes(garbage).await;
            peer
        })
        .await;
        let (head, start) = no_head(&error);
        assert_eq!((head, start), (HeadError::NotHttp { first: garbage[0] }, garbage));
        assert_eq!(status(&error), None);
        let shown = garbage.trim_ascii_end().escape_ascii().to_string();
        assert!(error.to_string().contains(&format!("`{shown}`")), "{error}");
        assert_eq!(error.to_string().contains("looks like TLS"), tls, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_cut_off_anywhere_opens_nothing() {
    let (whole, mut at) = (answer_to("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "").len(), 0);
    while at < whole {
        let error = refusal(&Client::default(), |head, mut peer| async move {
            peer.sends_bytes(&answer_to(&head, "")[..at]).await;
            peer.ends().await;
            peer
        })
        .await;
        // The first line is `HTTP/1.1 101 Switching Protocols`.
        assert_eq!(status(&error).is_some(), at > 32, "{error:?}");
        let ConnectError::Handshake(HandshakeError::Closed { received_bytes, start }) = error
        else {
            panic!("{error:?}")
        };
        assert_eq!((received_bytes, start.len()), (at, at));
        at += 1;
    }
}
