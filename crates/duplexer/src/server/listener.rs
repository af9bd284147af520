//! Where connections come from: what every listener is, and the one of TCP. Accepts; knows neither servers nor protocols.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, TcpStream};

use crate::server::request::Addresses;
use crate::transport::Transport;

/// What [`Server::serve`](crate::Server::serve) accepts connections from: a [`TcpListener`], a Unix socket's listener, or several in
/// [`Listeners`](crate::Listeners). Whatever else brings connections is for [`Server::serve_over`](crate::Server::serve_over).
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
    use super::{Addresses, Context, Poll, SocketAddr, Transport, io};

    /// Accepts.
    pub trait Accept {
        /// The next connection. `bound` is this listener's alone.
        fn poll_accept(
            &mut self,
            cx: &mut Context<'_>,
            bound: &mut Bound,
        ) -> Poll<io::Result<Accepted>>;
    }

    /// The address that a listener is bound to, once it was asked for.
    #[derive(Debug, Default)]
    pub struct Bound(pub(crate) Option<SocketAddr>);

    /// A connection. It may have gone already.
    #[allow(missing_debug_implementations, reason = "nobody but the server holds one")]
    pub struct Accepted(pub(crate) io::Result<(Transport, Addresses)>);
}

use sealed::{Accept, Accepted, Bound};

impl Listener for TcpListener {}

impl Accept for TcpListener {
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        bound: &mut Bound,
    ) -> Poll<io::Result<Accepted>> {
        let (stream, peer) = ready!(Self::poll_accept(self, cx))?;
        let addresses = bound.local(self, &stream).map(|local| Addresses {
            peer: Some(peer),
            local: Some(local),
            ..Addresses::default()
        });
        let prepared = stream.set_nodelay(true).and(addresses);
        Poll::Ready(Ok(Accepted(prepared.map(|addresses| (Transport::Tcp(stream), addresses)))))
    }
}

impl Bound {
    /// The address that a client has reached: the one that the listener is bound to. Only where that is any address the stream is
    /// asked, which is a system call for each. (A transparent proxy's listener, Linux's IP_TRANSPARENT, must be bound to any to learn what its
    /// clients meant to reach.)
    fn local(&mut self, listener: &TcpListener, stream: &TcpStream) -> io::Result<SocketAddr> {
        match self.0 {
            Some(address) if !address.ip().is_unspecified() => Ok(address),
            Some(_) => stream.local_addr(),
            None => {
                self.0 = Some(listener.local_addr()?);
                stream.local_addr()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn an_accepted_stream_sends_small_messages_at_once() {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let _client = TcpStream::connect(address).await.expect("it listens");
        let mut bound = Bound::default();
        let accepted = poll_fn(|cx| Accept::poll_accept(&mut listener, cx, &mut bound)).await;
        let (transport, _) = accepted.expect("it listens").0.expect("it is open");
        let Transport::Tcp(stream) = transport else { unreachable!("a TCP listener's") };
        assert!(stream.nodelay().expect("a TCP stream"));
    }

    #[tokio::test]
    async fn the_address_that_a_client_has_reached_is_known_also_where_a_listener_has_any() {
        for at in ["127.0.0.1:0", "0.0.0.0:0"] {
            let mut listener = TcpListener::bind(at).await.expect("a free port");
            let port = listener.local_addr().expect("it is bound").port();
            let mut bound = Bound::default();
            // What is known after the first is used for the second.
            for _ in 0..2 {
                let client = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
                let accepted = poll_fn(|cx| Accept::poll_accept(&mut listener, cx, &mut bound));
                let (_, addresses) = accepted.await.expect("it listens").0.expect("it is open");
                assert_eq!(addresses.local, client.peer_addr().ok(), "{at}");
                assert_eq!(addresses.peer, client.local_addr().ok(), "{at}");
            }
        }
    }
}
