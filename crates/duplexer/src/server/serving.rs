//! Further ways to serve with a server, and a look at what it has running.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::builder::Server;
use crate::server::listener::Listener;
use crate::server::request::Addresses;
use crate::server::routes::Routes;

impl<S: Send + Sync + 'static> Server<S> {
    /// As [`serve`](Server::serve), with a handler for each path. A WebSocket request for another path is answered with 404, before
    /// [`authorize`](crate::ServerBuilder::authorize) is asked. Cancel-safe, as `serve`: dropped, it stops accepting, and connections
    /// that were accepted go on.
    ///
    /// # Errors
    /// As of `serve`.
    pub async fn serve_routes(&self, listener: impl Listener, routes: Routes<S>) -> io::Result<()> {
        self.routed(&routes).serve(listener, routes.handler()).await
    }

    /// As [`serve_over`](Server::serve_over), with a handler for each path. Not cancel-safe, as `serve_over`: dropped, it drops the
    /// handler and ends the connection without a Close.
    pub async fn serve_routes_over<T>(&self, io: T, addresses: Addresses, routes: &Routes<S>)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.routed(routes).serve_over(io, addresses, routes.handler()).await;
    }

    fn routed(&self, routes: &Routes<S>) -> Self {
        Self { inner: self.inner.with_paths(routes.paths()) }
    }
}

impl<S> Server<S> {
    /// How many WebSockets are open now: those whose handler is running, or whose socket it has given away.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.tracker.sockets()
    }
}
