//! The examples do what they say: each is run in this process, and talked to.

mod support;

#[cfg(feature = "axum")]
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/axum.rs"]
mod axum_example;
#[cfg(feature = "blocking")]
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/blocking.rs"]
mod blocking_example;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/broadcast.rs"]
mod broadcast;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/client.rs"]
mod client;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/closing.rs"]
mod closing;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/hyper.rs"]
mod hyper_example;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/limits.rs"]
mod limits;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/proxy.rs"]
mod proxy;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/reconnecting.rs"]
mod reconnecting;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/streaming.rs"]
mod streaming;
#[cfg(feature = "testing")]
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/testing.rs"]
mod testing_example;
#[cfg(feature = "tls")]
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/tls.rs"]
mod tls_example;
#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../examples/tower.rs"]
mod tower_example;

use std::net::SocketAddr;

use duplexer::{Message, Server, WebSocket};
use support::{Frame, dial, host, open, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

#[cfg(feature = "blocking")]
#[tokio::test]
async fn a_plain_thread_asks_and_is_answered() {
    let address = host(&limits::server(), limits::echo).await;
    let asking = tokio::task::spawn_blocking(move || {
        let asked = blocking_example::ask(&format!("ws://{address}/"), "hello");
        asked.map_err(|error| error.to_string())
    });
    assert_eq!(until(asking).await.expect("no panic"), Ok(Some("hello".into())));
}

#[tokio::test]
async fn each_end_is_told_by_code_and_by_who_began_it() {
    let address = host(&Server::default(), closing::host).await;
    let uri = format!("ws://{address}/");
    let ending = async |said| until(closing::ending(&uri, said)).await.expect("it listens");
    assert_eq!(ending("hello").await, "well; by this end");
    let refused = ending("refuse").await;
    assert!(refused.starts_with("badly, with 4001") && refused.contains("expired"), "{refused}");
    let failed = ending("fail").await;
    assert!(failed.starts_with("badly, with 1011") && !failed.contains("database"), "{failed}");
    let vanished = ending("vanish").await;
    assert!(vanished.starts_with("badly: "), "{vanished}");
}

#[cfg(feature = "testing")]
#[tokio::test(start_paused = true)]
async fn a_users_tests_pass_in_memory_and_take_no_time() {
    testing_example::the_sum_is_told_and_returned().await;
    testing_example::a_network_that_is_cut_is_an_error().await;
    testing_example::a_silent_client_is_lost().await;
}

#[tokio::test]
async fn who_talks_too_fast_or_too_long_is_told_so() {
    let address = host(&limits::server(), limits::echo).await;
    let mut peer = open(address).await;
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    peer.sends(0x82, vec![0; (64 << 10) + 1]).await;
    assert_eq!(peer.hears().await.close_code(), Some(1009));
    let mut peer = open(address).await;
    for _ in 0..300 {
        peer.says("again").await;
    }
    let ended = loop {
        let frame = peer.hears().await;
        if frame.first == 0x88 {
            break frame;
        }
    };
    assert_eq!(ended.close_code(), Some(1008));
}

#[tokio::test]
async fn a_lost_feed_is_subscribed_to_again() {
    // Each connection is good for one piece of news.
    let address = host(&Server::default(), |mut socket: WebSocket, _| async move {
        if socket.recv().await.is_ok_and(|asked| asked == Some("subscribe".into())) {
            socket.send("news").await.ok();
        }
        // 1012: the service restarts.
        socket.close(1012.into(), "").await.ok();
    })
    .await;
    let news = until(reconnecting::follow(&format!("ws://{address}/"), 2)).await;
    assert_eq!(news.expect("it comes back"), ["news".into(), "news".into()]);
}

#[tokio::test]
async fn a_proxy_is_asked_and_one_that_refuses_is_named() {
    let server = host(&limits::server(), limits::echo).await;
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut answers = ["200 OK", "403 Forbidden"].into_iter();
        while let (Ok((mut stream, _)), Some(answer)) = (listener.accept().await, answers.next()) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a whole head"));
            }
            let asked = format!("CONNECT {server} HTTP/1.1\r\n");
            assert!(head.starts_with(asked.as_bytes()), "{}", head.escape_ascii());
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("it listens");
            let mut behind = TcpStream::connect(server).await.expect("it listens");
            tokio::io::copy_bidirectional(&mut stream, &mut behind).await.ok();
        }
    });
    let (proxy_url, uri) = (format!("http://{address}"), format!("ws://{server}/"));
    let mut socket = until(proxy::connect_through(&proxy_url, &uri)).await.expect("a tunnel");
    until(socket.send("hello")).await.expect("it is open");
    assert_eq!(until(socket.recv()).await.expect("open"), Some("hello".into()));
    socket.abort();
    drop(socket);
    let refused = until(proxy::connect_through(&proxy_url, &uri)).await.expect_err("forbidden");
    assert!(refused.to_string().contains(&format!("the proxy http://{address}")), "{refused}");
    assert!(refused.to_string().contains("403"), "{refused}");
}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#[tokio::test]
async fn a_certificate_is_renewed_while_somebody_is_connected() {
    let made = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
    let (old, new) = (made(), made());
    let tls = duplexer::ServerTls::from_pem(
        old.cert.pem().as_bytes(),
        old.signing_key.serialize_pem().as_bytes(),
    )
    .expect("they belong together");
    let address = host(&tls_example::server(tls.clone()), tls_example::greet).await;
    let trusting = |made: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        let root = duplexer::Certificate::from_der(made.cert.der()).expect("a certificate");
        duplexer::Client::builder().add_root(root).build()
    };
    let uri = format!("wss://{address}/");
    let mut first = until(trusting(&old).connect(&uri)).await.expect("trusted");
    assert_eq!(until(first.recv()).await.expect("open"), Some("Some(Tls13)".into()));
    let renewed = duplexer::Identity::from_pem(
        new.cert.pem().as_bytes(),
        new.signing_key.serialize_pem().as_bytes(),
    );
    tls.reload_from(renewed.expect("they belong together")).expect("it can be used");
    until(trusting(&new).connect(&uri)).await.expect("the new one is shown");
    until(first.ping()).await.expect("the old connection goes on");
}
