//! The examples do what they say: each is run in this process, and talked to.

mod support;

#[cfg(feature = "axum")]
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/axum.rs"]
mod axum_example;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/broadcast.rs"]
mod broadcast;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/client.rs"]
mod client;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/hyper.rs"]
mod hyper_example;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/streaming.rs"]
mod streaming;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/tower.rs"]
mod tower_example;

use std::net::SocketAddr;

use duplexer::{Message, Server, WebSocket};
use support::{Frame, dial, host, open, until};
use tokio::net::TcpListener;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// What a plain request for the root gets.
async fn page(address: SocketAddr) -> String {
    let mut peer = dial(address).await;
    peer.sends_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let (head, page) = peer.hears_response().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    page
}

/// What the client's example says an answer is.
async fn answer(uri: String, question: &str) -> Option<Message> {
    until(client::ask(&uri, question)).await.expect("it answers")
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn axum_serves_a_page_and_an_echo() {
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, axum_example::app(Server::default())).await });
    assert_eq!(page(address).await, "a page\n");
    assert_eq!(answer(format!("ws://{address}/echo"), "hello").await, Some("hello".into()));
}

#[tokio::test]
async fn hyper_serves_a_page_and_a_greeting() {
    let (listener, address) = listener().await;
    tokio::spawn(hyper_example::serve(listener));
    assert_eq!(page(address).await, "a page\n");
    assert_eq!(answer(format!("ws://{address}/greet"), "?").await, Some("hello".into()));
}

#[tokio::test]
async fn a_tower_service_serves_a_page_beside_the_socket() {
    let address = host(&tower_example::server(), tower_example::count).await;
    assert!(page(address).await.starts_with("a page for Some(127.0.0.1:"), "whom it is for");
    assert_eq!(answer(format!("ws://{address}/"), "one").await, Some("1".into()));
}

#[tokio::test]
async fn a_file_goes_up_and_comes_back() {
    let place = std::env::temp_dir().join(format!("duplexer-example-{}", std::process::id()));
    std::fs::create_dir_all(&place).expect("a place for files");
    let (sent, kept, back) = (place.join("sent"), place.join("kept"), place.join("back"));
    let bytes: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    std::fs::write(&sent, &bytes).expect("room for a file");
    let address =
        host(&Server::default(), move |socket: WebSocket, _| streaming::keep(socket, kept.clone()))
            .await;
    let mut socket =
        until(duplexer::connect(&format!("ws://{address}/"))).await.expect("it listens");
    until(streaming::send_file(&mut socket, &sent)).await.expect("it is open");
    let len = until(streaming::receive_file(&mut socket, &back)).await.expect("it is open");
    assert_eq!(len, Some(1_000_000));
    assert!(std::fs::read(&back).expect("it was written") == bytes, "other bytes came back");
    std::fs::remove_dir_all(&place).expect("it is ours");
}

#[tokio::test]
async fn what_one_says_all_hear() {
    let room = broadcast::Room::default();
    let address =
        host(&Server::default(), move |socket: WebSocket, _| room.clone().host(socket)).await;
    let (mut one, mut other) = (open(address).await, open(address).await);
    // Each is there once it has heard itself.
    one.says("one").await;
    assert_eq!(one.hears().await, Frame::new(0x81, "one"));
    other.says("other").await;
    for peer in [&mut one, &mut other] {
        let mut heard = peer.hears().await;
        if heard == Frame::new(0x81, "one") {
            heard = peer.hears().await;
        }
        assert_eq!(heard, Frame::new(0x81, "other"));
    }
    other.closes(1000, "").await;
    assert_eq!(other.hears().await, Frame::close(1000, ""));
    one.says("alone").await;
    assert_eq!(one.hears().await, Frame::new(0x81, "alone"));
}
