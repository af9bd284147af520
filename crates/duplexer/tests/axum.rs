//! `Upgrade` as an extractor of a real axum application.

mod support;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use duplexer::{Client, CloseCode, Message, RecvError, Request, Server, Upgrade, WebSocket};
use support::{Frame, REQUEST, dial, open, until};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Duration;

/// More than any test here takes.
const LONG: Duration = Duration::from_secs(60);

async fn echo(mut socket: WebSocket, _: Request) -> Result<(), RecvError> {
    while let Some(message) = socket.recv().await? {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn chat(State(server): State<Server>, upgrade: Upgrade) -> impl IntoResponse {
    server.upgrade(upgrade, echo).await
}

/// Sends back one message.
async fn greet(mut socket: WebSocket) -> Result<(), RecvError> {
    if let Some(message) = socket.recv().await? {
        socket.send(message).await.ok();
    }
    Ok(())
}

/// A page, or a WebSocket for who asks for one.
async fn either(upgrade: Option<Upgrade>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.on_upgrade(|socket: WebSocket| greet(socket)).into_response(),
        None => "a page\n".into_response(),
    }
}

/// An application on a free port, served by axum until the sender is used or dropped.
async fn serve(server: &Server) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let inner = Router::new().route("/either", get(either));
    let app =
        Router::new().route("/chat", any(chat)).nest("/inner", inner).with_state(server.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap_or_default() };
        axum::serve(listener, app).with_graceful_shutdown(stopped).await.expect("it serves");
    });
    (address, stop, running)
}

#[tokio::test]
async fn our_client_talks_to_a_route() {
    let server = Server::builder().subprotocols(["chat"]).build();
    let (address, _stop, _) = serve(&server).await;
    let client = Client::builder().subprotocol("chat").build();
    let mut socket =
        until(client.connect(format!("ws://{address}/chat"))).await.expect("it listens");
    assert_eq!(socket.subprotocol(), Some("chat"));
    assert!(socket.extensions().starts_with("permessage-deflate"));
    for message in [Message::from("hello"), "text ".repeat(10_000).into(), vec![0; 1 << 20].into()]
    {
        let talk = async {
            socket.send(message.clone()).await.expect("it is open");
            socket.recv().await.expect("open")
        };
        assert!(until(talk).await == Some(message), "another message came back");
    }
    until(socket.close(CloseCode::NORMAL, "done")).await.expect("a valid reason");
    assert!(socket.close_info().is_some_and(|info| info.clean));
}

#[tokio::test]
async fn a_route_may_answer_both_kinds_of_requests() {
    let (address, _stop, _) = serve(&Server::default()).await;
    let request = REQUEST.replace("/chat?room=1", "/inner/either");
    let mut peer = dial(address).await;
    peer.sends_bytes("GET /inner/either HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(peer.hears_response().await.1, "a page\n");
    // What it sends early is axum's to read and ours to have.
    let early = peer.frame(0x81, "early");
    peer.sends_bytes([request.as_bytes(), b"\r\n", &early].concat()).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.hears().await, Frame::new(0x81, "early"));
    peer.hears_close(1000).await;
}

#[tokio::test]
async fn a_request_that_is_none_is_rejected_before_the_handler() {
    let (address, _stop, _) = serve(&Server::default()).await;
    for (request, status, told) in [
        ("GET /chat HTTP/1.1\r\nHost: localhost\r\n".to_owned(), "426", "Upgrade: websocket"),
        (REQUEST.replace("GET", "POST"), "405", "POST"),
        (REQUEST.replace("Version: 13", "Version: 7"), "426", "`7`"),
        (format!("{REQUEST}Content-Length: 1\r\n"), "400", "body"),
        (format!("{REQUEST}Origin: http://evil.example\r\n"), "403", "`origins`"),
        (
            REQUEST.replace("/chat?room=1", "/inner/either").replace("Version: 13", "Version: 7"),
            "426",
            "`7`",
        ),
    ] {
        let mut peer = dial(address).await;
        peer.sends_bytes(format!("{request}\r\n")).await;
        let (head, text) = peer.hears_response().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/plain"), "{head}");
        assert!(text.contains(told), "{request}: {text}");
    }
}

#[tokio::test]
async fn axum_does_not_wait_for_its_websockets_and_the_server_does() {
    let server = Server::default();
    let (address, stop, running) = serve(&server).await;
    let mut peer = open(address).await;
    peer.says("hello").await;
    peer.hears().await;
    stop.send(()).expect("it serves");
    until(running).await.expect("no panic");
    // It has ended, and the connection goes on.
    peer.says("still there?").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "still there?"));
    tokio::join!(until(server.shutdown(LONG)), peer.hears_close(1001));
}
