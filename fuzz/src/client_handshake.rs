//! A client's opening handshake: any bytes as the answer to one request, in any chunking.

use std::sync::Arc;

use duplexer_proto::extension::Negotiator;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::{ClientConfig, ClientHandshake, HandshakeError, Time, WsUri};

/// The same comes of an answer however it is cut; what opens the connection has the one accept
/// value, agrees to no more than was offered, and nothing is awaited beyond the limits.
pub fn client_handshake(data: &[u8]) {
    let whole = read(data, usize::MAX);
    for size in [1, 7, 100] {
        assert_eq!(read(data, size), whole, "pieces of {size}");
    }
    redirect(&String::from_utf8_lossy(data));
}

/// Whatever a server names as another place is a URI that can be asked, or none.
fn redirect(text: &str) {
    for place in text
        .lines()
        .flat_map(|line| [line.to_owned(), format!("ws://{line}"), format!("wss://u:p@h/{line}")])
    {
        match WsUri::parse(&place) {
            Ok(uri) => {
                assert!(uri.path().starts_with('/') && !uri.host().is_empty());
                assert!(uri.resource_name().starts_with(uri.path()));
                assert!(uri.authority().contains(uri.host()));
                assert!(uri.to_string().starts_with(uri.scheme()));
                let _ = (uri.query(), uri.username(), uri.password(), uri.port(), uri.is_secure());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// Offers two subprotocols and permessage-deflate, with the key of RFC 6455 §1.3.
fn handshake() -> ClientHandshake {
    let mut config = ClientConfig::default();
    let deflate: Arc<dyn Negotiator> = Arc::new(Deflate::takeover().client_window_bits(12));
    config.negotiators = Arc::new([deflate]);
    config.subprotocols = vec!["chat".into(), "superchat".into()];
    let uri: WsUri = "ws://server.example.com/chat".parse().expect("a URI");
    ClientHandshake::new(&uri, config, *b"the sample nonce", Time::ORIGIN)
        .expect("no reserved header")
}

/// What came of the answer, in words.
fn read(data: &[u8], size: usize) -> String {
    let mut handshake = handshake();
    let mut before = 0;
    for piece in data.chunks(size.min(data.len().max(1))) {
        match handshake.receive(piece) {
            Ok(None) => before += piece.len(),
            Ok(Some((consumed, opened))) => {
                let accept = &opened.response.headers()["sec-websocket-accept"];
                assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
                let subprotocol = opened.agreed.subprotocol.as_deref();
                assert!(matches!(subprotocol, None | Some("chat" | "superchat")));
                assert!(opened.agreed.extensions.matches("permessage-deflate").count() <= 1);
                return format!("{} {:?} {:?}", before + consumed, opened.response, opened.agreed);
            }
            // How much of what is no head had come with its fault depends on the pieces.
            Err(HandshakeError::Head { fault, .. }) => return fault.to_string(),
            Err(error) => return error.to_string(),
        }
    }
    // A response that refuses has a body of 4 KiB at most; interim ones may come before.
    handshake.receive_end().to_string()
}
