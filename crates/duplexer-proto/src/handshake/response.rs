//! A client's judgement of the response that opens a connection (RFC 6455 §4.1): a head with status
//! 101 in, what was agreed or the rule that was broken out. Opens nothing.

use std::fmt;
use std::sync::Arc;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE,
};
use http::{Response, Version};

use super::key::Key;
use super::negotiate::{ExtensionFault, Negotiated, confirm_answers, parse_offers};
use super::token::{Repeated, has_element, single};
use crate::extension::{Negotiator, Offer};

/// What the request asked for, against which its response is judged.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) key: Key,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) negotiators: Arc<[Arc<dyn Negotiator>]>,
    pub(crate) offers: Vec<Offer>,
}

/// Judges a response whose status is 101: the subprotocol and the extensions of the connection.
pub(crate) fn check_response<B>(
    response: &Response<B>,
    expected: &Expected,
) -> Result<(Option<String>, Negotiated), ResponseFault> {
    let headers = response.headers();
    if response.version() != Version::HTTP_11 {
        return Err(ResponseFault::HttpVersion { version: response.version() });
    }
    let upgrade = single(headers, &UPGRADE)
        .map_err(|Repeated| ResponseFault::UpgradeWrong)?
        .ok_or(ResponseFault::UpgradeMissing)?;
    if !upgrade.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return Err(ResponseFault::UpgradeWrong);
    }
    if !has_element(headers, &CONNECTION, "upgrade") {
        return Err(ResponseFault::ConnectionMissing);
    }
    let accept = single(headers, &SEC_WEBSOCKET_ACCEPT)
        .map_err(|Repeated| ResponseFault::AcceptRepeated)?
        .ok_or(ResponseFault::AcceptMissing)?;
    if accept.as_bytes().trim_ascii() != expected.key.accept().as_bytes() {
        return Err(ResponseFault::AcceptWrong);
    }
    // RFC 9110 §15.2: a 1xx response has no content. What follows the head are frames, whatever else it says.
    let length = headers.get_all(CONTENT_LENGTH).iter().any(|length| length.as_bytes() != b"0");
    if length || headers.contains_key(TRANSFER_ENCODING) {
        return Err(ResponseFault::Body);
    }
    let negotiated = judge_extensions(headers, expected)?;
    let subprotocol = judge_subprotocol(headers, expected)?;
    Ok((subprotocol, negotiated))
}

fn judge_extensions(headers: &HeaderMap, expected: &Expected) -> Result<Negotiated, ResponseFault> {
    single(headers, &SEC_WEBSOCKET_EXTENSIONS)
        .map_err(|Repeated| ResponseFault::ExtensionsRepeated)?;
    parse_offers(headers, &SEC_WEBSOCKET_EXTENSIONS)
        .map_err(ExtensionFault::Malformed)
        .and_then(|answers| confirm_answers(&expected.negotiators, &expected.offers, &answers))
        .map_err(ResponseFault::Extensions)
}

/// A server may leave the header out and so decline all subprotocols (RFC 6455 §4.2.2, item 5).
fn judge_subprotocol(
    headers: &HeaderMap,
    expected: &Expected,
) -> Result<Option<String>, ResponseFault> {
    let chosen = single(headers, &SEC_WEBSOCKET_PROTOCOL)
        .map_err(|Repeated| ResponseFault::SubprotocolRepeated)?;
    let Some(chosen) = chosen.map(|value| String::from_utf8_lossy(value.as_bytes())) else {
        return Ok(None);
    };
    match expected.subprotocols.iter().any(|offered| *offered == chosen) {
        true => Ok(Some(chosen.into_owned())),
        false if chosen.contains(',') => Err(ResponseFault::SubprotocolRepeated),
        false => Err(ResponseFault::SubprotocolNotOffered { name: chosen.into_owned() }),
    }
}

/// A response with status 101 breaks a rule, and so opens no connection (RFC 6455 §4.1).
///
/// ```
/// use duplexer_proto::handshake::ResponseFault;
/// let fault = ResponseFault::SubprotocolNotOffered { name: "chat".into() };
/// assert!(fault.to_string().contains("`chat`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseFault {
    /// The response is not HTTP/1.1.
    HttpVersion {
        /// The version of HTTP.
        version: Version,
    },
    /// There is no `Upgrade`.
    UpgradeMissing,
    /// `Upgrade` is not `websocket`, or is repeated.
    UpgradeWrong,
    /// `Connection` is absent or does not contain `Upgrade`.
    ConnectionMissing,
    /// There is no `Sec-WebSocket-Accept`.
    AcceptMissing,
    /// There is more than one `Sec-WebSocket-Accept`.
    AcceptRepeated,
    /// `Sec-WebSocket-Accept` does not answer the key: the response was made without reading the
    /// request.
    AcceptWrong,
    /// The response declares a body, which no response with status 101 has (RFC 9110 §15.2).
    Body,
    /// There is more than one `Sec-WebSocket-Extensions`.
    ExtensionsRepeated,
    /// `Sec-WebSocket-Extensions` is no possible answer to the offers.
    Extensions(ExtensionFault),
    /// The server chose more than one subprotocol.
    SubprotocolRepeated,
    /// The server chose a subprotocol that was not offered.
    SubprotocolNotOffered {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for ResponseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HttpVersion { version } => write!(f, "it is {version:?}, not HTTP/1.1")?,
            Self::UpgradeMissing => f.write_str("it has no Upgrade header")?,
            Self::UpgradeWrong => f.write_str("its Upgrade header is not `websocket`")?,
            Self::ConnectionMissing => f.write_str("it has no `Connection: Upgrade` header")?,
            Self::AcceptMissing => f.write_str("it has no Sec-WebSocket-Accept header")?,
            Self::AcceptRepeated => f.write_str("it has more than one Sec-WebSocket-Accept")?,
            Self::AcceptWrong => f.write_str(
                "its Sec-WebSocket-Accept does not answer the key, so it was not made for this \
                 request",
            )?,
            Self::Body => f.write_str("it declares a body, where frames are to follow")?,
            Self::ExtensionsRepeated => {
                f.write_str("it has more than one Sec-WebSocket-Extensions header")?;
            }
            Self::Extensions(fault) => write!(f, "{fault}")?,
            Self::SubprotocolRepeated => f.write_str("it chooses more than one subprotocol")?,
            Self::SubprotocolNotOffered { name } => write!(
                f,
                "it chooses the subprotocol `{}`, which was not offered",
                name.escape_debug()
            )?,
        }
        f.write_str(" (RFC 6455 §4.1)")
    }
}

impl std::error::Error for ResponseFault {}
