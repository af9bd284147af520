//! Accepts TCP connections, and takes each from its first byte to the end of its handler.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::net::{TcpListener, TcpStream};

use crate::server::hosted::{HandlerOutcome, Hosted};
use crate::server::http;
use crate::server::inner::Inner;
use crate::server::launch::host;
use crate::server::opening::{self, Opened};
use crate::server::request::Request;
use crate::server::tracker::{Phase, TaskGuard};
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
                let guard = inner.tracker.task();
                let opening = connection(inner.clone(), stream, peer, handler.clone());
                tokio::spawn(Task {
                    opening: Some(Box::pin(opening)),
                    hosted: None,
                    _counted: guard,
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

pin_project! {
    /// One TCP connection. What opening it needs, and plain HTTP, is boxed: an open connection carries only the
    /// handler.
    struct Task<O, F> {
        opening: Option<Pin<Box<O>>>,
        #[pin]
        hosted: Option<Hosted<F>>,
        _counted: TaskGuard,
    }
}

impl<O, F> Future for Task<O, F>
where
    O: Future<Output = Option<Hosted<F>>>,
    F: Future<Output: HandlerOutcome>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(opening) = this.opening {
            let hosted = ready!(opening.as_mut().poll(cx));
            this.hosted.set(hosted);
            *this.opening = None;
        }
        match this.hosted.as_pin_mut() {
            Some(hosted) => hosted.poll(cx),
            None => Poll::Ready(()),
        }
    }
}

/// Takes a TCP connection from its first byte to a handler, or through all of its plain HTTP.
async fn connection<S, H, F>(
    inner: Arc<Inner<S>>,
    stream: TcpStream,
    peer: SocketAddr,
    handler: H,
) -> Option<Hosted<F>>
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    match opening::open(&inner, stream, peer).await {
        Ok(Opened::WebSocket(accepted, stream)) => {
            return Some(host(&inner, *accepted, Transport::Tcp(stream), handler));
        }
        Ok(Opened::Http(prefixed)) => http::serve(inner, prefixed, peer, handler).await,
        Err(error) => tracing::debug!(%peer, %error, "no connection was opened"),
    }
    None
}

/// How long accepting rests after an error.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
