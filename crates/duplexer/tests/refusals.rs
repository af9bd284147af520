//! How many a server refuses in words at a time: 256 that it does not take. Each may cost what a connection costs until it has read
//! the answer, so whoever comes beyond that is dropped without one. Over pipes, on a paused clock.

mod support;

use duplexer::{
    Addresses, ProxyProtocol, Request, Server, ServerBuilder, TrustedProxies, WebSocket,
};
use support::{Peer, REQUEST, Role, until};
use tokio::io::DuplexStream;
use tokio::time::Duration;

/// Brings a server connections from a proxy at 127.0.0.1.
struct Gate(Server<()>);

impl Gate {
    fn before(server: ServerBuilder) -> Self {
        let proxies = TrustedProxies::list(["127.0.0.1"]).expect("an address");
        Self(server.trusted_proxies(proxies).build())
    }

    /// A connection that begins with these bytes.
    async fn asks(&self, bytes: &str) -> Peer<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(4 << 10);
        let mut peer = Peer::new(ours, Role::Client, Duration::from_secs(3600));
        peer.sends_bytes(bytes).await;
        let server = self.0.clone();
        let mut addresses = Addresses::default();
        addresses.peer = Some(([127, 0, 0, 1], 40_000).into());
        let nothing = |_: WebSocket, _: Request| async {};
        tokio::spawn(async move { server.serve_over(theirs, addresses, nothing).await });
        peer
    }

    /// One that is refused with this status, and does not go.
    async fn refuses(&self, bytes: &str, status: &str) -> Peer<DuplexStream> {
        let mut peer = self.asks(bytes).await;
        let head = peer.hears_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        peer
    }

    /// Who is dropped without a word, now that so many do not go.
    async fn drops(&self, bytes: &str) {
        self.asks(bytes).await.hears_end().await;
    }

    /// Asks until there is room for an answer, which is this.
    async fn answers_again(&self, bytes: &str, status: &str) {
        let asked = async {
            while !self.asks(bytes).await.reads_more().await {
                tokio::task::yield_now().await;
            }
        };
        until(asked).await;
        self.refuses(bytes, status).await;
    }

    /// Shows the bound: `holding` are refused in words, with 503, and do not go; `one` more, who would be told this status, is told
    /// nothing until one of them has gone.
    async fn bounds(&self, holding: &str, one: &str, status: &str) {
        let mut held = Vec::new();
        for _ in 0..REFUSALS_MAX - 1 {
            held.push(self.refuses(holding, "503").await);
        }
        held.push(self.refuses(one, status).await);
        self.drops(one).await;
        self.drops(holding).await;
        held.pop();
        self.answers_again(one, status).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_connections_too_many_so_many_are_told_and_the_rest_dropped() {
    let gate = Gate::before(Server::builder().connections_max(0));
    let request = format!("{REQUEST}\r\n");
    gate.bounds(&request, &request, "503").await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_go_makes_room_after_two_seconds() {
    let gate = Gate::before(Server::builder().connections_max(0));
    let request = format!("{REQUEST}\r\n");
    let mut held = Vec::new();
    for _ in 0..REFUSALS_MAX {
        held.push(gate.refuses(&request, "503").await);
    }
    gate.drops(&request).await;
    tokio::time::advance(Duration::from_millis(2001)).await;
    gate.answers_again(&request, "503").await;
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_takes_the_room_of_a_refusal_too() {
    let gate = Gate::before(Server::builder().connections_max(0));
    let mut held = Vec::new();
    for _ in 0..REFUSALS_MAX {
        held.push(gate.asks("GET").await);
        tokio::task::yield_now().await;
    }
    gate.drops(&format!("{REQUEST}\r\n")).await;
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_says_nonsense_is_refused_within_the_bound() {
    // Before it is known whose connection it is, and so before it is counted of an address.
    let server = Server::builder().connections_max(0).proxy_protocol(ProxyProtocol::Required);
    let request = format!("PROXY UNKNOWN\r\n{REQUEST}\r\n");
    Gate::before(server).bounds(&request, "PROXY nonsense\r\n", "400").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_too_many_behind_a_proxy_is_refused_within_the_bound() {
    // Known by a header only, when the request was read.
    let gate = Gate::before(Server::builder().connections_per_address_max(0));
    let request = format!("{REQUEST}X-Forwarded-For: 192.0.2.7\r\n\r\n");
    gate.bounds(&request, &request, "503").await;
}

/// What the server refuses in words at a time.
const REFUSALS_MAX: usize = 256;
