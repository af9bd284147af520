//! What a server knows of a client that asks for a connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use duplexer_proto::handshake;
use http::header::HeaderMap;
use tokio::net::TcpStream;

use crate::server::forwarded::{Told, told};
use crate::server::guard::Proxies;
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
    matched: Option<Arc<Matched>>,
    state: S,
}

/// The route of a request.
#[derive(Debug)]
pub(crate) struct Matched {
    /// The route's place in its table.
    pub(crate) at: usize,
    pub(crate) pattern: Arc<str>,
    /// Decoded.
    pub(crate) params: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Head {
    request: handshake::Request,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
    /// What trusted proxies say, where the connection comes from one.
    told: Option<Told>,
}

impl Request {
    pub(crate) fn new(
        request: handshake::Request,
        addresses: Addresses,
        tls: Option<Arc<TlsInfo>>,
        proxies: &Proxies,
    ) -> Self {
        let told = hear(&request, addresses, proxies);
        Self { head: Arc::new(Head { request, addresses, tls, told }), matched: None, state: () }
    }

    pub(crate) fn on_route(self, matched: Option<Matched>) -> Self {
        Self { matched: matched.map(Arc::new), ..self }
    }

    pub(crate) fn with<S>(self, state: S) -> Request<S> {
        Request { head: self.head, matched: self.matched, state }
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

    /// What a parameter of the [route](crate::Routes::route) stands for in this path, percent-decoded; `None` where the route
    /// has none of that name, or there are no routes.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut params = self.matched.as_ref()?.params.iter();
        params.find(|(one, _)| one == name).map(|(_, value)| &value[..])
    }

    /// The pattern of the [route](crate::Routes::route) that the path matched; `None` where there are no routes.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.matched.as_ref().map(|matched| &*matched.pattern)
    }

    pub(crate) fn matched(&self) -> Option<&Matched> {
        self.matched.as_deref()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.head.request.headers()
    }

    /// The host, and the port where one is named, that the client asked for: what a
    /// [trusted proxy](crate::ServerBuilder::trusted_proxies) says, or else the `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        let told = self.head.told.as_ref().and_then(|told| told.host.as_deref());
        told.unwrap_or_else(|| self.head.request.host())
    }

    /// `https` where the client came over TLS, as far as this server or a trusted proxy knows; otherwise `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        let told = self.head.told.as_ref().and_then(|told| told.tls);
        let ours = self.head.tls.is_some() || self.head.addresses.tls;
        if told.unwrap_or(ours) { "https" } else { "http" }
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

    /// Who asks: the first address, from the server's side, that is no [trusted proxy](crate::ServerBuilder::trusted_proxies),
    /// as the proxies say; the last one known where they do not say. Without trusted proxies the [`peer`](Request::peer).
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        let told = self.head.told.as_ref().map(|told| told.client);
        told.unwrap_or_else(|| self.head.addresses.known_client())
    }

    /// The address that the connection comes from, a proxy's where there is one in front; `None` on Unix sockets, and where
    /// [`serve_over`](crate::Server::serve_over) was told of none.
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

    /// Whether a trusted proxy says who its client is.
    pub(crate) fn is_proxied(&self) -> bool {
        self.head.addresses.client.is_some()
            || self.head.told.as_ref().is_some_and(|told| told.names)
    }

    /// Whether the connection, as far as was known before this request, comes from a trusted proxy.
    pub(crate) fn comes_from_proxy(&self) -> bool {
        self.head.told.is_some()
    }

    /// The same with these addresses.
    pub(crate) fn at(self, addresses: Addresses, proxies: &Proxies) -> Self {
        let told = hear(&self.head.request, addresses, proxies);
        let head = Head { addresses, told, ..Arc::unwrap_or_clone(self.head) };
        Self { head: Arc::new(head), ..self }
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.head.addresses
    }

    pub(crate) fn handshake(&self) -> &handshake::Request {
        &self.head.request
    }
}

/// What trusted proxies say of a request, where it comes from one.
fn hear(request: &handshake::Request, addresses: Addresses, proxies: &Proxies) -> Option<Told> {
    let known = addresses.known_client();
    let trusted = !addresses.nameless && proxies.trusted.contain(known);
    trusted.then(|| told(request.headers(), proxies.headers, known, &proxies.trusted))
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
    /// Who is behind `peer`, where that is a proxy that said so before the first request: by the PROXY protocol, for example.
    pub client: Option<SocketAddr>,
    /// Whether the client came over TLS. See [`Request::scheme`].
    pub tls: bool,
    /// The proxy carries somebody whom it did not name: what else is said of the client has nobody's word.
    pub(crate) nameless: bool,
}

impl Addresses {
    /// Those of a TCP connection.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn of(stream: &TcpStream) -> io::Result<Self> {
        let (peer, local) = (Some(stream.peer_addr()?), Some(stream.local_addr()?));
        Ok(Self { peer, local, ..Self::default() })
    }

    /// The last one known of those who carry the connection, before its first request.
    pub(crate) fn known_client(&self) -> Option<IpAddr> {
        self.client.or(self.peer).map(|address| address.ip().to_canonical())
    }
}
