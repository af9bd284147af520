//! In the place of Unix sockets, where the platform has none: every listener is one of TCP.

use std::io;
use std::task::{Context, Poll};

use tokio::net::TcpListener;

use crate::server::listener::sealed::{Accept, Accepted, Bound};

/// A listener of any kind that this platform has.
#[derive(Debug)]
pub(crate) struct AnyListener(TcpListener);

impl From<TcpListener> for AnyListener {
    fn from(listener: TcpListener) -> Self {
        Self(listener)
    }
}

impl Accept for AnyListener {
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        bound: &mut Bound,
    ) -> Poll<io::Result<Accepted>> {
        Accept::poll_accept(&mut self.0, cx, bound)
    }
}
