//! What a server knows of a client that asks for a connection, and how it says no.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use duplexer_proto::handshake;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use tokio::net::TcpStream;

use crate::tls::TlsInfo;

/// A valid request for a connection, with what [`authorize`](crate::ServerBuilder::authorize) returned for it.
///
/// It holds all headers: drop it where many connections are idle.
///
/// ```
/// # async fn handler(mut socket: duplexer::WebSocket, request: duplexer::Request) {
/// println!("{:?} asks for {}", request.peer(), request.path());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Request<S = ()> {
    head: Arc<Head>,
    state: S,
}

#[derive(Clone, Debug)]
struct Head {
    request: handshake::Request,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
}

impl Request {
    pub(crate) fn new(
        request: handshake::Request,
        addresses: Addresses,
        tls: Option<Arc<TlsInfo>>,
    ) -> Self {
        Self { head: Arc::new(Head { request, addresses, tls }), state: () }
    }

    pub(crate) fn with<S>(self, state: S) -> Request<S> {
        Request { head: self.head, state }
    }
}

impl<S> Request<S> {
    /// The path of the request's target, starting with a slash, not decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.request.path()
    }

    /// The query of the request's target, without the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head.request.query()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.head.request.headers()
    }

    /// The `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.head.request.host()
    }

    /// The `Origin`: who, for a browser, runs the page that asks.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.head.request.origin()
    }

    /// The subprotocols that the client offers, the preferred one first.
    #[must_use]
    pub fn subprotocols(&self) -> &[String] {
        self.head.request.subprotocols()
    }

    /// The address that the connection comes from; `None` where [`serve_over`](crate::Server::serve_over) was told of none.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.head.addresses.peer
    }

    /// The address that it came to; `None` as above.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.head.addresses.local
    }

    /// What was agreed on with the client below HTTP, and who it proved to be; `None` where the server does not speak
    /// TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.head.tls.as_deref()
    }

    /// What `authorize` returned.
    #[must_use]
    pub const fn state(&self) -> &S {
        &self.state
    }

    /// What `authorize` returned, to keep.
    #[must_use]
    pub fn into_state(self) -> S {
        self.state
    }

    /// The same with these addresses.
    pub(crate) fn at(self, addresses: Addresses) -> Self {
        let head = Head { addresses, ..Arc::unwrap_or_clone(self.head) };
        Self { head: Arc::new(head), state: self.state }
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.head.addresses
    }

    pub(crate) fn handshake(&self) -> &handshake::Request {
        &self.head.request
    }
}

/// The addresses of a transport's two ends, where it has any. By default none is known.
///
/// ```
/// # async fn example(stream: tokio::net::TcpStream) -> std::io::Result<()> {
/// let addresses = duplexer::Addresses::of(&stream)?;
/// assert_eq!(addresses.peer, Some(stream.peer_addr()?));
/// # Ok(())
/// # }
/// assert_eq!(duplexer::Addresses::default().peer, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// Where the connection comes from.
    pub peer: Option<SocketAddr>,
    /// Where it came to. [`Origins::same_host`](crate::Origins::same_host) looks at it.
    pub local: Option<SocketAddr>,
}

impl Addresses {
    /// Those of a TCP connection.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn of(stream: &TcpStream) -> io::Result<Self> {
        Ok(Self { peer: Some(stream.peer_addr()?), local: Some(stream.local_addr()?) })
    }
}

/// An HTTP answer that refuses a connection.
///
/// ```
/// use duplexer::Rejection;
/// use http::StatusCode;
/// let rejection = Rejection::new(StatusCode::UNAUTHORIZED, "a token is needed\n");
/// assert_eq!(rejection.status(), 401);
/// ```
#[derive(Debug)]
pub struct Rejection(Box<Response<String>>);

impl Rejection {
    /// A refusal with a plain text. A status below 300, which refuses nothing, becomes 500.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let mut response = Response::new(text.into());
        let refuses = status.as_u16() >= 300;
        *response.status_mut() = if refuses { status } else { StatusCode::INTERNAL_SERVER_ERROR };
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        Self(Box::new(response))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().append(name, value);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<String> {
        Response::clone(&self.0)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.status(), self.0.body().trim_end())
    }
}
