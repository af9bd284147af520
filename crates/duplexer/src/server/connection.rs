//! One connection of a server, from its first byte to the end of its handler or of its plain HTTP. A future that knows
//! nothing of where the bytes come from, nor who polls it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::server::caps::Seat;
use crate::server::hosted::{HandlerOutcome, Hosted};
use crate::server::http;
use crate::server::inner::Inner;
use crate::server::launch::host;
use crate::server::opening::{self, Opened};
use crate::server::request::{Addresses, Request};
use crate::socket::WebSocket;
use crate::transport::Transport;

/// The future of a connection, from its first byte to the end of its handler or of its plain HTTP. From here to its end the
/// server's shutdown waits for it.
pub(crate) fn run<S, H, F>(
    inner: Arc<Inner<S>>,
    transport: Transport,
    addresses: Addresses,
    handler: H,
) -> Task<impl Future<Output = Option<Hosted<F>>>, F>
where
    S: Send + Sync + 'static,
    H: FnOnce(WebSocket, Request<S>) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let counted = inner.tracker.task();
    let (mut addresses, mut seat) = (addresses, None);
    // A block, since a function would have each of its arguments twice, and this is all that an opening takes.
    resume(async move {
        let opened = opening::open(&inner, transport, &mut addresses, &mut seat).await;
        let (mut accepted, transport) = match opened? {
            Opened::WebSocket(accepted, transport) => (accepted, transport),
            Opened::Http(prefixed, tls) => {
                Box::pin(http::serve(&inner, prefixed, addresses, tls)).await?
            }
        };
        accepted.seat = Seat::join(seat, accepted.seat);
        Some(host(&inner, counted, *accepted, transport, handler))
    })
}

/// The same for a connection whose opening has begun elsewhere, and is counted already.
pub(crate) fn resume<O, F>(opening: O) -> Task<O, F>
where
    O: Future<Output = Option<Hosted<F>>>,
    F: Future<Output: HandlerOutcome>,
{
    Task::Opening { opening: Box::pin(opening) }
}

pin_project! {
    /// A connection. What opening it needs, and plain HTTP, is boxed: an open connection carries only the handler.
    #[project = Projected]
    pub(crate) enum Task<O, F> {
        Opening { opening: Pin<Box<O>> },
        Hosted {
            #[pin]
            hosted: Hosted<F>,
        },
        // Its plain HTTP has ended.
        Over,
    }
}

impl<O, F> Future for Task<O, F>
where
    O: Future<Output = Option<Hosted<F>>>,
    F: Future<Output: HandlerOutcome>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Projected::Opening { opening } = self.as_mut().project() {
            let opened = ready!(opening.as_mut().poll(cx));
            self.set(opened.map_or(Task::Over, |hosted| Task::Hosted { hosted }));
        }
        match self.project() {
            Projected::Hosted { hosted } => hosted.poll(cx),
            Projected::Opening { .. } | Projected::Over => Poll::Ready(()),
        }
    }
}
