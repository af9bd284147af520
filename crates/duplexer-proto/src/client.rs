//! A client's opening handshake (RFC 6455 §4.1): a URI and settings in, the request out; the
//! response's bytes in, the open [`Connection`] out. Follows no redirects and answers no
//! challenges: the caller reads them from the error.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, LOCATION};
use http::{Request, Response, StatusCode};

use crate::connection::{Connection, Keepalive};
use crate::extension::Negotiator;
use crate::handshake::{
    Agreed, BodyReader, Expected, HeadError, HeadReader, Key, ResponseFault, Side, check_response,
    find_reserved, is_token, make_offers, make_request, parse_response, write_request,
};
use crate::limits::Limits;
use crate::role::Role;
use crate::time::Time;
use crate::uri::WsUri;
use crate::visible::Visible;

/// What a client asks for.
///
/// ```
/// let mut config = duplexer_proto::ClientConfig::default();
/// config.subprotocols = vec!["chat".into()];
/// config.headers.insert("origin", "https://example.com".parse().expect("a value"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The bounds of the connection and of its opening.
    pub limits: Arc<Limits>,
    /// When the connection pings.
    pub keepalive: Keepalive,
    /// The extensions to offer, the preferred one first; the first of a name counts. Default: none.
    pub negotiators: Arc<[Arc<dyn Negotiator>]>,
    /// The subprotocols to offer, the preferred one first. Default: none.
    pub subprotocols: Vec<String>,
    /// Headers of the request beside those of the handshake. Default: none.
    pub headers: HeaderMap,
}

/// A client that has sent, or is about to send, its request.
///
/// ```
/// use duplexer_proto::{ClientConfig, ClientHandshake, Time, WsUri};
/// let uri: WsUri = "ws://server.example.com/chat".parse().expect("a URI");
/// let entropy = *b"the sample nonce"; // RFC 6455 §1.3; must be unpredictable
/// let mut handshake = ClientHandshake::new(&uri, ClientConfig::default(), entropy, Time::ORIGIN)?;
/// assert!(handshake.request().starts_with(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
/// let opened = handshake.receive(
///     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
/// );
/// assert!(matches!(opened, Ok(Some((_, _)))));
/// # Ok::<(), duplexer_proto::SetupError>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    request: Request<()>,
    expected: Expected,
    limits: Arc<Limits>,
    keepalive: Keepalive,
    started: Time,
    head: HeadReader,
    /// A response that opens nothing, and whose body is still coming.
    refusal: Option<Box<Refusal>>,
}

impl ClientHandshake {
    /// Prepares a request. Its time counts from `now`; the entropy must be fresh and unpredictable
    /// for each connection (RFC 6455 §4.1, item 7).
    ///
    /// # Errors
    /// A header of `config` is reserved, or a subprotocol is no token or there twice.
    pub fn new(
        uri: &WsUri,
        config: ClientConfig,
        entropy: [u8; 16],
        now: Time,
    ) -> Result<Self, SetupError> {
        let ClientConfig { limits, keepalive, negotiators, subprotocols, headers } = config;
        if let Some(name) = find_reserved(&headers) {
            return Err(SetupError::HeaderReserved { name });
        }
        for (index, name) in subprotocols.iter().enumerate() {
            if !is_token(name.as_bytes()) {
                return Err(SetupError::SubprotocolInvalid { name: name.clone() });
            }
            if subprotocols[..index].contains(name) {
                return Err(SetupError::SubprotocolRepeated { name: name.clone() });
            }
        }
        let key = Key::from_entropy(entropy);
        let offers = make_offers(&negotiators);
        Ok(Self {
            request: make_request(uri, &key, &subprotocols, &offers, &headers),
            expected: Expected { key, subprotocols, negotiators, offers },
            head: HeadReader::new(Side::Response, &limits),
            limits,
            keepalive,
            started: now,
            refusal: None,
        })
    }

    /// The request as bytes.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        write_request(&self.request)
    }

    /// The request for an HTTP stack; its target is in origin-form.
    #[must_use]
    pub fn http_request(&self) -> Request<()> {
        self.request.clone()
    }

    /// Takes received bytes; `None` while the response is incomplete. With the connection comes the
    /// number of bytes of this input that belong to the response; those after them belong to the
    /// connection. Interim responses (1xx other than 101) are passed over. Not to be called again
    /// after anything but `None`.
    ///
    /// # Errors
    /// The response is no HTTP/1.1, its status is not 101, or it breaks a rule of RFC 6455 §4.1. A
    /// response that opens nothing and has a body fails when that is complete or 4 KiB of it are there.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<(usize, Opened)>, HandshakeError> {
        let mut at = 0;
        while self.refusal.is_none() {
            let read = self.head.read(&input[at..]);
            let read = read.map_err(|fault| HandshakeError::Head {
                fault,
                start: start_of(self.head.held(), &input[at..]),
            })?;
            let Some((consumed, head)) = read else { return Ok(None) };
            at += consumed;
            let response = parse_response(&head).map_err(|fault| HandshakeError::Head {
                fault,
                start: start_of(&head.bytes, &[]),
            })?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                match self.open(response) {
                    Ok(opened) => return Ok(Some((at, opened))),
                    Err(refusal) => self.refusal = Some(refusal),
                }
            } else if !response.status().is_informational() {
                let body = BodyReader::new(response.status(), response.headers());
                self.refusal = Some(Box::new(Refusal { response, body, fault: None }));
            }
        }
        let Some(mut refusal) = self.refusal.take() else { return Ok(None) };
        if refusal.body.read(&input[at..]) {
            return Err(refusal.into());
        }
        self.refusal = Some(refusal);
        Ok(None)
    }

    /// The head of a response that opens no connection, while its body is still coming: for a caller who need not wait for that.
    #[must_use]
    pub fn refusal(&self) -> Option<&Response<()>> {
        self.refusal.as_ref().map(|refusal| &refusal.response)
    }

    /// The end of the transport before the handshake was complete.
    #[must_use]
    pub fn receive_end(&mut self) -> HandshakeError {
        match self.refusal.take() {
            Some(refusal) => refusal.into(),
            None => HandshakeError::Closed {
                received_bytes: self.head.held().len(),
                start: start_of(self.head.held(), &[]),
            },
        }
    }

    /// Judges a response that an HTTP stack has read.
    ///
    /// # Errors
    /// The status is not 101, or the response breaks a rule of RFC 6455 §4.1.
    pub fn confirm(&self, parts: &http::response::Parts) -> Result<Opened, HandshakeError> {
        let mut response = Response::new(());
        *response.status_mut() = parts.status;
        *response.version_mut() = parts.version;
        response.headers_mut().clone_from(&parts.headers);
        match parts.status {
            StatusCode::SWITCHING_PROTOCOLS => self.open(response).map_err(HandshakeError::from),
            _ => Err(HandshakeError::Refused(Box::new(response.map(|()| Vec::new())))),
        }
    }

    /// When the handshake must be complete: [`Limits::open_timeout`] after its beginning.
    #[must_use]
    pub fn deadline(&self) -> Time {
        self.started + self.limits.open_timeout
    }

    /// Judges the time.
    ///
    /// # Errors
    /// From the deadline on: [`HandshakeError::TimedOut`], or [`HandshakeError::Refused`] or
    /// [`HandshakeError::Invalid`] with as much of the body as has come.
    pub fn handle_timeout(&mut self, now: Time) -> Result<(), HandshakeError> {
        if now < self.deadline() {
            return Ok(());
        }
        Err(match self.refusal.take() {
            Some(refusal) => refusal.into(),
            None => HandshakeError::TimedOut {
                after: self.limits.open_timeout,
                received_bytes: self.head.held().len(),
                start: start_of(self.head.held(), &[]),
            },
        })
    }

    fn open(&self, response: Response<()>) -> Result<Opened, Box<Refusal>> {
        let (subprotocol, negotiated) = match check_response(&response, &self.expected) {
            Ok(agreed) => agreed,
            Err(fault) => {
                let body = BodyReader::undue(response.headers());
                return Err(Box::new(Refusal { response, body, fault: Some(fault) }));
            }
        };
        let agreed = Agreed { subprotocol, extensions: negotiated.header };
        let limits = Arc::clone(&self.limits);
        let connection =
            Connection::new(Role::Client, limits, self.keepalive, negotiated.extensions);
        Ok(Opened { response, connection, agreed })
    }
}

/// A response that opens nothing.
#[derive(Debug)]
struct Refusal {
    response: Response<()>,
    body: BodyReader,
    /// What is wrong with it, where its status is 101.
    fault: Option<ResponseFault>,
}

impl From<Box<Refusal>> for HandshakeError {
    fn from(refusal: Box<Refusal>) -> Self {
        let Refusal { response, body, fault } = *refusal;
        let response = Box::new(response.map(|()| body.into_body()));
        match fault {
            Some(fault) => Self::Invalid { fault, response },
            None => Self::Refused(response),
        }
    }
}

/// The beginning of a head of which `held` came first.
fn start_of(held: &[u8], input: &[u8]) -> Vec<u8> {
    held.iter().chain(input).take(START_BYTES_MAX).copied().collect()
}

/// A connection that a client has opened.
///
/// ```
/// use duplexer_proto::Opened;
/// fn subprotocol(opened: &Opened) -> &str {
///     opened.agreed.subprotocol.as_deref().unwrap_or("none")
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The server's response, for its headers.
    pub response: Response<()>,
    /// The open connection.
    pub connection: Connection,
    /// What the response agrees to.
    pub agreed: Agreed,
}

/// An opening handshake that cannot be begun: the caller's mistake.
///
/// ```
/// let error = duplexer_proto::SetupError::SubprotocolRepeated { name: "chat".into() };
/// assert_eq!(error.to_string(), "the subprotocol `chat` is in the list twice (RFC 6455 §4.1)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupError {
    /// A header that only the handshake sets.
    HeaderReserved {
        /// Its name.
        name: HeaderName,
    },
    /// A subprotocol that is no token.
    SubprotocolInvalid {
        /// Its name.
        name: String,
    },
    /// A subprotocol that is in the list twice.
    SubprotocolRepeated {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderReserved { name } => write!(
                f,
                "the header `{name}` is set by the handshake; leave it out, or use the setting \
                 made for it"
            ),
            Self::SubprotocolInvalid { name } => write!(
                f,
                "the subprotocol `{}` is no token: visible ASCII without separators \
                 (RFC 6455 §4.1)",
                name.escape_debug()
            ),
            Self::SubprotocolRepeated { name } => {
                write!(f, "the subprotocol `{name}` is in the list twice (RFC 6455 §4.1)")
            }
        }
    }
}

impl std::error::Error for SetupError {}

/// An opening handshake that opened no connection (RFC 6455 §4.1).
///
/// ```
/// use duplexer_proto::HandshakeError;
/// let response = http::Response::builder().status(302).header("Location", "/new");
/// let response = response.body(Vec::new()).expect("a response");
/// let error = HandshakeError::Refused(Box::new(response));
/// assert_eq!((error.status().map(|s| s.as_u16()), error.location()), (Some(302), Some("/new")));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server answered with another status than 101. The body is the beginning of its body, at
    /// most 4 KiB, without the framing of chunks.
    Refused(Box<Response<Vec<u8>>>),
    /// The server answered 101, but the response breaks a rule.
    Invalid {
        /// The rule.
        fault: ResponseFault,
        /// The response. Its body, which a 101 should not have, is the beginning of the one that it
        /// declares, at most 4 KiB.
        response: Box<Response<Vec<u8>>>,
    },
    /// What the server sent is no HTTP/1.1 response, or its head is too large.
    Head {
        /// What is wrong with it.
        fault: HeadError,
        /// Its beginning, at most 256 bytes, as far as it had come with the byte that is wrong.
        start: Vec<u8>,
    },
    /// The transport ended before the response did.
    Closed {
        /// Bytes received of an unfinished head.
        received_bytes: usize,
        /// The first of them, at most 256.
        start: Vec<u8>,
    },
    /// The response was not complete in time.
    TimedOut {
        /// The time that it had.
        after: Duration,
        /// Bytes received of an unfinished head.
        received_bytes: usize,
        /// The first of them, at most 256.
        start: Vec<u8>,
    },
}

impl HandshakeError {
    /// The status of the server's response, where its first line has come whole in 256 bytes at most, whatever followed.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(response) | Self::Invalid { response, .. } => Some(response.status()),
            Self::Head { start, .. }
            | Self::Closed { start, .. }
            | Self::TimedOut { start, .. } => status_of(start),
        }
    }

    /// The headers of the server's response, where there is a whole one.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Refused(response) | Self::Invalid { response, .. } => Some(response.headers()),
            Self::Head { .. } | Self::Closed { .. } | Self::TimedOut { .. } => None,
        }
    }

    /// Where a redirect points to, relative to the URI that was asked (RFC 9110 §10.2.2).
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        match self {
            Self::Refused(response) if response.status().is_redirection() => {
                response.headers().get(LOCATION)?.to_str().ok()
            }
            Self::Refused(_)
            | Self::Invalid { .. }
            | Self::Head { .. }
            | Self::Closed { .. }
            | Self::TimedOut { .. } => None,
        }
    }
}

/// The status in the first line of a head that begins so, if the line is whole (RFC 9112 §4).
fn status_of(start: &[u8]) -> Option<StatusCode> {
    let line = &start[..start.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?];
    let mut words = line.split(|&byte| byte == b' ');
    words.next().filter(|version| version.starts_with(b"HTTP/"))?;
    words.next().and_then(|code| StatusCode::from_bytes(code).ok())
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(response) => {
                write!(f, "the server answered {} instead of 101", response.status())?;
                if let Some(location) = self.location() {
                    write!(f, " and redirects to `{}`", Visible(location))?;
                }
                write_body(f, response.body())
            }
            Self::Invalid { fault, response } => {
                write!(f, "the server answered 101, but its response is invalid: {fault}")?;
                write_body(f, response.body())
            }
            Self::Head { fault, start } => {
                write!(f, "the server did not answer in HTTP/1.1: {fault}")?;
                write_start(f, start)
            }
            Self::Closed { received_bytes, start } => {
                write!(
                    f,
                    "the server closed the transport after {received_bytes} bytes, before its response \
                     was complete"
                )?;
                write_start(f, start)
            }
            Self::TimedOut { after, received_bytes, start } => {
                write!(
                    f,
                    "no complete response within {after:?} (open_timeout); {received_bytes} bytes came"
                )?;
                write_start(f, start)
            }
        }
    }
}

/// Writes the beginning of a body, where there is one.
fn write_body(f: &mut fmt::Formatter<'_>, body: &[u8]) -> fmt::Result {
    let text = String::from_utf8_lossy(body);
    let line: String = text.trim().chars().take(LINE_CHARS_MAX).collect();
    match line.is_empty() {
        true => Ok(()),
        false => write!(f, ": {}", Visible(&line)),
    }
}

/// Writes the first line of what came instead of a head, where there is one.
fn write_start(f: &mut fmt::Formatter<'_>, start: &[u8]) -> fmt::Result {
    let line = start.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty());
    let Some(line) = line else { return Ok(()) };
    let shown = &line[..line.len().min(START_BYTES_SHOWN)];
    write!(f, "; it begins with `{}`", shown.escape_ascii())
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Invalid { fault, .. } => Some(fault),
            Self::Head { fault, .. } => Some(fault),
            Self::Refused(_) | Self::Closed { .. } | Self::TimedOut { .. } => None,
        }
    }
}

/// Most bytes kept of what is no head.
const START_BYTES_MAX: usize = 256;
/// Bytes of its first line that a message shows.
const START_BYTES_SHOWN: usize = 80;
/// Characters of a refusal's body that its message shows.
const LINE_CHARS_MAX: usize = 200;
