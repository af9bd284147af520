//! The senders of all connections of a server, for handlers that speak to others.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use duplexer::{Sender, Server, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use super::{Peer, host, open_over, until};

pub(crate) type Everybody = Arc<Mutex<Vec<Sender>>>;

/// Waits until so many are there.
pub(crate) async fn gathered(everybody: &Everybody, count: usize) {
    until(async {
        while everybody.lock().expect("no panic").len() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A server whose handlers [`pass_on`].
pub(crate) async fn host_room<A: Future<Output = ()> + Send>(
    everybody: &Everybody,
    after: impl Fn() -> A + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let everybody = everybody.clone();
    host(&Server::default(), move |socket, _| {
        let (everybody, after) = (everybody.clone(), after.clone());
        async move { pass_on(socket, &everybody, after).await }
    })
    .await
}

/// Opens a connection over a pipe, of which `ours` is served by a handler that [`pass_on`]s; returns who has the other end.
pub(crate) async fn joins<T>(
    everybody: &Everybody,
    ours: T,
    theirs: DuplexStream,
) -> Peer<DuplexStream>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let everybody = everybody.clone();
    open_over(ours, theirs, |socket, _| async move {
        pass_on(socket, &everybody, || std::future::ready(())).await;
    })
    .await
}

/// Passes what one connection says to everybody with `try_send_prepared`, and then does as `after` says.
pub(crate) async fn pass_on<A: Future<Output = ()>>(
    socket: WebSocket,
    everybody: &Everybody,
    after: impl Fn() -> A,
) {
    let (sender, mut receiver) = socket.split();
    everybody.lock().expect("no panic").push(sender);
    while let Ok(Some(message)) = receiver.recv().await {
        let prepared = duplexer::Prepared::new(message);
        for sender in &*everybody.lock().expect("no panic") {
            sender.try_send_prepared(&prepared).expect("there is room");
        }
        after().await;
    }
}
