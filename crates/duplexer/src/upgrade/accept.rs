//! Accepts what an HTTP stack has read: the same decision, handlers and shutdown as for connections that our server reads itself.

use std::io;
use std::sync::{Arc, LazyLock};

use duplexer_proto::{Acceptance, CloseCode};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;

use crate::input::Input;
use crate::server::connection;
use crate::server::hosted::Hosted;
use crate::server::inner::Inner;
use crate::server::launch::host;
use crate::server::opening::{self, Accepted, OpenError};
use crate::server::tracker::{Phase, TaskGuard};
use crate::server::{Addresses, HandlerOutcome, Rejection, Request, Server};
use crate::socket::WebSocket;
use crate::transport::Transport;
use crate::upgrade::recover::recover;
use crate::upgrade::request::Upgrade;

impl<S: Send + Sync + 'static> Server<S> {
    /// Accepts or refuses a request that another HTTP server has read, with all of this server's settings, and returns the answer,
    /// which that server has to send as it is. `handler` then runs as a task of the current runtime, as in [`serve`](Server::serve),
    /// with nothing of the other server between it and the connection; [`shutdown`](Server::shutdown) ends it, which the
    /// other server's own would not. A server that is used so need not listen anywhere.
    ///
    /// Where the answer has not left within the limit `open_timeout`, nothing comes of it, which is logged. After `shutdown` the answer is 503.
    /// Cancel-safe: dropped, it has accepted nothing.
    ///
    /// ```
    /// use duplexer::{Request, Server, Upgrade, WebSocket, http};
    /// async fn greet(server: &Server, upgrade: Upgrade) -> http::Response<String> {
    ///     let handler = |mut socket: WebSocket, request: Request| async move {
    ///         socket.send(format!("hello, {:?}", request.peer())).await
    ///     };
    ///     server.upgrade(upgrade, handler).await
    /// }
    /// ```
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub async fn upgrade<H, F>(&self, upgrade: Upgrade, handler: H) -> Response<String>
    where
        H: FnOnce(WebSocket, Request<S>) -> F + Send + 'static,
        F: Future<Output: HandlerOutcome> + Send + 'static,
    {
        let Upgrade { request, addresses, connection } = upgrade;
        let inner = &self.inner;
        // Counted before looking, so that a shutdown either is seen or waits.
        let counted = inner.tracker.task();
        let decided = tokio::select! {
            biased;
            () = inner.tracker.reached(Phase::Closing) => Err(OpenError::Shutdown),
            decided = opening::decide_in_time(inner, request, addresses) => decided,
        };
        answer(inner, counted, decided, connection, handler)
    }
}

impl Upgrade {
    /// Accepts or refuses with the default settings: pages of the same host only, deflate, keepalive, no subprotocol. As
    /// [`Server::upgrade`] of a server that is never shut down; to change settings, to end connections or to decide who may
    /// connect, use that.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub fn on_upgrade<H, F>(self, handler: H) -> Response<String>
    where
        H: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output: HandlerOutcome> + Send + 'static,
    {
        let inner = &DEFAULTS.inner;
        let decided = opening::check(inner, self.request, self.addresses)
            .and_then(|request| opening::accept(inner, request, ()));
        let handler = |socket, _: Request| handler(socket);
        answer(inner, inner.tracker.task(), decided, self.connection, handler)
    }
}

/// Shared by all, so that a connection does not pay for settings of its own.
static DEFAULTS: LazyLock<Server> = LazyLock::new(Server::default);

/// The answer; where it accepts, the connection waits for it in a task.
fn answer<S, H, F>(
    inner: &Arc<Inner<S>>,
    counted: TaskGuard,
    decided: Result<Accepted<S>, OpenError>,
    connection: OnUpgrade,
    handler: H,
) -> Response<String>
where
    S: Send + Sync + 'static,
    H: FnOnce(WebSocket, Request<S>) -> F + Send + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    match decided {
        Ok(mut accepted) => {
            let response = std::mem::take(&mut accepted.acceptance.response);
            let opening = open(inner.clone(), accepted, connection, handler);
            tokio::spawn(connection::resume(counted, opening));
            response.map(|()| String::new())
        }
        Err(error) => {
            tracing::debug!(%error, "no connection was opened");
            refusal(&error)
        }
    }
}

fn refusal(error: &OpenError) -> Response<String> {
    let mut response = error.response().unwrap_or_else(|| {
        let mut response =
            Rejection::new(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    });
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// Takes a connection from its answer to its handler.
async fn open<S, H, F>(
    inner: Arc<Inner<S>>,
    accepted: Accepted<S>,
    connection: OnUpgrade,
    handler: H,
) -> Option<Hosted<F>>
where
    H: FnOnce(WebSocket, Request<S>) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let obtained = tokio::select! {
        obtained = obtain(&inner, accepted, connection) => obtained?,
        () = inner.tracker.reached(Phase::Dropping) => return None,
    };
    let (accepted, transport) = obtained;
    Some(host(&inner, accepted, transport, handler))
}

/// Waits until the answer has left, and looks at what the connection is.
async fn obtain<S>(
    inner: &Inner<S>,
    mut accepted: Accepted<S>,
    connection: OnUpgrade,
) -> Option<(Accepted<S>, Transport)> {
    let after = inner.config.limits.open_timeout;
    let upgraded = match tokio::time::timeout(after, connection).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) if error.is_user() => {
            tracing::error!(%error, "the HTTP server keeps its connections: serve `with_upgrades`");
            return None;
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "no connection was opened");
            return None;
        }
        Err(_) => {
            tracing::warn!(?after, "the HTTP server has not sent the answer (open_timeout)");
            return None;
        }
    };
    let (transport, early) = recover(upgraded);
    accepted.early = early;
    let told = accepted.request.addresses();
    let addresses = match complete(told, &transport) {
        Ok(addresses) => addresses,
        Err(error) => {
            tracing::debug!(%error, "a connection is gone already");
            return None;
        }
    };
    accepted.request = accepted.request.at(addresses);
    if told.local.is_none()
        && let Err(rejection) = inner.origins.check(&accepted.request)
    {
        tracing::debug!(peer = ?addresses.peer, %rejection, "closing a connection");
        let Acceptance { connection, agreed, .. } = accepted.acceptance;
        let input = Input::starting_with(&accepted.early);
        let mut socket = WebSocket::unhosted(connection, transport, input, agreed);
        let reason = "the server's setting `origins` does not allow this page";
        // The code and the length are right.
        let _ = socket.close(CloseCode::POLICY_VIOLATION, reason).await;
        return None;
    }
    Some((accepted, transport))
}

/// Finds out what was not told; a TCP stream is set to send small messages at once.
fn complete(told: Addresses, transport: &Transport) -> io::Result<Addresses> {
    let Transport::Tcp(stream) = transport else { return Ok(told) };
    stream.set_nodelay(true)?;
    let mut found = Addresses::of(stream)?;
    found.peer = told.peer.or(found.peer);
    found.local = told.local.or(found.local);
    Ok(found)
}
