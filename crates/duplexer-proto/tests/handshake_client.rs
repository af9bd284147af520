//! A client's opening handshake, rule by rule (RFC 6455 §4.1), from bytes and from parts. Each
//! input is fed whole, one byte at a time and split at every boundary.

mod handshake_toy;

use std::sync::Arc;
use std::time::Duration;

use duplexer_proto::extension::{NegotiationError, OfferError, deflate};
use duplexer_proto::frame::Rsv;
use duplexer_proto::handshake::{ExtensionFault, HeadError, Request, ResponseFault};
use duplexer_proto::{
    ClientConfig, ClientHandshake, HandshakeError, Limits, Opened, Role, ServerConfig, SetupError,
    Time, WsUri,
};
use handshake_toy::toys;
use http::Version;
use http::header::{HeaderMap, HeaderValue};
use proptest::prelude::*;

/// The response of RFC 6455 §1.3 to its own key.
const EXAMPLE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    \r\n";

/// Makes RFC 6455's key `dGhlIHNhbXBsZSBub25jZQ==`.
const ENTROPY: [u8; 16] = *b"the sample nonce";

/// The example with one of its lines replaced; an empty `line` leaves it out.
fn example(old: &str, line: &str) -> String {
    let old = format!("{old}\r\n");
    assert!(EXAMPLE.contains(&old), "{old:?} is a line of the example");
    EXAMPLE.replace(&old, &if line.is_empty() { String::new() } else { format!("{line}\r\n") })
}

/// The example with further lines.
fn example_and(lines: &str) -> String {
    example("Upgrade: websocket", &format!("Upgrade: websocket\r\n{lines}"))
}

/// Offers the subprotocols `chat` and `superchat`, and the extensions `a` and `b`, of which `c`
/// uses the bit of `a`.
fn config() -> ClientConfig {
    let mut config = ClientConfig::default();
    config.subprotocols = vec!["chat".into(), "superchat".into()];
    config.negotiators = toys(&[("a", Rsv::RSV1), ("b", Rsv::RSV2), ("c", Rsv::RSV1)]);
    config
}

fn start(config: ClientConfig) -> ClientHandshake {
    let uri = WsUri::parse("ws://server.example.com/chat?room=1").expect("a URI");
    ClientHandshake::new(&uri, config, ENTROPY, Time::ORIGIN).expect("a valid request")
}

/// What came of an input.
#[derive(Debug)]
enum Outcome {
    /// A connection, and the bytes after the response.
    Opened(Box<Opened>, Vec<u8>),
    Fault(HandshakeError),
    Incomplete(Box<ClientHandshake>),
}

impl Outcome {
    /// What must not depend on how the input was cut.
    fn print(&self) -> String {
        match self {
            Self::Opened(opened, rest) => {
                format!("{:?} {:?} {rest:?}", opened.response, opened.agreed)
            }
            // How much of what is no head had come with its fault depends on the cuts.
            Self::Fault(HandshakeError::Head { fault, .. }) => format!("{fault:?}"),
            Self::Fault(error) => format!("{error:?}"),
            Self::Incomplete(_) => "incomplete".to_owned(),
        }
    }
}

fn feed<'a>(config: ClientConfig, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut handshake = start(config);
    let mut pieces = pieces.into_iter();
    while let Some(piece) = pieces.next() {
        match handshake.receive(piece) {
            Ok(None) => {}
            Ok(Some((consumed, opened))) => {
                let mut rest = piece[consumed..].to_vec();
                rest.extend(pieces.flatten());
                return Outcome::Opened(Box::new(opened), rest);
            }
            Err(error) => return Outcome::Fault(error),
        }
    }
    Outcome::Incomplete(Box::new(handshake))
}

/// What comes of an input, which is the same however it is cut.
fn receive_with(config: &ClientConfig, input: &[u8]) -> Outcome {
    let whole = feed(config.clone(), [input]);
    let expected = whole.print();
    assert_eq!(feed(config.clone(), input.chunks(1)).print(), expected, "one byte at a time");
    for at in 0..input.len() {
        let (left, right) = input.split_at(at);
        assert_eq!(feed(config.clone(), [left, right]).print(), expected, "split at {at}");
    }
    whole
}

fn receive(input: impl AsRef<[u8]>) -> Outcome {
    receive_with(&config(), input.as_ref())
}

#[track_caller]
fn opened(input: impl AsRef<[u8]>) -> Opened {
    match receive(input) {
        Outcome::Opened(opened, _) => *opened,
        other => panic!("not open: {}", other.print()),
    }
}

#[track_caller]
fn assert_invalid(input: impl AsRef<[u8]>, expected: ResponseFault) {
    match receive(input) {
        Outcome::Fault(HandshakeError::Invalid { fault, response }) => {
            assert_eq!((fault, response.status().as_u16()), (expected, 101));
        }
        other => panic!("not invalid: {}", other.print()),
    }
}

#[track_caller]
fn assert_head_fault(input: impl AsRef<[u8]>, expected: HeadError) {
    match receive(input) {
        Outcome::Fault(HandshakeError::Head { fault, .. }) => assert_eq!(fault, expected),
        other => panic!("not a fault of the head: {}", other.print()),
    }
}

#[track_caller]
fn refused(input: impl AsRef<[u8]>) -> http::Response<Vec<u8>> {
    match receive(input) {
        Outcome::Fault(HandshakeError::Refused(response)) => *response,
        other => panic!("not refused: {}", other.print()),
    }
}

#[test]
fn the_request_has_what_the_rfc_asks_for() {
    // RFC 6455 §4.1, items 1 to 12.
    let mut config = config();
    config.headers.insert("origin", HeaderValue::from_static("http://example.com"));
    config.headers.append("cookie", HeaderValue::from_static("a=b"));
    let handshake = start(config);
    let request = "GET /chat?room=1 HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Extensions: a, b, c\r\n\
        Origin: http://example.com\r\n\
        Cookie: a=b\r\n\
        \r\n";
    assert_eq!(String::from_utf8_lossy(&handshake.request()), request);
    let parts = handshake.http_request().into_parts().0;
    assert_eq!(parts.uri, "/chat?room=1");
    assert_eq!(parts.headers["host"], "server.example.com");
    let bare = String::from_utf8(start(ClientConfig::default()).request()).expect("ASCII");
    assert!(!bare.contains("Sec-WebSocket-Protocol") && !bare.contains("Sec-WebSocket-Extensions"));
}

#[test]
fn a_server_of_ours_opens_with_a_client_of_ours() {
    let mut client = start(config());
    let parts = client.http_request().into_parts().0;
    let request = Request::from_parts(&parts).expect("a valid request");
    let mut config = ServerConfig::default();
    config.subprotocols = vec!["superchat".into()];
    config.negotiators = toys(&[("b", Rsv::RSV2), ("c", Rsv::RSV1)]);
    let acceptance = request.accept(&config).expect("an acceptance");
    let bytes = acceptance.response_bytes();
    let (consumed, opened) =
        client.receive(&bytes).expect("a valid response").expect("a whole one");
    assert_eq!(consumed, bytes.len());
    assert_eq!(opened.agreed, acceptance.agreed);
    assert_eq!(opened.agreed.subprotocol.as_deref(), Some("superchat"));
    assert_eq!(opened.agreed.extensions, "b, c");
    assert_eq!(opened.connection.role(), Role::Client);
    let parts = acceptance.response.into_parts().0;
    assert_eq!(client.confirm(&parts).expect("a valid response").agreed, opened.agreed);
}

#[test]
fn what_a_caller_may_not_ask_for() {
    // RFC 6455 §4.1, item 10, and the headers that the handshake sets.
    let uri = WsUri::parse("ws://h/").expect("a URI");
    let error = |config| ClientHandshake::new(&uri, config, ENTROPY, Time::ORIGIN).err();
    for name in [
        "host",
        "upgrade",
        "connection",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "content-length",
        "transfer-encoding",
    ] {
        let name = http::HeaderName::from_static(name);
        let mut config = ClientConfig::default();
        config.headers.insert(name.clone(), HeaderValue::from_static("0"));
        assert_eq!(error(config), Some(SetupError::HeaderReserved { name }));
    }
    let subprotocols = |names: &[&str]| {
        let mut config = ClientConfig::default();
        config.subprotocols = names.iter().map(|&name| name.to_owned()).collect();
        error(config)
    };
    for name in ["", "a b", "a,b", "\u{e4}", "a\r\nb"] {
        let invalid = SetupError::SubprotocolInvalid { name: name.to_owned() };
        assert_eq!(subprotocols(&["chat", name]), Some(invalid));
    }
    let repeated = SetupError::SubprotocolRepeated { name: "chat".into() };
    assert_eq!(subprotocols(&["chat", "Chat", "chat"]), Some(repeated));
    assert_eq!(subprotocols(&["chat", "Chat"]), None);
}

#[test]
fn the_example_of_the_rfc_opens() {
    // RFC 6455 §1.3.
    let opened = opened(EXAMPLE);
    assert_eq!((opened.agreed.subprotocol, opened.agreed.extensions.as_str()), (None, ""));
    // §4.2.2, item 5: a server may decline all subprotocols by leaving the header out.
    let reason = example("HTTP/1.1 101 Switching Protocols", "HTTP/1.1 101 ");
    assert!(matches!(receive(reason), Outcome::Opened(..)));
    assert!(matches!(receive(&EXAMPLE[..EXAMPLE.len() - 1]), Outcome::Incomplete(_)));
}

#[test]
fn bytes_after_the_response_belong_to_the_connection() {
    match receive(format!("{EXAMPLE}\u{1}\u{2}")) {
        Outcome::Opened(_, rest) => assert_eq!(rest, [1, 2]),
        other => panic!("not open: {}", other.print()),
    }
}

#[test]
fn interim_responses_are_passed_over() {
    // RFC 9110 §15.2: a client "MUST be able to parse one or more 1xx responses received prior to a
    // final response".
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    match receive(format!("{interim}{EXAMPLE}rest")) {
        Outcome::Opened(_, rest) => assert_eq!(rest, b"rest"),
        other => panic!("not open: {}", other.print()),
    }
    // But not for ever: all heads together are bounded.
    let endless = interim.repeat(1000);
    let fault = HeadError::TooLarge { bytes_max: 16 << 10 };
    match feed(config(), endless.as_bytes().chunks(1000)) {
        Outcome::Fault(HandshakeError::Head { fault: error, .. }) => assert_eq!(error, fault),
        other => panic!("not a fault: {}", other.print()),
    }
}

#[test]
fn upgrade_is_websocket() {
    // RFC 6455 §4.1, "validate the server's response", item 2.
    assert_invalid(example("Upgrade: websocket", ""), ResponseFault::UpgradeMissing);
    for value in ["", "h2c", "websocket, h2c", "websocket/13", "websocket\r\nUpgrade: websocket"] {
        let input = example("Upgrade: websocket", &format!("Upgrade: {value}"));
        assert_invalid(input, ResponseFault::UpgradeWrong);
    }
    opened(example("Upgrade: websocket", "UPGRADE:WebSocket "));
}

#[test]
fn connection_contains_upgrade() {
    // Item 3.
    for line in ["", "Connection: close", "Connection: Upgraded"] {
        assert_invalid(example("Connection: Upgrade", line), ResponseFault::ConnectionMissing);
    }
    opened(example("Connection: Upgrade", "connection: keep-alive, upgrade"));
}

#[test]
fn accept_answers_the_key() {
    // Item 4, and §11.3.3.
    let line = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_invalid(example(line, ""), ResponseFault::AcceptMissing);
    assert_invalid(example_and(line), ResponseFault::AcceptRepeated);
    for value in [
        "",
        "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
        "S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "\"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"",
        "dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        let input = example(line, &format!("Sec-WebSocket-Accept: {value}"));
        assert_invalid(input, ResponseFault::AcceptWrong);
    }
    // "[...] but ignoring any leading and trailing whitespace".
    opened(example(line, "Sec-WebSocket-Accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t"));
}

#[test]
fn extensions_are_among_those_offered() {
    // Item 5, §9.1 and §11.3.2.
    let header = |value: &str| example_and(&format!("Sec-WebSocket-Extensions: {value}"));
    assert_eq!(opened(header("b,a")).agreed.extensions, "b, a");
    let assert_fault =
        |value: &str, fault| assert_invalid(header(value), ResponseFault::Extensions(fault));
    assert_fault(
        "permessage-deflate",
        ExtensionFault::NotOffered { name: "permessage-deflate".into() },
    );
    assert_fault("a, A", ExtensionFault::NotOffered { name: "A".into() });
    assert_fault("a, b, a", ExtensionFault::Repeated { name: "a".into() });
    assert_fault("a, b, c", ExtensionFault::Conflict { name: "c".into() });
    assert_fault("a;", ExtensionFault::Malformed(OfferError::NameMissing { at: 2 }));
    assert_fault("", ExtensionFault::Malformed(OfferError::NameMissing { at: 0 }));
    assert_invalid(header("a\r\nSec-WebSocket-Extensions: b"), ResponseFault::ExtensionsRepeated);
}

#[test]
fn an_extension_judges_its_own_answer() {
    // RFC 6455 §9.1; RFC 7692 §7.1.
    let mut config = ClientConfig::default();
    config.negotiators = Arc::new([Arc::new(deflate::Deflate::default())]);
    let input =
        example_and("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99");
    match receive_with(&config, input.as_bytes()) {
        Outcome::Fault(HandshakeError::Invalid {
            fault:
                ResponseFault::Extensions(ExtensionFault::Invalid(NegotiationError {
                    response, ..
                })),
            ..
        }) => assert_eq!(response, "permessage-deflate; server_max_window_bits=99"),
        other => panic!("not invalid: {}", other.print()),
    }
}

#[test]
fn the_subprotocol_is_one_of_those_offered() {
    // Item 6, and §11.3.4.
    let header = |value: &str| example_and(&format!("Sec-WebSocket-Protocol: {value}"));
    assert_eq!(opened(header("superchat")).agreed.subprotocol.as_deref(), Some("superchat"));
    for name in ["other", "Chat", "", "chat superchat"] {
        let fault = ResponseFault::SubprotocolNotOffered { name: name.to_owned() };
        assert_invalid(header(name), fault);
    }
    for list in ["chat, superchat", "chat\r\nSec-WebSocket-Protocol: superchat"] {
        assert_invalid(header(list), ResponseFault::SubprotocolRepeated);
    }
    let fault = ResponseFault::SubprotocolNotOffered { name: "chat".into() };
    match receive_with(&ClientConfig::default(), header("chat").as_bytes()) {
        Outcome::Fault(HandshakeError::Invalid { fault: found, .. }) => assert_eq!(found, fault),
        other => panic!("not invalid: {}", other.print()),
    }
}

#[test]
fn the_response_is_http_1_1() {
    let line = "HTTP/1.1 101 Switching Protocols";
    let version = ResponseFault::HttpVersion { version: Version::HTTP_10 };
    assert_invalid(example(line, "HTTP/1.0 101 Switching Protocols"), version);
    for malformed in ["HTTP/2 101 x", "HTTP/1.1 1x1 x", "HTTP/1.1 99 x", "HTTP/1.1 1010 x", "HELLO"]
    {
        assert_head_fault(example(line, malformed), HeadError::StartLine);
    }
    assert_head_fault("SSH-2.0-OpenSSH_9.2\r\n", HeadError::NotHttp { first: b'S' });
    assert_head_fault("\u{15}\u{3}\u{3}", HeadError::NotHttp { first: 0x15 });
    assert_head_fault(EXAMPLE.replace("\r\n", "\n"), HeadError::BareLineFeed);
    assert_head_fault(example_and("A: b\rc"), HeadError::BareCarriageReturn);
    assert_head_fault(example_and("A: b\r\n c"), HeadError::FoldedLine);
    assert_head_fault(example_and("A : b"), HeadError::FieldName);
    assert_head_fault(example_and("A: \0"), HeadError::FieldValue);
}

#[test]
fn a_head_is_limited_in_bytes_and_lines() {
    let with = |bytes_max, lines_max| {
        let mut limits = Limits::default();
        (limits.head_bytes_max, limits.head_lines_max) = (bytes_max, lines_max);
        let mut config = config();
        config.limits = Arc::new(limits);
        receive_with(&config, EXAMPLE.as_bytes())
    };
    assert!(matches!(with(EXAMPLE.len(), 3), Outcome::Opened(..)));
    let head = |outcome| match outcome {
        Outcome::Fault(HandshakeError::Head { fault, .. }) => fault,
        other => panic!("not a fault: {}", other.print()),
    };
    assert_eq!(head(with(EXAMPLE.len(), 2)), HeadError::TooManyLines { lines_max: 2 });
    let bytes_max = EXAMPLE.len() - 1;
    assert_eq!(head(with(bytes_max, 3)), HeadError::TooLarge { bytes_max });
}

#[test]
fn another_status_is_a_refusal_with_its_headers_and_body() {
    // RFC 6455 §4.1, "validate the server's response", item 1.
    let response =
        refused("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nX-A: b\r\n\r\nno-no later");
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["x-a"], "b");
    assert_eq!(response.body(), b"no-no");
    let chunked =
        "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno-\r\n2;x\r\nno\r\n0\r\n\r\n";
    assert_eq!(refused(chunked).body(), b"no-no");
    assert_eq!(refused("HTTP/1.1 204 No Content\r\n\r\n").body(), b"");
    assert_eq!(refused("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").body(), b"");
    // An old server knows nothing of upgrades; a handshake over HTTP/1.0 is refused like any other.
    assert_eq!(
        refused("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi").version(),
        Version::HTTP_10
    );
    let endless = format!("HTTP/1.1 404 Not Found\r\n\r\n{}", "a".repeat(5000));
    assert_eq!(refused(endless).body().len(), 4096);
}

#[test]
fn a_refusal_says_what_the_server_said() {
    let text = |input: &str| match receive(input) {
        Outcome::Fault(error) => error.to_string(),
        other => panic!("not a fault: {}", other.print()),
    };
    assert_eq!(
        text("HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\nno\u{1b} entrance\n"),
        "the server answered 403 Forbidden instead of 101: no\\u{1b} entrance"
    );
    assert_eq!(
        text("HTTP/1.1 301 Moved Permanently\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"),
        "the server answered 301 Moved Permanently instead of 101 and redirects to `/new`"
    );
    assert_eq!(
        text(&example("Connection: Upgrade", "")),
        "the server answered 101, but its response is invalid: it has no `Connection: Upgrade` \
         header (RFC 6455 §4.1)"
    );
}

#[test]
fn what_is_no_head_is_told_by_its_beginning() {
    let fault = |pieces: &[&[u8]]| match feed(config(), pieces.iter().copied()) {
        Outcome::Fault(error) => error,
        other => panic!("not a fault: {}", other.print()),
    };
    let error = fault(&[b"SSH-2.0-OpenSSH_9.2 \x1b[31m\r\nmore"]);
    assert_eq!(error.status(), None);
    let text = error.to_string();
    assert!(text.ends_with("; it begins with `SSH-2.0-OpenSSH_9.2 \\x1b[31m`"), "{text}");
    // The first line has come whole, and what follows it is wrong.
    let error = fault(&[b"HTTP/1.1 502 Bad", b" Gateway\r\nServer : x", b"\r\n\r\n"]);
    assert_eq!(error.status().map(|status| status.as_u16()), Some(502));
    let text = error.to_string();
    assert!(text.ends_with("; it begins with `HTTP/1.1 502 Bad Gateway`"), "{text}");
    let HandshakeError::Head { start, .. } = fault(&[&b"H".repeat(200), &b"x".repeat(17 << 10)])
    else {
        panic!("it is too large")
    };
    assert_eq!(start, [b"H".repeat(200), b"x".repeat(56)].concat(), "the first 256 bytes");
}

#[test]
fn a_body_that_the_upgrade_declares_is_told() {
    // RFC 9110 §15.2: a 1xx response has no content.
    let outcome = receive(example_and("Content-Length: 9\r\nX: y") + "some\x1bbody and more");
    let Outcome::Fault(HandshakeError::Invalid { fault, response }) = &outcome else {
        panic!("not invalid: {}", outcome.print())
    };
    assert_eq!((fault, &response.body()[..]), (&ResponseFault::Body, &b"some\x1bbody"[..]));
    let Outcome::Fault(error) = outcome else { unreachable!("it was one") };
    assert!(error.to_string().ends_with(": some\\u{1b}body"), "{error}");
    // What does not come is not waited for longer than the deadline; the fault stays what it is.
    let mut handshake = start(config());
    let begin = example_and("Transfer-Encoding: chunked") + "9\r\nso";
    assert!(matches!(handshake.receive(begin.as_bytes()), Ok(None)));
    match handshake.handle_timeout(handshake.deadline()) {
        Err(HandshakeError::Invalid { fault: ResponseFault::Body, response }) => {
            assert_eq!(response.body(), b"so");
        }
        other => panic!("not invalid: {other:?}"),
    }
}

#[test]
fn a_redirect_tells_where_to() {
    let fault = |input: &str| match receive(input) {
        Outcome::Fault(error) => error.location().map(str::to_owned),
        other => panic!("not a fault: {}", other.print()),
    };
    let line = "Location: wss://other.example/\r\nContent-Length: 0\r\n\r\n";
    let found = fault(&format!("HTTP/1.1 307 Temporary Redirect\r\n{line}"));
    assert_eq!(found.as_deref(), Some("wss://other.example/"));
    assert_eq!(fault(&format!("HTTP/1.1 403 Forbidden\r\n{line}")), None);
}

#[test]
fn the_end_of_the_transport_ends_the_handshake() {
    let end = |input: &str| match receive(input) {
        Outcome::Incomplete(mut handshake) => handshake.receive_end(),
        other => panic!("not incomplete: {}", other.print()),
    };
    assert!(matches!(end(""), HandshakeError::Closed { received_bytes: 0, .. }));
    assert!(matches!(end("HTTP/1.1 1"), HandshakeError::Closed { received_bytes: 10, .. }));
    match end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nuntil the end") {
        HandshakeError::Refused(response) => assert_eq!(response.body(), b"until the end"),
        other => panic!("not refused: {other}"),
    }
}

#[test]
fn the_deadline_counts_from_the_beginning() {
    let at = |seconds| Time::from_origin(Duration::from_secs(seconds));
    let mut handshake = start(config());
    assert_eq!(handshake.deadline(), at(10));
    assert!(matches!(handshake.receive(b"HTTP"), Ok(None)));
    assert!(handshake.handle_timeout(at(9)).is_ok());
    match handshake.handle_timeout(at(10)) {
        Err(HandshakeError::TimedOut { after, received_bytes, start }) => {
            assert_eq!((after, received_bytes), (Duration::from_secs(10), 4));
            assert_eq!(start, b"HTTP");
        }
        other => panic!("not timed out: {other:?}"),
    }
    // A refusal whose body does not come is still a refusal.
    let mut handshake = start(config());
    let begin = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno";
    assert!(matches!(handshake.receive(begin), Ok(None)));
    match handshake.handle_timeout(at(10)) {
        Err(HandshakeError::Refused(response)) => assert_eq!(response.body(), b"no"),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn parts_are_judged_as_bytes_are() {
    let handshake = start(config());
    let mut parts = http::Response::new(()).into_parts().0;
    parts.headers = HeaderMap::new();
    let error = handshake.confirm(&parts).expect_err("status 200");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(200));
    parts.status = http::StatusCode::SWITCHING_PROTOCOLS;
    let fields = [
        ("upgrade", "websocket", ResponseFault::UpgradeMissing),
        ("connection", "Upgrade", ResponseFault::ConnectionMissing),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ResponseFault::AcceptMissing),
    ];
    for (name, value, before) in fields {
        match handshake.confirm(&parts) {
            Err(HandshakeError::Invalid { fault, .. }) => assert_eq!(fault, before),
            other => panic!("not invalid: {other:?}"),
        }
        parts.headers.insert(name, HeaderValue::from_static(value));
    }
    assert!(handshake.confirm(&parts).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_outcome_in_any_chunking(
        input in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        receive(input);
    }

    #[test]
    fn a_damaged_response_gives_the_same_outcome_in_any_chunking(
        status in prop::sample::select(vec!["101", "100", "200", "403"]),
        framing in prop::sample::select(
            vec!["A: b", "Content-Length: 9", "Transfer-Encoding: chunked"],
        ),
        body in prop::sample::select(vec!["", "9\r\nsome body\r\n0\r\n\r\n"]),
        edits in prop::collection::vec((0..EXAMPLE.len(), any::<u8>(), 0..3_u8), 0..3),
    ) {
        let head = example_and(framing).replace("101", status);
        let mut input = [head, body.to_owned()].concat().into_bytes();
        for (at, byte, edit) in edits {
            let at = at.min(input.len() - 1);
            match edit {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                _ => drop(input.remove(at)),
            }
        }
        receive(input);
    }
}
