//! Accepts TCP connections, and takes each from its first byte to the end of its handler.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use duplexer_proto::Acceptance;
use tokio::net::{TcpListener, TcpStream};

use crate::driver::Driver;
use crate::handle::Shared;
use crate::input::Input;
use crate::server::builder::Inner;
use crate::server::hosted::{HandlerOutcome, Hosted};
use crate::server::http;
use crate::server::opening::{self, Accepted, Opened};
use crate::server::request::Request;
use crate::server::tracker::Phase;
use crate::socket::WebSocket;
use crate::transport::Transport;

/// Accepts until the server shuts down.
pub(crate) async fn serve<S, H, F>(
    inner: Arc<Inner<S>>,
    listener: TcpListener,
    handler: H,
) -> io::Result<()>
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let closing = inner.tracker.reached(Phase::Closing);
    tokio::pin!(closing);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut closing => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (inner, handler) = (inner.clone(), handler.clone());
                let guard = inner.tracker.task();
                tokio::spawn(async move {
                    connection(inner, stream, peer, handler).await;
                    drop(guard);
                });
            }
            // The peer has gone, or the system is short of something that others will give back.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Runs one TCP connection.
async fn connection<S, H, F>(
    inner: Arc<Inner<S>>,
    stream: TcpStream,
    peer: SocketAddr,
    handler: H,
) where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    // What opening needs is boxed, so that an open connection does not carry its size.
    let opened = Box::pin(opening::open(&inner, stream, peer)).await;
    match opened {
        Ok(Opened::WebSocket(accepted, stream)) => {
            let hosted = host(&inner, *accepted, Transport::Tcp(stream), handler);
            drop(inner);
            hosted.await;
        }
        Ok(Opened::Http(prefixed)) => Box::pin(http::serve(inner, prefixed, peer, handler)).await,
        Err(error) => tracing::debug!(%peer, %error, "no connection was opened"),
    }
}

/// A handler's future around an accepted connection.
pub(crate) fn host<S, H, F>(
    inner: &Inner<S>,
    accepted: Accepted<S>,
    transport: Transport,
    handler: H,
) -> Hosted<F>
where
    H: Fn(WebSocket, Request<S>) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let input = Input::starting_with(&accepted.early);
    let Acceptance { connection, agreed, .. } = accepted.acceptance;
    let shared = Shared::new(Driver::new(connection, transport, input), true);
    let tracked = inner.tracker.socket(&shared);
    let socket = WebSocket::new(shared.clone(), agreed);
    Hosted::new(handler(socket, accepted.request), shared, tracked)
}

/// How long accepting rests after an error.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
