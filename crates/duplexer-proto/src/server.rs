//! A server's opening handshake (RFC 6455 §4.2): bytes in; a [`Request`], a plain HTTP request or a
//! fault out; then the caller's decision in, and the answer and the open [`Connection`] out.
//!
//! Which origins and paths are welcome is not judged here: the caller reads the request and
//! decides.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Response, StatusCode};

use crate::connection::{Connection, Keepalive};
use crate::extension::Negotiator;
use crate::handshake::{
    Agreed, HeadReader, Request, RequestError, Side, answer_offers, find_reserved, has_element,
    make_response, parse_request, write_answer, write_response,
};
use crate::limits::Limits;
use crate::role::Role;
use crate::time::Time;

/// What a server's connections have in common. Cheap to clone where its lists are short.
///
/// ```
/// let mut config = duplexer_proto::ServerConfig::default();
/// config.subprotocols = vec!["chat.v2".into(), "chat".into()];
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The bounds of each connection.
    pub limits: Arc<Limits>,
    /// When each connection pings.
    pub keepalive: Keepalive,
    /// The extensions that may be accepted; the first of a name counts. Default: none.
    pub negotiators: Arc<[Arc<dyn Negotiator>]>,
    /// The subprotocols that are spoken, the preferred one first. Default: none.
    pub subprotocols: Vec<String>,
    /// Headers that every answer carries beside those of the handshake. Default: none.
    pub headers: HeaderMap,
}

/// A server waiting for a client's request.
///
/// ```
/// use duplexer_proto::{Limits, Opening, ServerConfig, ServerHandshake, Time};
/// let mut handshake = ServerHandshake::new(&Limits::default(), Time::ORIGIN);
/// let opening = handshake.receive(
///     b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
/// )?;
/// let Some(Opening::WebSocket { request, .. }) = opening else { panic!("a WebSocket request") };
/// let acceptance = request.accept(&ServerConfig::default()).expect("no reserved headers");
/// assert!(acceptance.response_bytes().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), duplexer_proto::handshake::RequestError>(())
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    head: HeadReader,
    started: Time,
    open_timeout: Duration,
}

/// What a client opened with.
///
/// ```
/// use duplexer_proto::{Limits, Opening, ServerHandshake, Time};
/// let mut handshake = ServerHandshake::new(&Limits::default(), Time::ORIGIN);
/// match handshake.receive(b"GET /style.css HTTP/1.1\r\nHost: h\r\n\r\n")? {
///     Some(Opening::Plain { received }) => assert!(received.starts_with(b"GET /style.css")),
///     other => panic!("not plain: {other:?}"),
/// }
/// # Ok::<(), duplexer_proto::handshake::RequestError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "short-lived, and moved once")]
pub enum Opening {
    /// A valid request for a WebSocket connection.
    WebSocket {
        /// The request, to be accepted or rejected.
        request: Request,
        /// How many bytes of the last input belong to it. A client sends nothing more before it has
        /// the answer, but what came belongs to the connection.
        consumed: usize,
    },
    /// Another HTTP request, which an HTTP stack may answer.
    Plain {
        /// All bytes received since the beginning, unchanged.
        received: Vec<u8>,
    },
}

impl ServerHandshake {
    /// Begins to wait at `now`.
    #[must_use]
    pub fn new(limits: &Limits, now: Time) -> Self {
        let head = HeadReader::new(Side::Request, limits);
        Self { head, started: now, open_timeout: limits.open_timeout }
    }

    /// Takes received bytes; `None` while the head is incomplete. Not to be called again after
    /// anything else.
    ///
    /// # Errors
    /// The bytes are no HTTP/1.1 request, or one that asks for a WebSocket connection and breaks a
    /// rule of RFC 6455 §4.2.1. [`reject`] makes bytes of [`RequestError::response`]; then the
    /// transport closes.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<Opening>, RequestError> {
        let Some((consumed, head)) = self.head.read(input)? else { return Ok(None) };
        let plain = || {
            let received = [&head.bytes[..], &input[consumed..]].concat();
            Ok(Some(Opening::Plain { received }))
        };
        // HTTP/2 with prior knowledge begins so (RFC 9113 §3.4).
        if head.bytes.starts_with(b"PRI * HTTP/2.0\r\n") {
            return plain();
        }
        match parse_request(&head, |read| Request::from_head(&head, read))?? {
            Some(mut request) => {
                request.keep_head(head);
                Ok(Some(Opening::WebSocket { request, consumed }))
            }
            None => plain(),
        }
    }

    /// When the head must be complete: [`Limits::open_timeout`] after the beginning, however it
    /// dribbles in.
    #[must_use]
    pub fn deadline(&self) -> Time {
        self.started + self.open_timeout
    }

    /// Judges the time.
    ///
    /// # Errors
    /// [`RequestError::TimedOut`] from the deadline on.
    pub fn handle_timeout(&self, now: Time) -> Result<(), RequestError> {
        if now < self.deadline() {
            return Ok(());
        }
        Err(RequestError::TimedOut { after: self.open_timeout })
    }
}

/// A connection that a server has opened, and the answer that says so.
///
/// ```
/// # use duplexer_proto::{ServerConfig, handshake::Request};
/// # let parts = http::Request::get("/").header("Host", "h").header("Upgrade", "websocket")
/// #     .header("Connection", "Upgrade").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
/// #     .header("Sec-WebSocket-Version", "13").body(()).unwrap().into_parts().0;
/// let request = Request::from_parts(&parts).expect("a WebSocket request");
/// let acceptance = request.accept(&ServerConfig::default())?;
/// let headers = acceptance.response.headers();
/// assert_eq!(headers["Sec-WebSocket-Accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// assert_eq!(acceptance.agreed.subprotocol, None);
/// # Ok::<(), duplexer_proto::AnswerError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Acceptance {
    /// The answer, which must be sent before anything of the connection.
    pub response: Response<()>,
    /// The connection, open once the answer is sent.
    pub connection: Connection,
    /// What the answer agrees to.
    pub agreed: Agreed,
}

impl Acceptance {
    /// The answer as bytes.
    #[must_use]
    pub fn response_bytes(&self) -> Vec<u8> {
        write_response(&self.response)
    }
}

impl Request {
    /// Accepts, with the server's most preferred subprotocol that the client offers, or none.
    ///
    /// # Errors
    /// A header of `config` is reserved.
    pub fn accept(&self, config: &ServerConfig) -> Result<Acceptance, AnswerError> {
        self.accept_with(config, self.select(&config.subprotocols), &HeaderMap::new())
    }

    /// Accepts with this subprotocol or none, whatever `config` prefers, and with more headers for
    /// this answer; one of the same name replaces that of `config`.
    ///
    /// # Errors
    /// The subprotocol was not offered, or a header is reserved.
    pub fn accept_with(
        &self,
        config: &ServerConfig,
        subprotocol: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Acceptance, AnswerError> {
        if let Some(name) = find_reserved(headers) {
            return Err(AnswerError::HeaderReserved { name });
        }
        let (connection, agreed) = self.agree(config, subprotocol)?;
        let chosen = agreed.subprotocol.as_deref();
        let mut response = make_response(self.key(), chosen, &agreed.extensions, &config.headers);
        response.headers_mut().extend(headers.clone());
        Ok(Acceptance { response, connection, agreed })
    }

    /// Accepts as [`accept`](Request::accept) does, and writes the answer behind what `output` has. The answer must be sent
    /// before anything of the connection.
    ///
    /// ```
    /// # use duplexer_proto::{ServerConfig, handshake::Request};
    /// # let parts = http::Request::get("/").header("Host", "h").header("Upgrade", "websocket")
    /// #     .header("Connection", "Upgrade").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    /// #     .header("Sec-WebSocket-Version", "13").body(()).unwrap().into_parts().0;
    /// let request = Request::from_parts(&parts).expect("a WebSocket request");
    /// let mut answer = Vec::new();
    /// let (connection, agreed) = request.accept_into(&ServerConfig::default(), &mut answer)?;
    /// assert!(answer.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
    /// # Ok::<(), duplexer_proto::AnswerError>(())
    /// ```
    ///
    /// # Errors
    /// A header of `config` is reserved; nothing is written then.
    pub fn accept_into(
        &self,
        config: &ServerConfig,
        output: &mut Vec<u8>,
    ) -> Result<(Connection, Agreed), AnswerError> {
        let (connection, agreed) = self.agree(config, self.select(&config.subprotocols))?;
        let chosen = agreed.subprotocol.as_deref();
        write_answer(self.key(), chosen, &agreed.extensions, &config.headers, output);
        Ok((connection, agreed))
    }

    /// What an answer is about to say, and the connection that it opens.
    fn agree(
        &self,
        config: &ServerConfig,
        subprotocol: Option<&str>,
    ) -> Result<(Connection, Agreed), AnswerError> {
        if let Some(name) = find_reserved(&config.headers) {
            return Err(AnswerError::HeaderReserved { name });
        }
        if let Some(name) = subprotocol.filter(|name| !self.offers_subprotocol(name)) {
            return Err(AnswerError::SubprotocolNotOffered { name: name.to_owned() });
        }
        let negotiated = answer_offers(&config.negotiators, self.extensions());
        let agreed =
            Agreed { subprotocol: subprotocol.map(str::to_owned), extensions: negotiated.header };
        let connection = Connection::new(
            Role::Server,
            Arc::clone(&config.limits),
            config.keepalive,
            negotiated.extensions,
        );
        Ok((connection, agreed))
    }
}

/// The bytes of an answer that refuses, after which the transport closes. `Content-Length` is set
/// to the body's length, `Connection` gets a `close`, and `Transfer-Encoding` is left out.
///
/// ```
/// let response = http::Response::builder().status(403).body("not from there\n");
/// let bytes = duplexer_proto::reject(&response.expect("a response"))?;
/// assert!(bytes.starts_with(b"HTTP/1.1 403 Forbidden\r\n"));
/// assert!(bytes.ends_with(b"\r\n\r\nnot from there\n"));
/// # Ok::<(), duplexer_proto::AnswerError>(())
/// ```
///
/// # Errors
/// The status is of the 1xx class, which refuses nothing.
pub fn reject<B: AsRef<[u8]>>(response: &Response<B>) -> Result<Vec<u8>, AnswerError> {
    let status = response.status();
    if status.is_informational() {
        return Err(AnswerError::StatusInformational { status });
    }
    let mut head = Response::new(());
    *head.status_mut() = status;
    let headers = head.headers_mut();
    headers.clone_from(response.headers());
    headers.remove(TRANSFER_ENCODING);
    if !has_element(headers, &CONNECTION, "close") {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // RFC 9110 §8.6: these have no body, and a length would only mislead.
    let body = match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => {
            headers.remove(CONTENT_LENGTH);
            &[]
        }
        _ => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(response.body().as_ref().len()));
            response.body().as_ref()
        }
    };
    let mut bytes = write_response(&head);
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// An answer that a server cannot give: the caller's mistake.
///
/// ```
/// let error = duplexer_proto::AnswerError::SubprotocolNotOffered { name: "chat".into() };
/// assert!(error.to_string().contains("`chat`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// A header that only the handshake sets.
    HeaderReserved {
        /// Its name.
        name: HeaderName,
    },
    /// A subprotocol that the client does not speak (RFC 6455 §4.2.2, item 5).
    SubprotocolNotOffered {
        /// Its name.
        name: String,
    },
    /// A refusal with a status that refuses nothing.
    StatusInformational {
        /// The status.
        status: StatusCode,
    },
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderReserved { name } => {
                write!(f, "the header `{name}` is set by the handshake; leave it out")
            }
            Self::SubprotocolNotOffered { name } => write!(
                f,
                "the subprotocol `{name}` was not offered by the client; choose one of \
                 `Request::subprotocols` or none (RFC 6455 §4.2.2)"
            ),
            Self::StatusInformational { status } => {
                write!(f, "status {status} refuses nothing; choose one from 200 on")
            }
        }
    }
}

impl std::error::Error for AnswerError {}
