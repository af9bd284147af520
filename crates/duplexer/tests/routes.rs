//! Handlers by path: which one a request gets, what it is told of the path, and that all belong to one server.

mod support;

use std::net::SocketAddr;

use duplexer::{Addresses, Rejection, Request, Routes, Server, WebSocket};
use http::StatusCode;
use support::{Frame, Peer, REQUEST, Role, dial, until};
use tokio::net::TcpListener;
use tokio::time::Duration;

async fn chat(mut socket: WebSocket, request: Request) {
    let told =
        format!("{:?} {:?} {:?}", request.route(), request.param("room"), request.param("x"));
    let _ = socket.send(told).await;
    let _ = socket.recv().await;
}

fn routes() -> Routes {
    let echo = |mut socket: WebSocket, _| async move {
        while let Some(message) = socket.recv().await? {
            let _ = socket.send(message).await;
        }
        Ok::<(), duplexer::RecvError>(())
    };
    let routes =
        Routes::new().route("/chat/{room}", chat).and_then(|routes| routes.route("/echo", echo));
    routes.expect("two patterns")
}

async fn host(server: &Server, routes: Routes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = server.clone();
    tokio::spawn(async move { server.serve_routes(listener, routes).await });
    address
}

async fn ask(address: SocketAddr, path: &str) -> (Peer<tokio::net::TcpStream>, String) {
    let mut peer = dial(address).await;
    peer.sends_bytes(format!("{}\r\n", REQUEST.replace("/chat?room=1", path))).await;
    let head = peer.hears_head().await;
    (peer, head)
}

#[tokio::test]
async fn each_path_has_its_handler() {
    let address = host(&Server::default(), routes()).await;
    let (mut peer, head) = ask(address, "/chat/tea%20room?x=1").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let told = r#"Some("/chat/{room}") Some("tea room") None"#;
    assert_eq!(peer.hears().await, Frame::new(0x81, told));
    let (mut peer, _) = ask(address, "/echo").await;
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

#[tokio::test]
async fn a_path_without_a_handler_is_404() {
    let address = host(&Server::default(), routes()).await;
    for path in ["/", "/chat", "/chat/", "/chat/a/b", "/echo/"] {
        let (mut peer, head) = ask(address, path).await;
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}: {head}");
        while peer.reads_more().await {}
    }
    let (_, head) = ask(address, "/chat/%ff").await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    // What asks for no WebSocket has no route.
    let mut peer = dial(address).await;
    peer.sends_bytes("GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 426 "));
}

#[tokio::test]
async fn authorize_knows_the_route() {
    let server = Server::builder()
        .authorize(|request: Request| async move {
            match request.param("room") {
                Some("open") => Ok(()),
                _ => Err(Rejection::new(StatusCode::FORBIDDEN, "closed\n")),
            }
        })
        .build();
    let address = host(&server, routes()).await;
    let (mut peer, head) = ask(address, "/chat/open").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(peer.hears().await.payload.starts_with(b"Some(\"/chat/{room}\") Some(\"open\")"));
    for (path, status) in [("/chat/other", "403"), ("/echo", "403"), ("/nowhere", "404")] {
        let (_, head) = ask(address, path).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
    }
}

#[tokio::test]
async fn routes_belong_to_their_server() {
    let server = Server::default();
    let address = host(&server, routes()).await;
    assert_eq!(server.connections(), 0);
    let (mut one, _) = ask(address, "/echo").await;
    one.says("hello").await;
    one.hears().await;
    assert_eq!(server.connections(), 1);
    let (ours, theirs) = tokio::io::duplex(4096);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve_routes_over(theirs, Addresses::default(), &routes()).await }
    });
    let mut other = Peer::new(ours, Role::Client, Duration::from_secs(10));
    other.sends_bytes(format!("{}\r\n", REQUEST.replace("/chat?room=1", "/echo"))).await;
    assert!(other.hears_head().await.starts_with("HTTP/1.1 101 "));
    other.says("hello").await;
    other.hears().await;
    assert_eq!(server.connections(), 2);
    let shutdown = tokio::spawn({
        let server = server.clone();
        async move { server.shutdown(Duration::from_secs(5)).await }
    });
    one.hears_close(1001).await;
    other.hears_close(1001).await;
    until(shutdown).await.expect("no panic");
    until(serving).await.expect("no panic");
    assert_eq!(server.connections(), 0);
}
