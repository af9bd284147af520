//! Where connections come from: what every listener is, and the one of TCP. Accepts; knows neither servers nor protocols.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::net::TcpListener;

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
