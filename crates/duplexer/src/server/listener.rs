//! Where connections come from: TCP and Unix sockets, several at once, bound by the program or passed on to it by its service
//! manager. Accepts; knows neither servers nor protocols.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::server::request::Addresses;
use crate::transport::Transport;

/// What [`Server::serve`](crate::Server::serve) accepts connections from: a [`TcpListener`], a Unix socket's listener, or several in
/// [`Listeners`]. Whatever else brings connections is for [`Server::serve_over`](crate::Server::serve_over).
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// duplexer::Server::default().serve(listener, |_: duplexer::WebSocket, _| async {}).await
/// # }
/// ```
pub trait Listener: sealed::Accept + Send {}

/// Keeps others from writing listeners of their own: what they would have to return is not settled.
pub(crate) mod sealed {
    use super::{Addresses, Context, Poll, Transport, io};

    /// Accepts.
    pub trait Accept {
        /// The next connection.
        fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>>;
    }

    /// A connection. It may have gone already.
    #[allow(missing_debug_implementations, reason = "nobody but the server holds one")]
    pub struct Accepted(pub(crate) io::Result<(Transport, Addresses)>);
}

use sealed::{Accept, Accepted};

impl Listener for TcpListener {}

impl Accept for TcpListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, peer) = ready!(Self::poll_accept(self, cx))?;
        let addresses = stream.local_addr().map(|local| Addresses {
            peer: Some(peer),
            local: Some(local),
            ..Addresses::default()
        });
        let prepared = stream.set_nodelay(true).and(addresses);
        Poll::Ready(Ok(Accepted(prepared.map(|addresses| (Transport::Tcp(stream), addresses)))))
    }
}

#[cfg(unix)]
impl Listener for UnixListener {}

#[cfg(unix)]
impl Accept for UnixListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, _) = ready!(Self::poll_accept(self, cx))?;
        Poll::Ready(Ok(Accepted(Ok((Transport::other(stream), Addresses::default())))))
    }
}

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
    all: Vec<One>,
    /// Whose turn it is.
    next: usize,
}

#[derive(Debug)]
enum One {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
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
        self.all.push(One::Tcp(listener));
        self
    }

    /// Adds one. Its socket's file stays when it is dropped: who bound it removes it.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(mut self, listener: UnixListener) -> Self {
        self.all.push(One::Unix(listener));
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
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        for _ in 0..self.all.len() {
            let at = self.next % self.all.len();
            self.next = at + 1;
            let accepted = match &mut self.all[at] {
                One::Tcp(listener) => Accept::poll_accept(listener, cx),
                #[cfg(unix)]
                One::Unix(listener) => Accept::poll_accept(listener, cx),
            };
            if accepted.is_ready() {
                return accepted;
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn an_accepted_stream_sends_small_messages_at_once() {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let _client = TcpStream::connect(address).await.expect("it listens");
        let accepted = poll_fn(|cx| Accept::poll_accept(&mut listener, cx)).await;
        let (transport, _) = accepted.expect("it listens").0.expect("it is open");
        let Transport::Tcp(stream) = transport else { unreachable!("a TCP listener's") };
        assert!(stream.nodelay().expect("a TCP stream"));
    }
}
