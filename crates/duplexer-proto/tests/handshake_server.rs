//! A server's opening handshake, rule by rule (RFC 6455 §4.2), from bytes and from parts. Each
//! input is fed whole, one byte at a time and split at every boundary.

use std::time::Duration;

use duplexer_proto::extension::{Offer, OfferError};
use duplexer_proto::handshake::{HeadError, KeyError, Request, RequestError};
use duplexer_proto::{Limits, Opening, Role, ServerConfig, ServerHandshake, Time, reject};
use http::header::HeaderValue;
use http::{Method, StatusCode, Version};
use proptest::prelude::*;

/// The request of RFC 6455 §1.2.
const EXAMPLE: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

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

/// What came of an input.
#[derive(Debug)]
enum Outcome {
    /// A request, and the bytes after it.
    WebSocket(Box<Request>, Vec<u8>),
    Plain(Vec<u8>),
    Fault(RequestError),
    Incomplete,
}

fn feed<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut handshake = ServerHandshake::new(limits, Time::ORIGIN);
    let mut pieces = pieces.into_iter();
    while let Some(piece) = pieces.next() {
        match handshake.receive(piece) {
            Ok(None) => {}
            Ok(Some(Opening::WebSocket { request, consumed })) => {
                let mut rest = piece[consumed..].to_vec();
                rest.extend(pieces.flatten());
                return Outcome::WebSocket(Box::new(request), rest);
            }
            Ok(Some(Opening::Plain { mut received })) => {
                received.extend(pieces.flatten());
                return Outcome::Plain(received);
            }
            Ok(Some(other)) => panic!("neither: {other:?}"),
            Err(error) => return Outcome::Fault(error),
        }
    }
    Outcome::Incomplete
}

/// What comes of an input, which is the same however it is cut.
fn receive_within(limits: &Limits, input: &[u8]) -> Outcome {
    let whole = feed(limits, [input]);
    let expected = format!("{whole:?}");
    assert_eq!(format!("{:?}", feed(limits, input.chunks(1))), expected, "one byte at a time");
    for at in 0..input.len() {
        let (left, right) = input.split_at(at);
        assert_eq!(format!("{:?}", feed(limits, [left, right])), expected, "split at {at}");
    }
    whole
}

fn receive(input: impl AsRef<[u8]>) -> Outcome {
    receive_within(&Limits::default(), input.as_ref())
}

#[track_caller]
fn request(input: impl AsRef<[u8]>) -> Request {
    match receive(input) {
        Outcome::WebSocket(request, _) => *request,
        other => panic!("not a request: {other:?}"),
    }
}

#[track_caller]
fn assert_fault(input: impl AsRef<[u8]>, expected: RequestError) {
    match receive(input) {
        Outcome::Fault(error) => assert_eq!(error, expected),
        other => panic!("not a fault: {other:?}"),
    }
}

#[track_caller]
fn assert_plain(input: impl AsRef<[u8]>) {
    match receive(input.as_ref()) {
        Outcome::Plain(received) => assert_eq!(received, input.as_ref()),
        other => panic!("not plain: {other:?}"),
    }
}

#[test]
fn the_example_of_the_rfc() {
    // RFC 6455 §1.2 and §1.3.
    let request = request(EXAMPLE);
    assert_eq!((request.path(), request.query()), ("/chat", None));
    assert_eq!(
        (request.host(), request.origin()),
        ("server.example.com", Some("http://example.com"))
    );
    assert_eq!(request.subprotocols(), ["chat", "superchat"]);
    assert_eq!(request.headers()["sec-websocket-version"], "13");
    assert_eq!(request.key().as_str(), "dGhlIHNhbXBsZSBub25jZQ==");

    let mut config = ServerConfig::default();
    config.subprotocols = vec!["chat".into()];
    let acceptance = request.accept(&config).expect("an acceptance");
    let answer = "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: chat\r\n\
        \r\n";
    assert_eq!(String::from_utf8_lossy(&acceptance.response_bytes()), answer);
    assert_eq!(acceptance.connection.role(), Role::Server);
    assert_eq!(acceptance.agreed.subprotocol.as_deref(), Some("chat"));
    assert_eq!(acceptance.agreed.extensions, "");
}

#[test]
fn bytes_after_the_head_are_not_part_of_it() {
    match receive(format!("{EXAMPLE}\u{1}\u{2}")) {
        Outcome::WebSocket(_, rest) => assert_eq!(rest, [1, 2]),
        other => panic!("not a request: {other:?}"),
    }
    assert!(matches!(receive(&EXAMPLE[..EXAMPLE.len() - 1]), Outcome::Incomplete));
}

#[test]
fn another_request_goes_on_to_an_http_stack_unchanged() {
    assert_plain("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_plain("\r\nPOST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na=b&");
    assert_plain("GET / HTTP/1.0\r\n\r\n");
    assert_plain("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_plain("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
    assert_plain("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c, x\r\n\r\n");
    // RFC 9113 §3.4: HTTP/2 without an upgrade.
    assert_plain("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0");
}

#[test]
fn the_method_is_get() {
    // RFC 6455 §4.1, item 2, and §4.2.1, item 1.
    for name in ["POST", "HEAD", "get"] {
        let method = Method::from_bytes(name.as_bytes()).expect("a method");
        let line = format!("{name} /chat HTTP/1.1");
        assert_fault(example("GET /chat HTTP/1.1", &line), RequestError::Method { method });
    }
}

#[test]
fn the_version_of_http_is_1_1() {
    // RFC 6455 §4.2.1, item 1; RFC 9110 §7.8 has servers ignore an upgrade over HTTP/1.0.
    let old = RequestError::HttpVersion { version: Version::HTTP_10 };
    assert_fault(example("GET /chat HTTP/1.1", "GET /chat HTTP/1.0"), old);
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/1", "HTTP/1.1 "] {
        let line = format!("GET /chat {version}");
        let fault = RequestError::Head(HeadError::StartLine);
        assert_fault(example("GET /chat HTTP/1.1", &line), fault);
    }
}

#[test]
fn the_target_is_a_path_or_an_absolute_uri() {
    // RFC 6455 §4.2.1, item 1; RFC 9112 §3.2.
    let target = |target: &str| example("GET /chat HTTP/1.1", &format!("GET {target} HTTP/1.1"));
    let facts = |text: &str| {
        let request = request(target(text));
        (request.path().to_owned(), request.query().map(str::to_owned), request.host().to_owned())
    };
    let own = "server.example.com".to_owned();
    assert_eq!(facts("/"), ("/".into(), None, own.clone()));
    assert_eq!(facts("/a%20b?c=d?e"), ("/a%20b".into(), Some("c=d?e".into()), own.clone()));
    assert_eq!(facts("//x/y"), ("//x/y".into(), None, own));
    // RFC 9112 §3.2.2: the target's host counts, not that of `Host`.
    assert_eq!(facts("http://h:81/p?q"), ("/p".into(), Some("q".into()), "h:81".into()));
    assert_eq!(facts("wss://[::1]"), ("/".into(), None, "[::1]".into()));
    for other in ["*", "h:80", "h", "ftp://h/", "http://u@h/", "/\u{e4}"] {
        assert_fault(target(other), RequestError::Target);
    }
    for malformed in ["/#top", "/a b", "http://", "http:///p", "/\u{7f}", "chat/room"] {
        assert_fault(target(malformed), RequestError::Head(HeadError::StartLine));
    }
}

#[test]
fn there_is_exactly_one_valid_host() {
    // RFC 6455 §4.2.1, item 2; RFC 9112 §3.2.
    let line = "Host: server.example.com";
    assert_fault(example(line, ""), RequestError::HostMissing);
    assert_fault(example_and(line), RequestError::HostRepeated);
    assert_fault(example_and("host: other.example.com"), RequestError::HostRepeated);
    for value in [
        "", "a b", "h:65536", "h:x", "h:+80", "h/p", "u@h", "h@h:80", "h:x:1", "[::1", "[::1]80",
        "[]x", "[]", "[h]", "[v.a]", "h[1]", ":80", "http://h", "\u{e4}",
    ] {
        assert_fault(example(line, &format!("Host: {value}")), RequestError::HostInvalid);
    }
    assert_eq!(request(example(line, "Host:\t[::1]:8080  ")).host(), "[::1]:8080");
    for value in ["h", "h:", "h:0", "[::1]", "[::1]:", "[v1.a:b]:80", "192.0.2.1:65535"] {
        assert_eq!(request(example(line, &format!("Host: {value}"))).host(), value);
    }
}

#[test]
fn upgrade_contains_websocket() {
    // RFC 6455 §4.2.1, item 3. Without it, the other headers show what was meant.
    assert_fault(example("Upgrade: websocket", ""), RequestError::UpgradeMissing);
    for value in ["", "h2c", "websockets", "websocket/13", "\"websocket\""] {
        let input = example("Upgrade: websocket", &format!("Upgrade: {value}"));
        assert_fault(input, RequestError::UpgradeMissing);
    }
    for value in ["WebSocket", "WEBSOCKET", "h2c, websocket", "h2c\r\nUpgrade: websocket"] {
        request(example("Upgrade: websocket", &format!("Upgrade: {value}")));
    }
}

#[test]
fn connection_contains_upgrade() {
    // RFC 6455 §4.2.1, item 4.
    for line in ["", "Connection: close", "Connection: keep-alive", "Connection: Upgraded"] {
        assert_fault(example("Connection: Upgrade", line), RequestError::ConnectionMissing);
    }
    for value in ["upgrade", "keep-alive, Upgrade", ",UPGRADE ,", "close\r\nConnection: Upgrade"] {
        request(example("Connection: Upgrade", &format!("Connection: {value}")));
    }
}

#[test]
fn the_key_is_there_once_and_is_sixteen_bytes_in_base64() {
    // RFC 6455 §4.2.1, item 5, and §11.3.1.
    let line = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    assert_fault(example(line, ""), RequestError::KeyMissing);
    assert_fault(example_and(line), RequestError::KeyRepeated);
    let key = |value: &str| example(line, &format!("Sec-WebSocket-Key: {value}"));
    let len = |len| RequestError::KeyInvalid(KeyError::Length { len });
    assert_fault(key(""), len(0));
    assert_fault(key("dGhlIHNhbXBsZSBub25jZQ"), len(22));
    assert_fault(key(&"A".repeat(2000)), len(2000));
    for value in
        ["dGhlIHNhbXBsZSBub25jZUE=", "dGhlIHNhbXBsZSBub25jZUFB", "dGhlIHNhbXBs-SBub25jZQ=="]
    {
        assert_fault(key(value), RequestError::KeyInvalid(KeyError::NotBase64));
    }
    // The RFC's own misprint in §4.1, whose last digit has bits to spare.
    assert_eq!(
        request(key("AQIDBAUGBwgJCgsMDQ4PEC==")).key().accept(),
        "OfS0wDaT5NoxF2gqm7Zj2YtetzM="
    );
}

#[test]
fn the_version_is_13() {
    // RFC 6455 §4.2.1, item 6, §4.4 and §11.3.5.
    let line = "Sec-WebSocket-Version: 13";
    assert_fault(example(line, ""), RequestError::VersionMissing);
    assert_fault(example_and(line), RequestError::VersionRepeated);
    assert_fault(example(line, "Sec-WebSocket-Version: 13, 8"), RequestError::VersionRepeated);
    for version in ["8", "0", "14", "013", "13.0", "255", "x", ""] {
        let fault = RequestError::VersionUnsupported { version: version.to_owned() };
        let response = fault.response();
        assert_fault(example(line, &format!("Sec-WebSocket-Version: {version}")), fault);
        // "[...] an appropriate HTTP error code (such as 426 Upgrade Required) and a
        // |Sec-WebSocket-Version| header field indicating the version(s) the server is capable of
        // understanding." (§4.2.2, item 4)
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
    }
}

#[test]
fn origin_is_optional_but_not_ambiguous() {
    // RFC 6455 §4.2.1, item 7; RFC 6454 §7.
    let line = "Origin: http://example.com";
    assert_eq!(request(example(line, "")).origin(), None);
    assert_eq!(request(example(line, "Origin: null")).origin(), Some("null"));
    assert_fault(example_and("Origin: http://other.example"), RequestError::OriginRepeated);
    assert_fault(example(line, "Origin: http://\u{e4}"), RequestError::OriginInvalid);
}

#[test]
fn subprotocols_are_distinct_tokens() {
    // RFC 6455 §4.1, item 10, and §11.3.4.
    let line = "Sec-WebSocket-Protocol: chat, superchat";
    let value = |value: &str| example(line, &format!("Sec-WebSocket-Protocol: {value}"));
    assert!(request(example(line, "")).subprotocols().is_empty());
    assert_eq!(request(value("b ,a,,\t B")).subprotocols(), ["b", "a", "B"]);
    assert_eq!(request(value("b\r\nSec-WebSocket-Protocol: a")).subprotocols(), ["b", "a"]);
    for (list, name) in
        [("", ""), (" , ", ""), ("a b", "a b"), ("a, \"b\"", "\"b\""), ("a,\u{e4}", "\u{e4}")]
    {
        assert_fault(value(list), RequestError::SubprotocolInvalid { name: name.to_owned() });
    }
    let repeated = || RequestError::SubprotocolRepeated { name: "a".to_owned() };
    assert_fault(value("a, b, a"), repeated());
    assert_fault(value("a\r\nSec-WebSocket-Protocol: a"), repeated());
}

#[test]
fn extensions_are_of_the_grammar() {
    // RFC 6455 §9.1: "the recipient of such malformed data MUST immediately _Fail the WebSocket
    // Connection_".
    let offers = |value: &str| request(example_and(&format!("Sec-WebSocket-Extensions: {value}")));
    assert!(request(EXAMPLE).extensions().is_empty());
    let two = offers("a; x=1\r\nSec-WebSocket-Extensions: b");
    assert_eq!(two.extensions(), [Offer::new("a").with_value("x", 1), Offer::new("b")]);
    let malformed = "Sec-WebSocket-Extensions: a;";
    let fault = OfferError::NameMissing { at: 2 };
    assert_fault(example_and(malformed), RequestError::Extensions(fault));
    let empty = "Sec-WebSocket-Extensions: ,";
    let fault = OfferError::NameMissing { at: 0 };
    assert_fault(example_and(empty), RequestError::Extensions(fault));
}

#[test]
fn an_upgrade_has_no_body() {
    for line in [
        "Content-Length: 1",
        "Content-Length: 0, 0",
        "Content-Length: -0",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Content-Length: 0\r\nContent-Length: 0",
    ] {
        assert_fault(example_and(line), RequestError::Body);
    }
    request(example_and("Content-Length: 0"));
}

#[test]
fn a_head_that_two_programs_could_read_differently_is_refused() {
    // RFC 9112 §2.2, §5; RFC 9110 §5.5.
    let cases = [
        (example_and("A: b\nC: d"), HeadError::BareLineFeed),
        (EXAMPLE.replace("\r\n", "\n"), HeadError::BareLineFeed),
        (example_and("A: b\rC: d"), HeadError::BareCarriageReturn),
        (example_and("A: b\r\r\nC: d"), HeadError::BareCarriageReturn),
        (example_and("A: b\r\n c"), HeadError::FoldedLine),
        (example_and("A: b\r\n\tc"), HeadError::FoldedLine),
        (example_and("A : b"), HeadError::FieldName),
        (example_and("A b: c"), HeadError::FieldName),
        (example_and(": c"), HeadError::FieldName),
        (example_and("A"), HeadError::FieldName),
        (example_and("\u{e4}: b"), HeadError::FieldName),
        (example_and("A: b\0c"), HeadError::FieldValue),
        (example_and("A: b\u{1b}c"), HeadError::FieldValue),
        (example_and("A: b\u{7f}c"), HeadError::FieldValue),
        (example("GET /chat HTTP/1.1", "GET  /chat HTTP/1.1"), HeadError::StartLine),
        (example("GET /chat HTTP/1.1", "GET /chat  HTTP/1.1"), HeadError::StartLine),
        (example("GET /chat HTTP/1.1", "GET /chat"), HeadError::StartLine),
        (example("GET /chat HTTP/1.1", "G\"T /chat HTTP/1.1"), HeadError::StartLine),
        (example("GET /chat HTTP/1.1", " GET /chat HTTP/1.1"), HeadError::NotHttp { first: b' ' }),
        ("\u{16}\u{3}\u{1}".to_owned(), HeadError::NotHttp { first: 0x16 }),
        ("\n".to_owned(), HeadError::BareLineFeed),
    ];
    for (input, fault) in cases {
        assert_fault(input, RequestError::Head(fault));
    }
    // RFC 9112 §2.2: empty lines before a request are passed over.
    request(format!("\r\n\r\n{EXAMPLE}"));
}

#[test]
fn a_head_is_limited_in_bytes_and_lines() {
    let mut limits = Limits::default();
    limits.head_bytes_max = EXAMPLE.len();
    limits.head_lines_max = 7;
    let within = format!("{EXAMPLE}after");
    assert!(matches!(receive_within(&limits, within.as_bytes()), Outcome::WebSocket(..)));

    limits.head_lines_max = 6;
    let Outcome::Fault(error) = receive_within(&limits, EXAMPLE.as_bytes()) else { panic!() };
    assert_eq!(error, RequestError::Head(HeadError::TooManyLines { lines_max: 6 }));
    assert_eq!(error.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);

    limits.head_lines_max = 100;
    limits.head_bytes_max = EXAMPLE.len() - 1;
    let Outcome::Fault(error) = receive_within(&limits, EXAMPLE.as_bytes()) else { panic!() };
    assert_eq!(error, RequestError::Head(HeadError::TooLarge { bytes_max: EXAMPLE.len() - 1 }));
    assert_eq!(error.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    // Empty lines count, too.
    assert!(matches!(receive_within(&limits, &b"\r\n".repeat(500)), Outcome::Fault(_)));
}

#[test]
fn a_head_that_dribbles_in_costs_as_much_as_its_length() {
    // Two million bytes, one at a time: looking at each twice is nothing, looking at all each time
    // takes hours.
    let mut limits = Limits::default();
    limits.head_bytes_max = 3 << 20;
    let head = example_and(&format!("A: {}", "b".repeat(2 << 20)));
    assert!(matches!(feed(&limits, head.as_bytes().chunks(1)), Outcome::WebSocket(..)));
    let many = example_and(&format!("Sec-WebSocket-Protocol: {}", many_names(200_000)));
    assert!(matches!(feed(&limits, [many.as_bytes()]), Outcome::WebSocket(..)));
}

/// So many different tokens.
fn many_names(count: usize) -> String {
    (0..count).map(|number| format!("n{number}")).collect::<Vec<_>>().join(",")
}

#[test]
fn the_deadline_counts_from_the_beginning() {
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_secs(3);
    let start = Time::from_origin(Duration::from_secs(100));
    let mut handshake = ServerHandshake::new(&limits, start);
    assert_eq!(handshake.deadline(), start + Duration::from_secs(3));
    assert!(matches!(handshake.receive(b"GET /"), Ok(None)));
    assert_eq!(handshake.handle_timeout(start + Duration::from_millis(2999)), Ok(()));
    let late = handshake.handle_timeout(start + Duration::from_secs(3));
    let fault = RequestError::TimedOut { after: Duration::from_secs(3) };
    assert_eq!(fault.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(late, Err(fault));
}

#[test]
fn the_answer_to_a_fault_names_it() {
    // RFC 9110 §15.5.22: a 426 has `Upgrade`; §15.5.6: a 405 has `Allow`.
    let answer = |fault: RequestError| {
        String::from_utf8(reject(&fault.response()).expect("an error")).expect("ASCII")
    };
    assert_eq!(
        answer(RequestError::VersionMissing),
        "HTTP/1.1 426 Upgrade Required\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Connection: Upgrade, close\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Content-Length: 49\r\n\
         \r\n\
         no Sec-WebSocket-Version header (RFC 6455 §4.1)\n"
    );
    let method = answer(RequestError::Method { method: Method::POST });
    assert!(method.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{method}");
    assert!(method.contains("\r\nAllow: GET\r\n") && method.contains("\r\nConnection: close\r\n"));
    let key = answer(RequestError::KeyMissing);
    assert!(key.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{key}");
    let hostile = answer(RequestError::VersionUnsupported { version: "8\u{1b}[2J".into() });
    assert!(!hostile.contains('\u{1b}'), "{hostile}");
}

#[test]
fn parts_are_judged_as_bytes_are() {
    let mut parts = http::Request::new(()).into_parts().0;
    assert_eq!(Request::from_parts(&parts).err(), Some(RequestError::HostMissing));
    let fields = [
        ("host", "h", RequestError::UpgradeMissing),
        ("upgrade", "websocket", RequestError::ConnectionMissing),
        ("connection", "Upgrade", RequestError::VersionMissing),
        ("sec-websocket-version", "13", RequestError::KeyMissing),
    ];
    for (name, value, next) in fields {
        parts.headers.insert(name, HeaderValue::from_static(value));
        assert_eq!(Request::from_parts(&parts).err(), Some(next));
    }
    let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
    parts.headers.insert("sec-websocket-key", key);
    assert!(Request::from_parts(&parts).is_ok());
    parts.version = Version::HTTP_2;
    let version = RequestError::HttpVersion { version: Version::HTTP_2 };
    assert_eq!(Request::from_parts(&parts).err(), Some(version));
}

/// What an HTTP stack would have read of a head that is a request: judged again, it is the same request.
fn judge_again(request: &Request) {
    let mut parts = http::Request::new(()).into_parts().0;
    (parts.uri, parts.headers) = (request.uri().clone(), request.headers().clone());
    let again = Request::from_parts(&parts).expect("it was valid before");
    assert_eq!(format!("{again:?}"), format!("{request:?}"));
    assert!(Request::is_attempted(request.headers()));
    let origin = request.headers().get("origin").map(HeaderValue::as_bytes);
    assert_eq!(request.origin().map(str::as_bytes), origin);
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_outcome_in_any_chunking(
        input in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        receive(input);
    }

    #[test]
    fn a_damaged_request_gives_the_same_outcome_in_any_chunking(
        edits in prop::collection::vec((0..EXAMPLE.len(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut input = EXAMPLE.as_bytes().to_vec();
        for (at, byte, edit) in edits {
            let at = at.min(input.len() - 1);
            match edit {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                _ => drop(input.remove(at)),
            }
        }
        if let Outcome::WebSocket(request, _) = receive(input) {
            judge_again(&request);
        }
    }
}
