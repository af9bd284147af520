//! A server's settings, and the server as its user holds it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::{Keepalive, Limits, ServerConfig};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::extensions::negotiators;
use crate::server::accept;
use crate::server::caps::Caps;
use crate::server::connection;
use crate::server::guard::Guard;
use crate::server::hosted::HandlerOutcome;
use crate::server::inner::{Authorize, Inner};
use crate::server::listener::Listener;
use crate::server::origin::Origins;
use crate::server::rejection::Rejection;
use crate::server::request::{Addresses, Request};
use crate::server::service::{self, HttpService};
use crate::server::tracker::{Phase, Tracker};
use crate::socket::WebSocket;
use crate::terms::Terms;
use crate::tls::ServerTls;
use crate::transport::Transport;
use crate::waiters::Waiters;

/// Serves WebSockets, and plain HTTP beside them. Clones are the same server.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use duplexer::{RecvError, Request, Server, WebSocket};
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
/// let echo = |mut socket: WebSocket, _: Request| async move {
///     while let Some(message) = socket.recv().await? {
///         socket.send(message).await.ok();
///     }
///     Ok::<(), RecvError>(())
/// };
/// Server::default().serve(listener, echo).await?;
/// # Ok(())
/// # }
/// ```
pub struct Server<S = ()> {
    pub(crate) inner: Arc<Inner<S>>,
}

impl Default for Server {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Server {
    /// Settings to change before [`build`](ServerBuilder::build).
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

impl<S: Send + Sync + 'static> Server<S> {
    /// Accepts connections from a TCP or Unix listener, or from several [`Listeners`](crate::Listeners), and runs `handler` for
    /// each that asks for a WebSocket, as a task of the current runtime, until
    /// [`shutdown`](Server::shutdown) is called. May run on several runtimes at once, each with a listener of its own.
    ///
    /// A handler that returns an error or panics has its connection closed with 1011; one that returns, or drops its
    /// socket, with 1000.
    ///
    /// Cancel-safe: dropped, it stops accepting and closes the listener, while connections that were accepted go on as the
    /// tasks they are, until they end or `shutdown` ends them. After `shutdown` it returns at once.
    ///
    /// # Errors
    /// The listener failed in a way that will not pass. Errors that do (a connection given up before it was accepted, too many
    /// open files, no memory, a network that is down) are logged, and accepting goes on after at most 1 s.
    pub async fn serve<H, F>(&self, listener: impl Listener, handler: H) -> io::Result<()>
    where
        H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output: HandlerOutcome> + Send + 'static,
    {
        accept::serve(self.inner.clone(), listener, handler).await
    }

    /// Serves one connection over a byte stream that leads to a client, such as a Unix stream, with all of the
    /// server's settings: TLS is spoken first if the server [does](ServerBuilder::tls), `handler` runs if it asks for a WebSocket, plain HTTP goes to [`http`](ServerBuilder::http), and
    /// `shutdown` ends it. Returns when the connection and its handler have ended, or when nothing came of it, which is logged.
    /// After `shutdown` it returns at once. `addresses` are what handlers and the check of origins are told.
    ///
    /// The handler runs inside this future, not as a task of its own: spawn the future to serve others meanwhile. Not
    /// cancel-safe: dropped, it drops the handler and ends the connection without a Close; the peer sees 1006. `shutdown` waits for it as for all
    /// others, so it has to be polled or dropped then. To be polled on a tokio runtime with timers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use duplexer::{Addresses, Client, Server};
    /// let (ours, theirs) = tokio::io::duplex(4096);
    /// tokio::spawn(async move {
    ///     let greet = |mut socket: duplexer::WebSocket, _| async move { socket.send("hello").await };
    ///     Server::default().serve_over(theirs, Addresses::default(), greet).await;
    /// });
    /// let mut socket = Client::default().connect_over(ours, "ws://example.com/").await?;
    /// assert_eq!(socket.recv().await?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn serve_over<T, H, F>(&self, io: T, addresses: Addresses, handler: H)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        H: FnOnce(WebSocket, Request<S>) -> F,
        F: Future<Output: HandlerOutcome>,
    {
        if self.inner.tracker.phase() != Phase::Serving {
            return;
        }
        let transport = Transport::other(io);
        let mut served = pin!(connection::run(self.inner.clone(), transport, addresses, handler));
        // A task of ours has one waker for ever, which its host and the tracker count on; the caller's may change.
        let waiters = Arc::new(Waiters::default());
        let waker = Waker::from(waiters.clone());
        poll_fn(|cx| {
            waiters.add(cx);
            served.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await;
    }

    /// Ends the server: no more connections are accepted, open ones are closed with 1001, and what has not ended after `grace`
    /// is dropped. Returns when nothing runs any more. A handler sees the end of its connection, and may do more until then.
    ///
    /// Cancel-safe: dropped, it leaves the server closing, with nothing to drop what does not end by itself. Another call, also
    /// at the same time, counts its own `grace` from then on; the first to run out counts for all.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.tracker.shutdown(grace).await;
    }
}

impl<S> Clone for Server<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

/// Settings of a [`Server`].
///
/// ```
/// use duplexer::{Deflate, Limits, Origins, Server};
/// let mut limits = Limits::default();
/// limits.message_bytes_max = 64 * 1024;
/// let server = Server::builder()
///     .limits(limits)
///     .deflate(Deflate::takeover())
///     .subprotocols(["chat"])
///     .origins(Origins::list(["https://example.com"]))
///     .build();
/// ```
pub struct ServerBuilder<S = ()> {
    limits: Limits,
    keepalive: Keepalive,
    deflate: Option<Deflate>,
    subprotocols: Vec<String>,
    origins: Origins,
    authorize: Authorize<S>,
    http: Option<HttpService>,
    pub(crate) guard: Guard,
    tls: Option<ServerTls>,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            deflate: Some(Deflate::default()),
            subprotocols: Vec::new(),
            origins: Origins::default(),
            authorize: Authorize::Everybody(|| ()),
            http: None,
            guard: Guard::default(),
            tls: None,
        }
    }
}

impl<S> ServerBuilder<S> {
    /// Sets all limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the time between pings (`None` for no pings), and how long the answer is awaited. Default 20 s each.
    #[must_use]
    pub fn keepalive(mut self, interval: Option<Duration>, timeout: Duration) -> Self {
        self.keepalive = Keepalive::new(interval, timeout);
        self
    }

    /// Accepts permessage-deflate with these settings; `None` accepts no extension. Default: [`Deflate::shared`].
    #[must_use]
    pub fn deflate(mut self, deflate: impl Into<Option<Deflate>>) -> Self {
        self.deflate = deflate.into();
        self
    }

    /// Sets the subprotocols that the handler speaks, the preferred one first. The first that a client offers too is agreed on; a
    /// client that offers none of them is still served. Default: none.
    #[must_use]
    pub fn subprotocols<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets which pages may connect. Default: [`Origins::same_host`].
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Decides on each valid request, after its origin was checked: a value that the handler finds in [`Request::state`], or
    /// an HTTP answer that refuses. Counts against the limit `open_timeout`. Default: everyone is welcome.
    ///
    /// ```
    /// use duplexer::{Rejection, Request, Server};
    /// use http::StatusCode;
    /// let server = Server::builder()
    ///     .authorize(|request: Request| async move {
    ///         let user = request.query().and_then(|query| query.strip_prefix("user="));
    ///         match user {
    ///             Some(user) => Ok(user.to_owned()),
    ///             None => Err(Rejection::new(StatusCode::UNAUTHORIZED, "who are you?\n")),
    ///         }
    ///     })
    ///     .build();
    /// ```
    #[must_use]
    pub fn authorize<A, F, T>(self, authorize: A) -> ServerBuilder<T>
    where
        A: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Rejection>> + Send + 'static,
    {
        ServerBuilder {
            limits: self.limits,
            keepalive: self.keepalive,
            deflate: self.deflate,
            subprotocols: self.subprotocols,
            origins: self.origins,
            authorize: Authorize::Ask(Arc::new(move |request| Box::pin(authorize(request)))),
            http: self.http,
            guard: self.guard,
            tls: self.tls,
        }
    }

    /// Answers requests that do not ask for a WebSocket with a tower service, such as an axum router. WebSocket requests on the
    /// same connection, also later ones, still go to the handler. The service finds the connection's [`Addresses`] among the
    /// request's extensions. Default: 426 for all of them.
    #[must_use]
    pub fn http<V, B>(mut self, service: V) -> Self
    where
        V: Service<::http::Request<Incoming>, Response = ::http::Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        V::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        V::Future: Send + 'static,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.http = Some(service::erase(service));
        self
    }

    /// Speaks TLS on every connection, before anything else; the handshake counts against the limit `open_timeout`. Clients that
    /// speak plain HTTP are told so with 400. Default: no TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The server.
    #[must_use]
    pub fn build(self) -> Server<S> {
        let mut config = ServerConfig::default();
        config.limits = Arc::new(self.limits);
        config.keepalive = self.keepalive;
        config.negotiators = negotiators(self.deflate);
        config.subprotocols = self.subprotocols;
        let inner = Inner {
            config,
            origins: self.origins,
            authorize: self.authorize,
            http: self.http,
            proxies: self.guard.proxies,
            caps: Caps::new(self.guard.caps),
            terms: Arc::new(Terms::new(self.guard.rates, self.guard.unfinished_bytes_max)),
            facts: Arc::default(),
            paths: None,
            tls: self.tls,
            tracker: Tracker::new(),
        };
        Server { inner: Arc::new(inner) }
    }
}

impl<S> fmt::Debug for ServerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("limits", &self.limits)
            .field("keepalive", &self.keepalive)
            .field("deflate", &self.deflate)
            .field("subprotocols", &self.subprotocols)
            .field("origins", &self.origins)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
