//! A `Reconnect` whose connections are pipes in memory, and the servers at their other ends.

use std::time::Duration;

use duplexer::{Client, Reconnect, ReconnectBuilder};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::opening::answer_to;
use super::peer::{Peer, Role};

/// The attempts that come, in turn.
#[derive(Debug)]
pub(crate) struct Arrivals(UnboundedReceiver<DuplexStream>);

/// Connections over pipes that hold 64 KiB in each direction.
pub(crate) fn lab() -> (ReconnectBuilder, Arrivals) {
    lab_with(64 << 10)
}

/// The same over pipes of another size.
pub(crate) fn lab_with(pipe_bytes: usize) -> (ReconnectBuilder, Arrivals) {
    let (ends, arrivals) = unbounded_channel();
    let client = Client::default();
    let builder = Reconnect::builder_with(move |_| {
        let (ours, theirs) = tokio::io::duplex(pipe_bytes);
        // Nobody looks any more at the end of a test.
        let _ = ends.send(theirs);
        let client = client.clone();
        async move { client.connect_over(ours, "ws://example.com/").await }
    });
    (builder, Arrivals(arrivals))
}

impl Arrivals {
    /// Waits for the next attempt, and does nothing with it.
    pub(crate) async fn next(&mut self) -> Peer<DuplexStream> {
        let io = self.0.recv().await.expect("the cycle goes on");
        Peer::new(io, Role::Server, Duration::from_secs(3600))
    }

    /// Opens what the next attempt asks for.
    pub(crate) async fn opens(&mut self) -> Peer<DuplexStream> {
        let mut peer = self.next().await;
        let head = peer.hears_head().await;
        peer.sends_bytes(answer_to(&head, "")).await;
        peer
    }

    /// Answers the next attempt so, and ends it.
    pub(crate) async fn refuses(&mut self, answer: &str) {
        refuses(self.next().await, answer).await;
    }

    /// Whether all attempts were looked at.
    pub(crate) fn none_is_left(&self) -> bool {
        self.0.is_empty()
    }
}

/// Opens what is asked for over a pipe of one's own; returns the request's head.
pub(crate) async fn accept(io: DuplexStream) -> (String, Peer<DuplexStream>) {
    let mut peer = Peer::new(io, Role::Server, Duration::from_secs(3600));
    let head = peer.hears_head().await;
    peer.sends_bytes(answer_to(&head, "")).await;
    (head, peer)
}

/// Answers an attempt so, and ends it.
pub(crate) async fn refuses(mut peer: Peer<DuplexStream>, answer: &str) {
    peer.hears_head().await;
    peer.sends_bytes(answer).await;
    peer.ends().await;
}
