//! Several listeners as one, bound by the program or passed on to it by its service manager.

use std::io;
use std::task::{Context, Poll};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::server::AnyListener;
use crate::server::listener::Listener;
use crate::server::listener::sealed::{Accept, Accepted, Bound};

/// Several listeners as one; each has its turn.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use duplexer::{Listeners, Server, WebSocket};
/// let listeners = match Listeners::from_env()? {
///     Some(passed) => passed,
///     None => Listeners::new().tcp(tokio::net::TcpListener::bind("[::1]:9001").await?),
/// };
/// Server::default().serve(listeners, |_: WebSocket, _| async {}).await
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Listeners {
    all: Vec<(AnyListener, Bound)>,
    /// Whose turn it is.
    next: usize,
}

impl Listeners {
    /// None yet. Of none there never comes a connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { all: Vec::new(), next: 0 }
    }

    /// Adds one.
    #[must_use]
    pub fn tcp(mut self, listener: TcpListener) -> Self {
        self.all.push((listener.into(), Bound::default()));
        self
    }

    /// Adds one. Its socket's file stays when it is dropped: who bound it removes it.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(mut self, listener: UnixListener) -> Self {
        self.all.push((listener.into(), Bound::default()));
        self
    }

    /// The listening sockets, TCP and Unix, that the service manager has passed on (systemd's socket activation, `LISTEN_FDS`);
    /// `None` where it has passed none. To be called on a tokio runtime, once: a second call finds none, for the
    /// variables are removed, so that children do not take them for theirs.
    ///
    /// # Errors
    /// What was passed is no listening stream socket, or the runtime does not take it.
    #[cfg(unix)]
    pub fn from_env() -> io::Result<Option<Self>> {
        let mut passed = listenfd::ListenFd::from_env();
        let mut listeners = Self::new();
        for at in 0..passed.len() {
            let named = |error: io::Error| {
                io::Error::new(
                    error.kind(),
                    format!("socket {at} of LISTEN_FDS is neither TCP nor a Unix stream: {error}"),
                )
            };
            if let Ok(Some(listener)) = passed.take_tcp_listener(at) {
                listener.set_nonblocking(true)?;
                listeners = listeners.tcp(TcpListener::from_std(listener)?);
            } else if let Some(listener) = passed.take_unix_listener(at).map_err(named)? {
                listener.set_nonblocking(true)?;
                listeners = listeners.unix(UnixListener::from_std(listener)?);
            }
        }
        Ok((!listeners.all.is_empty()).then_some(listeners))
    }
}

impl Listener for Listeners {}

impl Accept for Listeners {
    fn poll_accept(&mut self, cx: &mut Context<'_>, _: &mut Bound) -> Poll<io::Result<Accepted>> {
        for _ in 0..self.all.len() {
            let at = self.next % self.all.len();
            self.next = at + 1;
            let (listener, bound) = &mut self.all[at];
            let accepted = Accept::poll_accept(listener, cx, bound);
            if accepted.is_ready() {
                return accepted;
            }
        }
        Poll::Pending
    }
}
