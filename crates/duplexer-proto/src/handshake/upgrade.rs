//! The two messages of an upgrade over HTTP/1.1 as this end writes them (RFC 6455 §4.1, §4.2.2),
//! and the headers that are reserved for that.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response, StatusCode, Uri};

use super::head::{WRITTEN_BYTES_USUAL, write_fields};
use super::key::Key;
use super::negotiate::{list_value, offers_value};
use crate::extension::Offer;
use crate::uri::WsUri;

/// Whether the handshake alone decides on this header, so that a caller may not set it.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    [HOST, UPGRADE, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name)
        || name.as_str().starts_with("sec-websocket-")
}

/// The first of `headers` that is reserved.
pub(crate) fn find_reserved(headers: &HeaderMap) -> Option<HeaderName> {
    headers.keys().find(|name| is_reserved(name)).cloned()
}

/// A client's request (RFC 6455 §4.1). `subprotocols` are tokens, and none of `headers` is
/// reserved.
pub(crate) fn make_request(
    uri: &WsUri,
    key: &Key,
    subprotocols: &[String],
    offers: &[Offer],
    headers: &HeaderMap,
) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from(uri.resource().clone());
    let fields = request.headers_mut();
    fields.insert(HOST, text_value(uri.authority()));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(SEC_WEBSOCKET_KEY, text_value(key.as_str()));
    fields.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if !subprotocols.is_empty() {
        fields.insert(SEC_WEBSOCKET_PROTOCOL, text_value(&subprotocols.join(", ")));
    }
    if let Some(list) = offers_value(offers) {
        fields.insert(SEC_WEBSOCKET_EXTENSIONS, list);
    }
    fields.extend(headers.clone());
    request
}

/// A server's answer that opens the connection (RFC 6455 §4.2.2, item 5). `subprotocol` is a token,
/// `extensions` a list of offers or empty, and none of `headers` is reserved.
pub(crate) fn make_response(
    key: &Key,
    subprotocol: Option<&str>,
    extensions: &str,
    headers: &HeaderMap,
) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(SEC_WEBSOCKET_ACCEPT, text_value(&key.accept()));
    if let Some(subprotocol) = subprotocol {
        fields.insert(SEC_WEBSOCKET_PROTOCOL, text_value(subprotocol));
    }
    if !extensions.is_empty() {
        fields.insert(SEC_WEBSOCKET_EXTENSIONS, list_value(extensions.to_owned()));
    }
    fields.extend(headers.clone());
    response
}

/// The same answer as bytes, behind what `output` has.
pub(crate) fn write_answer(
    key: &Key,
    subprotocol: Option<&str>,
    extensions: &str,
    headers: &HeaderMap,
    output: &mut Vec<u8>,
) {
    output.reserve(WRITTEN_BYTES_USUAL);
    output.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\n\
          Upgrade: websocket\r\n\
          Connection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    output.extend_from_slice(&key.accept_text());
    for (name, value) in [
        ("\r\nSec-WebSocket-Protocol: ", subprotocol.unwrap_or_default()),
        ("\r\nSec-WebSocket-Extensions: ", extensions),
    ] {
        if !value.is_empty() {
            output.extend_from_slice(name.as_bytes());
            output.extend_from_slice(value.as_bytes());
        }
    }
    output.extend_from_slice(b"\r\n");
    write_fields(headers, output);
}

/// A header's value from text that its type, or the caller's promise, keeps to visible ASCII.
fn text_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("hosts, base64 and tokens are visible ASCII")
}
