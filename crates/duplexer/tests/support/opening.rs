//! Opens connections between a peer and the end under test: over a pipe in memory for a client, over TCP on a free port
//! for a server.

use std::net::SocketAddr;
use std::time::Duration;

use duplexer::{Addresses, Client, HandlerOutcome, Request, Server, WebSocket};
use duplexer_proto::handshake::Key;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

use super::peer::{Peer, Role};

/// A client with the default settings, and the server it talks to; deflate is not agreed on.
pub(crate) async fn client() -> (WebSocket, Peer<DuplexStream>) {
    client_with(&Client::default(), "", 64 << 10).await
}

/// A client with settings of its own, its peer's further response headers (with line ends), and the bytes that the pipe
/// holds in each direction.
pub(crate) async fn client_with(
    client: &Client,
    headers: &str,
    pipe_bytes: usize,
) -> (WebSocket, Peer<DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(pipe_bytes);
    client_over(client, headers, ours, theirs).await
}

/// The same over any transport whose two ends are given.
pub(crate) async fn client_over<A, B>(
    client: &Client,
    headers: &str,
    ours: A,
    theirs: B,
) -> (WebSocket, Peer<B>)
where
    A: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut peer = Peer::new(theirs, Role::Server, VIRTUAL_PATIENCE);
    let accept = async {
        let request = peer.hears_head().await;
        peer.sends_bytes(answer_to(&request, headers)).await;
    };
    let (socket, ()) = tokio::join!(client.connect_over(ours, "ws://example.com/"), accept);
    (socket.expect("an open connection"), peer)
}

/// The response that opens the connection that `request` asks for, with further headers, each with its line end.
pub(crate) fn answer_to(request: &str, headers: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let key = Key::parse(key.expect("a key").as_bytes()).expect("a valid key");
    let accept = key.accept();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
    )
}

/// Serves on a free port of the loopback address, as a task of the current runtime.
pub(crate) async fn host<S, H, F>(server: &Server<S>, handler: H) -> SocketAddr
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = server.clone();
    tokio::spawn(async move { server.serve(listener, handler).await });
    address
}

/// Opens a connection over a pipe, one of whose ends is given to a handler of a server with the default settings; returns who has
/// the other.
pub(crate) async fn open_over<T, H, F>(
    ours: T,
    theirs: DuplexStream,
    handler: H,
) -> Peer<DuplexStream>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: FnOnce(WebSocket, Request) -> F + Send + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    tokio::spawn(
        async move { Server::default().serve_over(ours, Addresses::default(), handler).await },
    );
    let mut peer = Peer::new(theirs, Role::Client, Duration::from_secs(60));
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    peer
}

/// Connects to a server and says nothing.
pub(crate) async fn dial(address: SocketAddr) -> Peer<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a TCP stream");
    Peer::new(stream, Role::Client, PATIENCE)
}

/// Opens a connection to a server with the key of RFC 6455 §1.3.
pub(crate) async fn open(address: SocketAddr) -> Peer<TcpStream> {
    open_with(address, "").await.0
}

/// The same with further headers, each with its line end; returns the response's head as well.
pub(crate) async fn open_with(address: SocketAddr, headers: &str) -> (Peer<TcpStream>, String) {
    let mut peer = dial(address).await;
    peer.sends_bytes(format!("{REQUEST}{headers}\r\n")).await;
    let head = peer.hears_head().await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    let accepts = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        name.eq_ignore_ascii_case("sec-websocket-accept") && value == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    };
    assert!(head.lines().any(accepts), "{head}");
    (peer, head)
}

/// Waits for something and fails the test when it does not come: in real time, or on a paused clock when nothing else moves.
pub(crate) async fn until<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

/// A request with the key of RFC 6455 §1.3, but for the empty line at its end.
pub(crate) const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Version: 13\r\n";

/// How long a thing over TCP is waited for: in real time.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a thing over a pipe is waited for: in virtual time, of which there is enough.
const VIRTUAL_PATIENCE: Duration = Duration::from_secs(3600);
