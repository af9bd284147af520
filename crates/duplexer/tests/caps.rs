//! How many connections a server takes, in all and of one address, and how fast; what it tells those it does not take. The
//! clients are raw TCP, all of one address.

mod support;

use std::net::SocketAddr;

use duplexer::{Request, Server, WebSocket};
use support::{Frame, REQUEST, dial, host, open, until};
use tokio::time::Duration;

/// Echoes what it receives.
async fn echo(mut socket: WebSocket, _: Request) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// What a server answers to this request, after which it closes.
async fn refused(address: SocketAddr, request: &str) -> (String, String) {
    let mut peer = dial(address).await;
    peer.sends_bytes(format!("{request}\r\n")).await;
    let (head, text) = peer.hears_response().await;
    peer.hears_end().await;
    (head.to_ascii_lowercase(), text)
}

/// Opens a connection as soon as there is room for it again.
async fn open_again(address: SocketAddr) {
    answers(address, "HTTP/1.1 101 ").await;
}

/// Asks for a connection until this is the answer, and drops it.
async fn answers(address: SocketAddr, status: &str) {
    // Boxed: a peer's read buffers are on the stack of who asks.
    let asked = Box::pin(async {
        loop {
            let mut peer = dial(address).await;
            peer.sends_bytes(format!("{REQUEST}\r\n")).await;
            if peer.hears_head().await.starts_with(status) {
                return;
            }
        }
    });
    until(asked).await;
}

const PLAIN: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n";

#[tokio::test]
async fn a_connection_too_many_is_503_and_disturbs_nobody() {
    let server = Server::builder().connections_max(2).build();
    let address = host(&server, echo).await;
    let (mut one, two) = (open(address).await, open(address).await);
    for request in [REQUEST, PLAIN] {
        let (head, text) = refused(address, request).await;
        assert!(head.starts_with("http/1.1 503 service unavailable\r\n"), "{head}");
        assert!(head.contains("\r\nretry-after: 5\r\n"), "{head}");
        assert!(text.contains("`connections_max`") && text.contains('2'), "{text}");
    }
    one.says("still there?").await;
    assert_eq!(one.hears().await, Frame::new(0x81, "still there?"));
    drop(two);
    open_again(address).await;
}

#[tokio::test]
async fn a_connection_counts_from_its_first_moment() {
    let server = Server::builder().connections_max(1).build();
    let address = host(&server, echo).await;
    let mut silent = dial(address).await;
    // The server accepts in order, but may look at the second before the first has its turn: the first says something.
    silent.sends_bytes("GET / ").await;
    answers(address, "HTTP/1.1 503 ").await;
    drop(silent);
    open_again(address).await;
}

#[tokio::test]
async fn an_address_has_its_own_bound() {
    let server = Server::builder().connections_per_address_max(1).build();
    let address = host(&server, echo).await;
    let first = open(address).await;
    let (head, text) = refused(address, REQUEST).await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert!(text.contains("127.0.0.1") && text.contains("`connections_per_address_max`"), "{text}");
    // Another address of the loopback network is somebody else.
    let other = tokio::net::TcpSocket::new_v4().expect("a socket");
    other.bind("127.0.0.2:0".parse().expect("an address")).expect("a free port");
    let mut other = support::Peer::new(
        until(other.connect(address)).await.expect("it listens"),
        support::Role::Client,
        Duration::from_secs(10),
    );
    other.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(other.hears_head().await.starts_with("HTTP/1.1 101 "));
    drop(first);
    open_again(address).await;
}

#[tokio::test]
async fn who_comes_too_often_is_429() {
    let server = Server::builder().openings_per_second_max(0).build();
    let address = host(&server, echo).await;
    for request in [REQUEST, PLAIN] {
        let (head, text) = refused(address, request).await;
        assert!(head.starts_with("http/1.1 429 too many requests\r\n"), "{head}");
        assert!(head.contains("\r\nretry-after: 1\r\n"), "{head}");
        assert!(text.contains("`openings_per_second_max`"), "{text}");
    }
    let server = Server::builder().openings_per_address_per_second_max(0).build();
    let address = host(&server, echo).await;
    let (head, text) = refused(address, REQUEST).await;
    assert!(head.starts_with("http/1.1 429 "), "{head}");
    assert!(text.contains("`openings_per_address_per_second_max`"), "{text}");
}

#[tokio::test]
async fn a_second_s_worth_of_openings_passes_at_once() {
    let server = Server::builder().openings_per_second_max(1).build();
    let address = host(&server, echo).await;
    open(address).await;
    open_again(address).await;
}

#[tokio::test]
async fn who_is_too_many_and_says_nothing_is_dropped() {
    let server = Server::builder().connections_max(0).build();
    let address = host(&server, echo).await;
    let mut silent = dial(address).await;
    // Well before the 10 s of `open_timeout`.
    tokio::time::timeout(Duration::from_secs(8), silent.hears_end()).await.expect("in time");
    // What is no HTTP is told so.
    let (head, _) = refused(address, "\u{0}\u{0}\r\n").await;
    assert!(head.starts_with("http/1.1 400 "), "{head}");
}
