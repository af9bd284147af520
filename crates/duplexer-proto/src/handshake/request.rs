//! A server's judgement of an opening handshake's request (RFC 6455 §4.2.1): a head in, what was
//! asked or the rule that was broken out. Answers nothing and opens nothing.

use core::net::Ipv6Addr;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::uri::{Authority, Uri};
use http::{Method, Response, StatusCode, Version};

use super::fields::{Deciding, EXTENSIONS, Headers, SUBPROTOCOLS, values};
use super::head::{Head, HeadError, RequestHead};
use super::key::{Key, KeyError};
use super::negotiate::parse_list;
use super::token::{Repeated, elements, has_element, is_token};
use crate::extension::{Offer, OfferError};

/// A valid request for a WebSocket connection (RFC 6455 §4.2.1).
///
/// ```
/// use duplexer_proto::handshake::Request;
/// let request = http::Request::get("/chat?room=1")
///     .header("Host", "server.example.com")
///     .header("Upgrade", "websocket")
///     .header("Connection", "Upgrade")
///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .header("Sec-WebSocket-Protocol", "chat, superchat")
///     .header("Sec-WebSocket-Version", "13");
/// let request = Request::from_parts(&request.body(()).expect("a request").into_parts().0)?;
/// assert_eq!((request.path(), request.host()), ("/chat", "server.example.com"));
/// assert_eq!(request.subprotocols(), ["chat", "superchat"]);
/// # Ok::<(), duplexer_proto::handshake::RequestError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    /// In origin-form, or in absolute-form with an authority.
    uri: Uri,
    headers: Headers,
    key: Key,
    host: Authority,
    origin: Option<HeaderValue>,
    /// Tokens; none twice.
    subprotocols: Vec<String>,
    offers: Vec<Offer>,
}

impl Request {
    /// Whether a request with these headers asks for a WebSocket connection, rightly or wrongly: it
    /// names the protocol in `Upgrade`, or has a header that nothing else uses. (A proxy on the way
    /// may have removed `Upgrade`.)
    #[must_use]
    pub fn is_attempted(headers: &HeaderMap) -> bool {
        headers.contains_key(SEC_WEBSOCKET_KEY)
            || headers.contains_key(SEC_WEBSOCKET_VERSION)
            || has_element(headers, &UPGRADE, "websocket")
    }

    /// Judges a request that an HTTP stack has read.
    ///
    /// # Errors
    /// The rule of RFC 6455 §4.2.1 that the request breaks; [`RequestError::response`] is what to
    /// answer.
    pub fn from_parts(parts: &http::request::Parts) -> Result<Self, RequestError> {
        let fields = || {
            let fields = parts.headers.iter();
            fields.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
        };
        let asked = Asked {
            method: &parts.method,
            uri: parts.uri.clone(),
            version: parts.version,
            deciding: Deciding::among(fields()),
            fields,
        };
        asked.judge(|| Headers::from(parts.headers.clone()))
    }

    /// Judges a request that was read from bytes, and is to be given its [head](Request::keep_head); `None` where it does not
    /// [attempt](Request::is_attempted) to be one.
    pub(crate) fn from_head(
        head: &Head,
        read: RequestHead<'_>,
    ) -> Result<Option<Self>, RequestError> {
        let headers = Headers::of(head, &read)?;
        let fields = || read.fields.iter().map(|field| (field.name.as_bytes(), field.value));
        let deciding = Deciding::among(fields());
        if !deciding.attempt() {
            return Ok(None);
        }
        let (method, uri, version) = (&read.method, read.uri, read.version);
        Asked { method, uri, version, deciding, fields }.judge(|| headers).map(Some)
    }

    /// Keeps the head that it was read from.
    pub(crate) fn keep_head(&mut self, head: Head) {
        self.headers.keep(head);
    }

    /// The target of the request: a path and a query; scheme and authority only where the client
    /// sent them.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The path that is asked for; begins with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// What follows the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.headers.map()
    }

    /// The host, and the port where one is named, that the client believes to talk to: of the
    /// target where that has one (RFC 9112 §3.2.2), or else of `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.as_str()
    }

    /// The `Origin` of the page that connects; browsers always send it (RFC 6455 §4.2.1, item 7).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_ref().and_then(|origin| origin.to_str().ok())
    }

    /// The subprotocols that the client speaks, in its order of preference.
    #[must_use]
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The extensions that the client offers, in its order of preference.
    #[must_use]
    pub fn extensions(&self) -> &[Offer] {
        &self.offers
    }

    /// The key that the answer must prove to have seen.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The first of `preferences` that the client offers.
    #[must_use]
    pub fn select<'a, S: AsRef<str>>(&self, preferences: &'a [S]) -> Option<&'a str> {
        preferences.iter().map(AsRef::as_ref).find(|name| self.offers_subprotocol(name))
    }

    /// Whether the client speaks this subprotocol; case matters.
    #[must_use]
    pub fn offers_subprotocol(&self, name: &str) -> bool {
        self.subprotocols.iter().any(|offered| offered == name)
    }
}

/// A request to be judged.
struct Asked<'a, F> {
    method: &'a Method,
    uri: Uri,
    version: Version,
    deciding: Deciding<'a>,
    fields: F,
}

impl<'a, F, I> Asked<'a, F>
where
    F: Fn() -> I,
    I: Iterator<Item = (&'a [u8], &'a [u8])>,
{
    fn judge(self, headers: impl FnOnce() -> Headers) -> Result<Request, RequestError> {
        if self.method != Method::GET {
            return Err(RequestError::Method { method: self.method.clone() });
        }
        if self.version != Version::HTTP_11 {
            return Err(RequestError::HttpVersion { version: self.version });
        }
        self.check_no_body()?;
        let host = self.judge_host()?;
        if !self.deciding.upgrade_is_websocket {
            return Err(RequestError::UpgradeMissing);
        }
        if !self.deciding.connection_is_upgrade {
            return Err(RequestError::ConnectionMissing);
        }
        self.check_version()?;
        let key = self.deciding.key.value().map_err(|Repeated| RequestError::KeyRepeated)?;
        let key = Key::parse(key.ok_or(RequestError::KeyMissing)?);
        let key = key.map_err(RequestError::KeyInvalid)?;
        let origin = self.judge_origin()?;
        let subprotocols = self.judge_subprotocols()?;
        let offers = self.judge_offers()?;
        Ok(Request { uri: self.uri, headers: headers(), key, host, origin, subprotocols, offers })
    }

    /// An upgrade has no body: its bytes would be taken for frames here and for a body by a proxy.
    fn check_no_body(&self) -> Result<(), RequestError> {
        let length = self.deciding.content_length.value();
        let length = length.map_err(|Repeated| RequestError::Body)?;
        let empty = length.is_none_or(|length| length == b"0");
        if !empty || self.deciding.has_transfer_encoding {
            return Err(RequestError::Body);
        }
        Ok(())
    }

    /// Item 1 and 2: the target names a resource here, and exactly one `Host` says where here is.
    fn judge_host(&self) -> Result<Authority, RequestError> {
        let host = self.deciding.host.value().map_err(|Repeated| RequestError::HostRepeated)?;
        let host = host.ok_or(RequestError::HostMissing)?;
        let host = Authority::try_from(host).map_err(|_| RequestError::HostInvalid)?;
        if !is_host(&host) {
            return Err(RequestError::HostInvalid);
        }
        let target = self.uri.path_and_query().map_or("", |target| target.as_str());
        match (self.uri.scheme_str(), self.uri.authority()) {
            (None, None) if target.starts_with('/') && target.is_ascii() => Ok(host),
            (Some("http" | "https" | "ws" | "wss"), Some(authority))
                if target.is_ascii() && is_host(authority) =>
            {
                Ok(authority.clone())
            }
            _ => Err(RequestError::Target),
        }
    }

    /// Item 6: version 13, once.
    fn check_version(&self) -> Result<(), RequestError> {
        let version = self.deciding.version.value();
        let version = version.map_err(|Repeated| RequestError::VersionRepeated)?;
        match version.ok_or(RequestError::VersionMissing)? {
            b"13" => Ok(()),
            version if version.contains(&b',') => Err(RequestError::VersionRepeated),
            version => Err(RequestError::VersionUnsupported {
                version: String::from_utf8_lossy(version).into_owned(),
            }),
        }
    }

    /// Item 7: one page, in visible ASCII.
    fn judge_origin(&self) -> Result<Option<HeaderValue>, RequestError> {
        let origin = self.deciding.origin.value();
        let Some(origin) = origin.map_err(|Repeated| RequestError::OriginRepeated)? else {
            return Ok(None);
        };
        match HeaderValue::from_bytes(origin) {
            Ok(origin) if origin.to_str().is_ok() => Ok(Some(origin)),
            Ok(_) | Err(_) => Err(RequestError::OriginInvalid),
        }
    }

    /// Item 8: tokens, all of them different (§4.1, item 10).
    fn judge_subprotocols(&self) -> Result<Vec<String>, RequestError> {
        let mut names = Vec::new();
        if !self.deciding.has_subprotocols {
            return Ok(names);
        }
        for element in elements(values((self.fields)(), SUBPROTOCOLS)) {
            let name = String::from_utf8_lossy(element).into_owned();
            if !is_token(element) {
                return Err(RequestError::SubprotocolInvalid { name });
            }
            names.push(name);
        }
        if names.is_empty() {
            return Err(RequestError::SubprotocolInvalid { name: String::new() });
        }
        if names.len() > 1 {
            let mut seen = BTreeSet::new();
            if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
                return Err(RequestError::SubprotocolRepeated { name: name.clone() });
            }
        }
        Ok(names)
    }

    /// Item 9: a list that is there has an element (§9.1).
    fn judge_offers(&self) -> Result<Vec<Offer>, RequestError> {
        if !self.deciding.has_extensions {
            return Ok(Vec::new());
        }
        parse_list(values((self.fields)(), EXTENSIONS)).map_err(RequestError::Extensions)
    }
}

/// Whether this is a host, perhaps with a port, and nothing else (RFC 9110 §7.2).
fn is_host(authority: &Authority) -> bool {
    let text = authority.as_str();
    let (is_host, rest) = match text.strip_prefix('[') {
        Some(literal) => {
            let Some((literal, rest)) = literal.split_once(']') else { return false };
            (literal.parse::<Ipv6Addr>().is_ok() || is_future_address(literal), rest)
        }
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (!host.is_empty() && !host.contains(['@', '[', ']']), rest)
        }
    };
    // `parse` takes a sign as well.
    let is_port = |port: &str| {
        port.is_empty()
            || (port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_host && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// `IPvFuture` of RFC 3986 §3.2.2, whose characters are those of an authority already.
fn is_future_address(literal: &str) -> bool {
    let versioned = literal.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'));
    versioned.is_some_and(|(version, address)| {
        !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !address.is_empty()
            && !address.contains(['@', '[', ']'])
    })
}

/// A request is no valid opening handshake (RFC 6455 §4.2.1).
///
/// ```
/// use duplexer_proto::handshake::RequestError;
/// let response = RequestError::VersionMissing.response();
/// assert_eq!(response.status(), 426);
/// assert_eq!(response.headers()["Sec-WebSocket-Version"], "13");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The bytes are no HTTP/1.1 head, or one that is too large.
    Head(HeadError),
    /// The head was not complete in time.
    TimedOut {
        /// The time that it had.
        after: Duration,
    },
    /// The method is not GET.
    Method {
        /// The method.
        method: Method,
    },
    /// The request is not HTTP/1.1.
    HttpVersion {
        /// The version of HTTP.
        version: Version,
    },
    /// The target is neither a path nor an absolute URI in ASCII.
    Target,
    /// The request declares a body.
    Body,
    /// There is no `Host`.
    HostMissing,
    /// There is more than one `Host`.
    HostRepeated,
    /// `Host` is empty, or no host and port.
    HostInvalid,
    /// There is more than one `Origin`.
    OriginRepeated,
    /// `Origin` is not in visible ASCII.
    OriginInvalid,
    /// `Upgrade` is absent or does not contain `websocket`.
    UpgradeMissing,
    /// `Connection` is absent or does not contain `Upgrade`.
    ConnectionMissing,
    /// There is no `Sec-WebSocket-Version`.
    VersionMissing,
    /// There is more than one `Sec-WebSocket-Version`, or a list in it.
    VersionRepeated,
    /// `Sec-WebSocket-Version` is not 13.
    VersionUnsupported {
        /// The version that was asked for.
        version: String,
    },
    /// There is no `Sec-WebSocket-Key`.
    KeyMissing,
    /// There is more than one `Sec-WebSocket-Key`.
    KeyRepeated,
    /// `Sec-WebSocket-Key` is malformed.
    KeyInvalid(KeyError),
    /// An element of `Sec-WebSocket-Protocol` is no token, or there is none.
    SubprotocolInvalid {
        /// The element.
        name: String,
    },
    /// An element of `Sec-WebSocket-Protocol` is there twice.
    SubprotocolRepeated {
        /// The element.
        name: String,
    },
    /// `Sec-WebSocket-Extensions` is malformed.
    Extensions(OfferError),
}

impl RequestError {
    /// The status that tells the client.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Head(HeadError::TooLarge { .. } | HeadError::TooManyLines { .. }) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::TimedOut { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::UpgradeMissing | Self::VersionMissing | Self::VersionUnsupported { .. } => {
                StatusCode::UPGRADE_REQUIRED
            }
            Self::Head(_)
            | Self::HttpVersion { .. }
            | Self::Target
            | Self::Body
            | Self::HostMissing
            | Self::HostRepeated
            | Self::HostInvalid
            | Self::OriginRepeated
            | Self::OriginInvalid
            | Self::ConnectionMissing
            | Self::VersionRepeated
            | Self::KeyMissing
            | Self::KeyRepeated
            | Self::KeyInvalid(_)
            | Self::SubprotocolInvalid { .. }
            | Self::SubprotocolRepeated { .. }
            | Self::Extensions(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer that tells the client, after which the connection closes: a line of text that
    /// names the fault.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if self.status() == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET")); // RFC 9110 §15.5.6
        }
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110 §15.5.22 and §7.8; RFC 6455 §4.4.
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade, close"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

impl From<HeadError> for RequestError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "{error}"),
            Self::TimedOut { after } => {
                write!(f, "no complete request within {after:?} (open_timeout)")
            }
            Self::Method { method } => {
                write!(f, "method {method} where a WebSocket opens with GET (RFC 6455 §4.1)")
            }
            Self::HttpVersion { version } => {
                write!(f, "{version:?} where a WebSocket opens with HTTP/1.1 (RFC 6455 §4.1)")
            }
            Self::Target => f.write_str("target that names no resource here (RFC 6455 §4.1)"),
            Self::Body => {
                f.write_str("request with a body where a WebSocket opens without (RFC 6455 §4.1)")
            }
            Self::HostMissing => f.write_str("no Host header (RFC 6455 §4.1)"),
            Self::HostRepeated => f.write_str("more than one Host header (RFC 9112 §3.2)"),
            Self::HostInvalid => f.write_str("Host header without a valid host (RFC 9112 §3.2)"),
            Self::OriginRepeated => f.write_str("more than one Origin header (RFC 6454 §7.3)"),
            Self::OriginInvalid => f.write_str("Origin header that is not ASCII (RFC 6454 §7.1)"),
            Self::UpgradeMissing => f.write_str(
                "no `Upgrade: websocket` header: this is a WebSocket endpoint, or a proxy on the \
                 way removes the header (RFC 6455 §4.1)",
            ),
            Self::ConnectionMissing => f.write_str(
                "no `Connection: Upgrade` header: perhaps a proxy on the way removes it \
                 (RFC 6455 §4.1)",
            ),
            Self::VersionMissing => f.write_str("no Sec-WebSocket-Version header (RFC 6455 §4.1)"),
            Self::VersionRepeated => {
                f.write_str("more than one Sec-WebSocket-Version (RFC 6455 §11.3.5)")
            }
            Self::VersionUnsupported { version } => {
                let version = version.escape_debug();
                write!(f, "Sec-WebSocket-Version `{version}`, not 13 (RFC 6455 §4.4)")
            }
            Self::KeyMissing => f.write_str("no Sec-WebSocket-Key header (RFC 6455 §4.1)"),
            Self::KeyRepeated => {
                f.write_str("more than one Sec-WebSocket-Key header (RFC 6455 §11.3.1)")
            }
            Self::KeyInvalid(error) => {
                write!(f, "invalid Sec-WebSocket-Key: {error} (RFC 6455 §4.2.1)")
            }
            Self::SubprotocolInvalid { name } => write!(
                f,
                "`{}` in Sec-WebSocket-Protocol is no token (RFC 6455 §4.1)",
                name.escape_debug()
            ),
            Self::SubprotocolRepeated { name } => {
                write!(f, "`{name}` is in Sec-WebSocket-Protocol twice (RFC 6455 §4.1)")
            }
            Self::Extensions(error) => write!(f, "{error} (RFC 6455 §9.1)"),
        }
    }
}

impl std::error::Error for RequestError {}
