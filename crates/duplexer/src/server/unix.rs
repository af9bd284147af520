//! Unix sockets among the listeners: accepts from one, and from whichever kind it is told.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, UnixListener};

use crate::server::listener::Listener;
use crate::server::listener::sealed::{Accept, Accepted, Bound};
use crate::server::request::Addresses;
use crate::transport::Transport;

impl Listener for UnixListener {}

impl Accept for UnixListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>, _: &mut Bound) -> Poll<io::Result<Accepted>> {
        let (stream, _) = ready!(Self::poll_accept(self, cx))?;
        Poll::Ready(Ok(Accepted(Ok((Transport::other(stream), Addresses::default())))))
    }
}

/// A listener of any kind that this platform has.
#[derive(Debug)]
pub(crate) enum AnyListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl From<TcpListener> for AnyListener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for AnyListener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl Accept for AnyListener {
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        bound: &mut Bound,
    ) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener) => Accept::poll_accept(listener, cx, bound),
            Self::Unix(listener) => Accept::poll_accept(listener, cx, bound),
        }
    }
}
