//! A server's opening handshake from any bytes in any chunking, and its answers read by others.

use std::sync::Arc;

use duplexer_proto::extension::Negotiator;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::handshake::{Request, RequestError};
use duplexer_proto::{Limits, Opening, ServerConfig, ServerHandshake, Time, reject};

/// The same comes of a head however it is cut; nothing is awaited beyond the limits; every answer
/// is one valid HTTP/1.1 head, with the accept value that others compute.
pub fn server_handshake(data: &[u8]) {
    let whole = read(data, usize::MAX);
    for size in [1, 7, 100] {
        let cut = read(data, size);
        assert_eq!(format!("{cut:?}"), format!("{whole:?}"), "pieces of {size}");
    }
    match whole {
        Outcome::Waits => assert!(data.len() <= Limits::default().head_bytes_max + 4),
        Outcome::Plain => {}
        Outcome::WebSocket(request, consumed) => {
            assert!(consumed <= data.len());
            check_acceptance(&request);
        }
        Outcome::Refused(error) => {
            let refusal = reject(&error.response()).expect("a refusal refuses");
            check_head(&refusal, |code| (400..600).contains(&code));
        }
    }
}

#[derive(Debug)]
enum Outcome {
    Waits,
    Plain,
    WebSocket(Box<Request>, usize),
    Refused(RequestError),
}

fn read(data: &[u8], size: usize) -> Outcome {
    let mut handshake = ServerHandshake::new(&Limits::default(), Time::ORIGIN);
    let mut before = 0;
    for piece in data.chunks(size.min(data.len().max(1))) {
        match handshake.receive(piece) {
            Ok(None) => before += piece.len(),
            Ok(Some(Opening::WebSocket { request, consumed })) => {
                return Outcome::WebSocket(Box::new(request), before + consumed);
            }
            Ok(Some(Opening::Plain { received })) => {
                assert_eq!(received, data[..before + piece.len()]);
                return Outcome::Plain;
            }
            Ok(Some(other)) => panic!("not known to the fuzzer: {other:?}"),
            Err(error) => return Outcome::Refused(error),
        }
    }
    Outcome::Waits
}

fn check_acceptance(request: &Request) {
    let mut config = ServerConfig::default();
    let deflate: Arc<dyn Negotiator> = Arc::new(Deflate::takeover());
    config.negotiators = Arc::new([deflate]);
    config.subprotocols = vec!["chat".into(), "superchat".into()];
    let acceptance = request.accept(&config).expect("no reserved header");
    let bytes = acceptance.response_bytes();
    check_head(&bytes, |code| code == 101);
    let headers = acceptance.response.headers();
    let accept = tungstenite::handshake::derive_accept_key(request.key().as_str().as_bytes());
    assert_eq!(headers["sec-websocket-accept"], accept);
    assert_eq!(
        headers.get_all("sec-websocket-protocol").iter().count(),
        usize::from(acceptance.agreed.subprotocol.is_some())
    );
    if let Some(chosen) = &acceptance.agreed.subprotocol {
        assert!(request.subprotocols().contains(chosen) && config.subprotocols.contains(chosen));
    }
}

/// One head, nothing behind it but a body where a length is given, and as many lines as there are
/// headers: nothing of the request can have added one.
fn check_head(bytes: &[u8], expected: impl Fn(u16) -> bool) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(len)) = response.parse(bytes) else {
        panic!("not a response: {:?}", String::from_utf8_lossy(bytes));
    };
    assert!(response.code.is_some_and(expected));
    let lines = bytes[..len].iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, response.headers.len() + 2);
    let body =
        response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body_len = body.map_or(0, |header| {
        let value = std::str::from_utf8(header.value).expect("digits");
        value.parse().expect("a number")
    });
    assert_eq!(bytes.len() - len, body_len);
}
