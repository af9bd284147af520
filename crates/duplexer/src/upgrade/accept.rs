//! Accepts what an HTTP stack has read: the same decision, handlers and shutdown as for connections that our server reads itself.

use std::io;
use std::sync::{Arc, LazyLock};

use duplexer_proto::CloseCode;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};

use crate::clock;
use crate::input::Input;
use crate::server::caps::Seat;
use crate::server::connection;
use crate::server::entry;
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
        let decided = async {
            let entered = entry::enter(inner, clock::now());
            let seat = entered.and_then(|entered| entry::sit(inner, addresses, entered));
            let seat = seat.map_err(|over| OpenError::Over(over, inner.caps.refuse()))?;
            let decided = opening::decide_in_time(inner, request, addresses, None).await;
            let (mut accepted, response) = decided?;
            accepted.seat = Seat::join(seat, accepted.seat);
            Ok((accepted, response))
        };
        let decided = tokio::select! {
            biased;
            () = inner.tracker.reached(Phase::Closing) => Err(OpenError::Shutdown),
            decided = decided => decided,
        };
        answer(inner, counted, decided, addresses, connection, handler)
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
        let decided = opening::check(inner, self.request, self.addresses, None)
            .and_then(|request| opening::accept_for_stack(inner, request, ()));
        let handler = |socket, _: Request| handler(socket);
        answer(inner, inner.tracker.task(), decided, self.addresses, self.connection, handler)
    }
}

/// Shared by all, so that a connection does not pay for settings of its own.
static DEFAULTS: LazyLock<Server> = LazyLock::new(Server::default);

/// The answer; where it accepts, the connection waits for it in a task.
fn answer<S, H, F>(
    inner: &Arc<Inner<S>>,
    counted: TaskGuard,
    decided: Result<(Box<Accepted<S>>, Response<()>), OpenError>,
    addresses: Addresses,
    connection: OnUpgrade,
    handler: H,
) -> Response<String>
where
    S: Send + Sync + 'static,
    H: FnOnce(WebSocket, Request<S>) -> F + Send + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    match decided {
        Ok((accepted, response)) => {
            let opening = open(inner.clone(), counted, accepted, connection, handler);
            tokio::spawn(connection::resume(opening));
            response.map(|()| String::new())
        }
        Err(error) => {
            error.report(addresses);
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
    counted: TaskGuard,
    accepted: Box<Accepted<S>>,
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
    Some(host(&inner, counted, *accepted, transport, handler))
}

/// Waits until the answer has left, and looks at what the connection is.
async fn obtain<S>(
    inner: &Inner<S>,
    mut accepted: Box<Accepted<S>>,
    connection: OnUpgrade,
) -> Option<(Box<Accepted<S>>, Transport)> {
    let (transport, early) = recover(hand_over(inner, connection).await?);
    accepted.early = early;
    let told = accepted.request.addresses();
    let addresses = match complete(told, &transport) {
        Ok(addresses) => addresses,
        Err(error) => {
            tracing::debug!(%error, "a connection is gone already");
            return None;
        }
    };
    accepted.request = accepted.request.at(addresses, &inner.proxies);
    if let Err(error) = judge_late(inner, &mut accepted, told) {
        tracing::debug!(peer = ?addresses.peer, %error, "closing a connection");
        close(accepted, transport, &error).await;
        return None;
    }
    Some((accepted, transport))
}

/// Waits until the HTTP server gives the connection up, which it does once it has sent the answer.
async fn hand_over<S>(inner: &Inner<S>, connection: OnUpgrade) -> Option<Upgraded> {
    let after = inner.config.limits.open_timeout;
    match tokio::time::timeout(after, connection).await {
        Ok(Ok(upgraded)) => return Some(upgraded),
        Ok(Err(error)) if error.is_user() => {
            tracing::error!(%error, "the HTTP server keeps its connections: serve `with_upgrades`");
        }
        Ok(Err(error)) => tracing::debug!(%error, "no connection was opened"),
        Err(_) => {
            tracing::warn!(?after, "the HTTP server has not sent the answer (open_timeout)");
        }
    }
    None
}

/// Judges what could not be judged before the answer, because nobody had told these addresses.
fn judge_late<S>(
    inner: &Inner<S>,
    accepted: &mut Accepted<S>,
    told: Addresses,
) -> Result<(), OpenError> {
    if told.local.is_none() {
        inner.origins.check(&accepted.request)?;
    }
    // Of whoever is known only now; where that is a proxy's address, of whom the proxy names.
    let seated = accepted.seat.as_ref().is_some_and(|seat| seat.has_address());
    if !seated && told.known_client().is_none() && accepted.request.peer().is_some() {
        let seat = match accepted.request.comes_from_proxy() {
            true => entry::seat_behind_proxy(inner, &accepted.request),
            false => entry::sit(inner, accepted.request.addresses(), None),
        };
        let seat = seat.map_err(|over| OpenError::Over(over, None))?;
        accepted.seat = Seat::join(accepted.seat.take(), seat);
    }
    Ok(())
}

/// Closes a connection that would have been refused.
async fn close<S>(accepted: Box<Accepted<S>>, transport: Transport, error: &OpenError) {
    let (code, reason) = parting_words(error);
    let Accepted { connection, agreed, early, .. } = *accepted;
    let input = Input::starting_with(&early);
    let mut socket = WebSocket::unhosted(connection, transport, input, agreed);
    // The code may be sent and the reason is short.
    let _ = socket.close(code, reason).await;
}

/// What a client is told whose connection is open, and would have been refused. Each in words that are short.
fn parting_words(error: &OpenError) -> (CloseCode, &'static str) {
    match error {
        OpenError::Over(..) => (CloseCode::TRY_AGAIN_LATER, "too many connections or openings"),
        OpenError::Rejected(_) => {
            (CloseCode::POLICY_VIOLATION, "the server's setting `origins` does not allow this page")
        }
        OpenError::Decided { error, .. } => parting_words(error),
        // Judged before the answer.
        OpenError::Io(_)
        | OpenError::Tls(_)
        | OpenError::TlsTimedOut { .. }
        | OpenError::Gone
        | OpenError::Shutdown
        | OpenError::NotWebSocket
        | OpenError::Proxy(_)
        | OpenError::Request(_)
        | OpenError::Settings(_) => {
            (CloseCode::INTERNAL_ERROR, "the server cannot keep this connection")
        }
    }
}

/// Finds out what was not told; a TCP stream is set to send small messages at once.
fn complete(told: Addresses, transport: &Transport) -> io::Result<Addresses> {
    let Transport::Tcp(stream) = transport else { return Ok(told) };
    stream.set_nodelay(true)?;
    let found = Addresses::of(stream)?;
    let (peer, local) = (told.peer.or(found.peer), told.local.or(found.local));
    Ok(Addresses { peer, local, ..told })
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_tcp_stream_sends_small_messages_at_once_and_what_was_told_counts() {
        // axum's `serve` leaves TCP_NODELAY off.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(false).expect("a TCP stream");
        let local = stream.local_addr().expect("it is open");
        let transport = Transport::Tcp(stream);
        let told = Addresses { peer: Some(([192, 0, 2, 1], 80).into()), ..Addresses::default() };
        let found = complete(told, &transport).expect("it is open");
        assert_eq!(found, Addresses { local: Some(local), ..told });
        let Transport::Tcp(stream) = transport else { unreachable!("as it was made") };
        assert!(stream.nodelay().expect("a TCP stream"));
    }
}
