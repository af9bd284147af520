//! A server's answer to a valid request (RFC 6455 §4.2.2): subprotocol, extensions, headers, and
//! refusals.

mod handshake_toy;

use duplexer_proto::frame::Rsv;
use duplexer_proto::handshake::Request;
use duplexer_proto::{AnswerError, ServerConfig, reject};
use handshake_toy::toys;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};

/// The request of RFC 6455 §1.2, with this header, too.
fn example_and(name: &'static str, value: &str) -> Request {
    let request = http::Request::get("/chat")
        .header("Host", "server.example.com")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Protocol", "chat, superchat")
        .header("Sec-WebSocket-Version", "13")
        .header(name, value);
    let parts = request.body(()).expect("a request").into_parts().0;
    Request::from_parts(&parts).expect("a valid request")
}

fn example() -> Request {
    example_and("Origin", "http://example.com")
}

#[test]
fn the_server_prefers_among_the_subprotocols_of_the_client() {
    // RFC 6455 §4.2.2, item 4: "[...] selecting one of the values from the |Sec-WebSocket-Protocol|
    // field".
    let request = example();
    let chosen = |names: &[&str]| {
        let mut config = ServerConfig::default();
        config.subprotocols = names.iter().map(|&name| name.to_owned()).collect();
        let acceptance = request.accept(&config).expect("an acceptance");
        let header = acceptance.response.headers().get("sec-websocket-protocol").cloned();
        assert_eq!(header.is_some(), acceptance.agreed.subprotocol.is_some());
        acceptance.agreed.subprotocol
    };
    assert_eq!(chosen(&["superchat", "chat"]).as_deref(), Some("superchat"));
    assert_eq!(chosen(&["other", "chat"]).as_deref(), Some("chat"));
    assert_eq!(chosen(&["CHAT"]), None);
    assert_eq!(chosen(&[]), None);

    let config = ServerConfig::default();
    let explicit = |name| request.accept_with(&config, Some(name), &HeaderMap::new());
    assert_eq!(explicit("chat").expect("offered").agreed.subprotocol.as_deref(), Some("chat"));
    let error = AnswerError::SubprotocolNotOffered { name: "other".into() };
    assert_eq!(explicit("other").err(), Some(error));
}

#[test]
fn extensions_are_accepted_in_the_order_of_the_client() {
    // RFC 6455 §4.2.2, item 5, and §9.1.
    let agreed = |offers: &str, known: &[(&'static str, Rsv)]| {
        let request = example_and("Sec-WebSocket-Extensions", offers);
        let mut config = ServerConfig::default();
        config.negotiators = toys(known);
        let acceptance = request.accept(&config).expect("an acceptance");
        let header = acceptance.response.headers().get("sec-websocket-extensions");
        let header = header.map_or("", |value| value.to_str().expect("ASCII"));
        assert_eq!(header, acceptance.agreed.extensions);
        header.to_owned()
    };
    let both = [("a", Rsv::RSV1), ("b", Rsv::RSV2)];
    assert_eq!(agreed("b, a", &both), "b, a");
    assert_eq!(agreed("unknown, a", &both), "a");
    assert_eq!(agreed("A", &both), "", "names are compared exactly");
    assert_eq!(agreed("a; x, a; y, a, a", &both), "a", "the first offer that is acceptable, once");
    assert_eq!(agreed("a", &[]), "");
    let rivals = [("a", Rsv::RSV1), ("b", Rsv::RSV1.union(Rsv::RSV2)), ("c", Rsv::EMPTY)];
    assert_eq!(agreed("c, b, a", &rivals), "b", "the bits of one are not given to another");
}

#[test]
fn headers_may_be_added_but_not_those_of_the_handshake() {
    let request = example();
    let mut config = ServerConfig::default();
    config.headers.insert("server", HeaderValue::from_static("duplexer"));
    config.headers.insert("x-a", HeaderValue::from_static("1"));
    let mut own = HeaderMap::new();
    own.append("set-cookie", HeaderValue::from_static("a=b"));
    own.append("set-cookie", HeaderValue::from_static("c=d"));
    own.insert("x-a", HeaderValue::from_static("2"));
    let acceptance = request.accept_with(&config, None, &own).expect("an acceptance");
    let text = String::from_utf8(acceptance.response_bytes()).expect("ASCII");
    let added = "\r\nServer: duplexer\r\nX-A: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n";
    assert!(text.ends_with(added), "{text}");
    for name in [
        "upgrade",
        "connection",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "content-length",
        "transfer-encoding",
    ] {
        let name = http::HeaderName::from_static(name);
        let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("0"))]);
        let error = Some(AnswerError::HeaderReserved { name });
        assert_eq!(request.accept_with(&config, None, &headers).err(), error);
        let mut config = ServerConfig::default();
        config.headers = headers;
        assert_eq!(request.accept(&config).err(), error);
    }
}

#[test]
fn a_refusal_has_one_length_and_closes() {
    let response = http::Response::builder()
        .status(401)
        .header("WWW-Authenticate", "Basic")
        .header("Connection", "keep-alive")
        .header("Content-Length", "999")
        .header("Transfer-Encoding", "chunked")
        .body("no");
    let bytes = reject(&response.expect("a response")).expect("a refusal");
    let expected = "HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Basic\r\nConnection: close\r\n\
        Content-Length: 2\r\n\r\nno";
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
    for status in [StatusCode::CONTINUE, StatusCode::SWITCHING_PROTOCOLS] {
        let mut response = http::Response::new("");
        *response.status_mut() = status;
        assert_eq!(reject(&response), Err(AnswerError::StatusInformational { status }));
    }
    let mut empty = http::Response::new("ignored");
    *empty.status_mut() = StatusCode::NO_CONTENT;
    let bytes = reject(&empty).expect("a refusal");
    assert_eq!(bytes, b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

#[test]
fn an_answer_written_at_once_is_the_one_that_is_made_field_by_field() {
    // RFC 6455 §4.2.2, item 5; the order of the fields is the same, too.
    let offers = "x-one; a=1, x-two, x-one";
    for known in [&[][..], &[("x-one", Rsv::RSV1)], &[("x-two", Rsv::RSV2), ("x-one", Rsv::RSV1)]] {
        for subprotocols in [&[][..], &["superchat"], &["other"]] {
            for headers in [&[][..], &[("x-a", "1"), ("server", "s"), ("x-a", "2")]] {
                let request = example_and("Sec-WebSocket-Extensions", offers);
                let mut config = ServerConfig::default();
                config.negotiators = toys(known);
                config.subprotocols = subprotocols.iter().map(|&name| name.to_owned()).collect();
                for &(name, value) in headers {
                    config.headers.append(name, HeaderValue::from_static(value));
                }
                let made = request.accept(&config).expect("an acceptance");
                let mut written = b"before".to_vec();
                let (_, agreed) = request.accept_into(&config, &mut written).expect("accepted");
                assert_eq!(agreed, made.agreed);
                let expected = [&b"before"[..], &made.response_bytes()].concat();
                assert_eq!(String::from_utf8(written), String::from_utf8(expected));
            }
        }
    }
    let mut config = ServerConfig::default();
    config.headers.insert("upgrade", HeaderValue::from_static("h2c"));
    let mut nothing = Vec::new();
    let error = example().accept_into(&config, &mut nothing).err();
    assert_eq!(error, Some(AnswerError::HeaderReserved { name: http::header::UPGRADE }));
    assert!(nothing.is_empty());
}
