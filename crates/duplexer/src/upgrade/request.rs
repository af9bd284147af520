//! A request for a WebSocket that an HTTP stack has read, with its claim on the connection; and why it is none.

use std::fmt;

use duplexer_proto::handshake::{self, RequestError};
use http::request::Parts;
use http::{Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;

use crate::server::{Addresses, Rejection};

/// A valid request for a WebSocket (RFC 6455 §4.2.1) that hyper, or what is built on it, has read: to be given to
/// [`Server::upgrade`](crate::Server::upgrade) or [`on_upgrade`](Upgrade::on_upgrade), whose answer is the answer to the request.
/// Dropped instead, it does nothing.
///
/// With the cargo feature `axum` it is an extractor of axum 0.8, and `Option<Upgrade>` one for paths that also answer plain HTTP:
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, response::IntoResponse, routing::get};
/// use duplexer::{Upgrade, WebSocket};
/// async fn greet(upgrade: Upgrade) -> impl IntoResponse {
///     upgrade.on_upgrade(|mut socket: WebSocket| async move { socket.send("hello").await })
/// }
/// let app: Router = Router::new().route("/greet", get(greet));
/// ```
///
/// In a service of hyper, which has to serve its connections `with_upgrades`:
///
/// ```
/// use duplexer::{Upgrade, WebSocket, http};
/// async fn service(mut request: http::Request<hyper::body::Incoming>) -> http::Response<String> {
///     match Upgrade::from_request(&mut request) {
///         Ok(upgrade) => upgrade.on_upgrade(|mut socket: WebSocket| async move {
///             socket.send("hello").await
///         }),
///         Err(error) => error.response(),
///     }
/// }
/// ```
#[must_use = "the client waits for an answer"]
#[derive(Debug)]
pub struct Upgrade {
    pub(super) request: handshake::Request,
    pub(super) addresses: Addresses,
    pub(super) connection: OnUpgrade,
}

impl Upgrade {
    /// Judges a request, and takes the claim on its connection out of it. The body is not looked at.
    ///
    /// [`Addresses`] among the request's extensions are those of the connection; see [`addresses`](Upgrade::addresses).
    ///
    /// # Errors
    /// The request is no valid one for a WebSocket, or its connection is not to be had: see [`UpgradeError`], which has the answer.
    pub fn from_request<B>(request: &mut http::Request<B>) -> Result<Self, UpgradeError> {
        let mut parts = http::Request::new(()).into_parts().0;
        // What is judged is borrowed; the request stays whole but for the claim.
        std::mem::swap(request.extensions_mut(), &mut parts.extensions);
        parts.method = request.method().clone();
        parts.uri = request.uri().clone();
        parts.version = request.version();
        std::mem::swap(request.headers_mut(), &mut parts.headers);
        let judged = Self::from_parts(&mut parts);
        std::mem::swap(request.headers_mut(), &mut parts.headers);
        std::mem::swap(request.extensions_mut(), &mut parts.extensions);
        judged
    }

    /// [`from_request`](Upgrade::from_request) for a request without its body.
    ///
    /// # Errors
    /// As [`from_request`](Upgrade::from_request).
    pub fn from_parts(parts: &mut Parts) -> Result<Self, UpgradeError> {
        if parts.version > Version::HTTP_11 {
            return Err(UpgradeError::HttpVersion { version: parts.version });
        }
        let request = handshake::Request::from_parts(parts).map_err(UpgradeError::Request)?;
        let connection = parts.extensions.remove().ok_or(UpgradeError::NotUpgradable)?;
        let addresses = parts.extensions.get().copied().unwrap_or_default();
        Ok(Self { request, addresses, connection })
    }

    /// Tells between which addresses the connection is, where the HTTP stack knows. What is not told is found out once the
    /// answer has left, if the connection is TCP.
    ///
    /// [`Origins`](crate::Origins) look at the local address, and the bounds of one address at the peer's. Known in time, who may not
    /// connect is refused with an HTTP answer; otherwise the connection is closed, with 1008 or 1013, before its handler begins.
    ///
    /// ```
    /// # fn example(upgrade: duplexer::Upgrade, peer: std::net::SocketAddr) -> duplexer::Upgrade {
    /// let mut addresses = duplexer::Addresses::default();
    /// addresses.peer = Some(peer);
    /// upgrade.addresses(addresses)
    /// # }
    /// ```
    pub const fn addresses(mut self, addresses: Addresses) -> Self {
        self.addresses = addresses;
        self
    }
}

/// A request does not become a WebSocket.
///
/// ```
/// use duplexer::{Upgrade, http};
/// let mut plain = http::Request::get("/chat").header("Host", "localhost").body(()).unwrap();
/// let error = Upgrade::from_request(&mut plain).unwrap_err();
/// assert_eq!(error.response().status(), 426);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// It is no valid request for a WebSocket.
    Request(RequestError),
    /// It came over a later version of HTTP, where a WebSocket begins otherwise (RFC 8441, RFC 9220), which is not served here.
    HttpVersion {
        /// The version.
        version: Version,
    },
    /// It has no claim on its connection: another has taken it, or something on the way has dropped the request's extensions.
    NotUpgradable,
}

impl UpgradeError {
    /// The answer that tells the client: a line of text that names the fault.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let status = match self {
            Self::Request(error) => return error.response(),
            // RFC 9110 §15.6.6.
            Self::HttpVersion { .. } => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Rejection::new(status, format!("{self}\n")).response()
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::HttpVersion { version } => {
                write!(f, "{version:?} where WebSockets are served over HTTP/1.1 only")
            }
            Self::NotUpgradable => f.write_str(
                "the request came without its connection: hyper's `OnUpgrade` is not among its extensions",
            ),
        }
    }
}

impl std::error::Error for UpgradeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::HttpVersion { .. } | Self::NotUpgradable => None,
        }
    }
}
