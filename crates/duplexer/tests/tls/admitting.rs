//! What comes before TLS: the counting of connections, and the header of a proxy.

use duplexer::{
    Addresses, ConnectError, ProxyProtocol, Request, Server, TrustedProxies, WebSocket, http,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use crate::authority::Authority;
use crate::meeting::{echoes, meet, served, trusting};
use crate::support::{Peer, Role};

const URI: &str = "wss://example.com/chat";
/// More than any test here takes.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn one_too_many_is_refused_encrypted_and_has_little_time_for_it() {
    let root = Authority::new("root");
    let tls = root.issues(&["example.com"]).tls();
    let server = Server::builder().tls(tls).connections_max(1).build();
    let client = trusting(&root).build();
    let mut first = meet(&client, &server, URI).await.expect("there is room");
    let opened = meet(&client, &server, URI).await;
    let Err(ConnectError::Handshake(refused)) = opened else { panic!("{opened:?}") };
    assert_eq!(refused.status(), Some(http::StatusCode::SERVICE_UNAVAILABLE));
    let began = Instant::now();
    Peer::new(served(&server), Role::Client, LONG).hears_end().await;
    assert_eq!(began.elapsed().as_secs(), 2);
    echoes(&mut first).await;
}

#[tokio::test(start_paused = true)]
async fn a_proxys_header_comes_before_tls() {
    let root = Authority::new("root");
    let server = Server::builder()
        .tls(root.issues(&["example.com"]).tls())
        .trusted_proxies(TrustedProxies::list(["10.0.0.0/8"]).expect("a network"))
        .proxy_protocol(ProxyProtocol::Required)
        .build();
    for (header, opens) in [("PROXY TCP4 192.0.2.7 10.0.0.1 5678 443\r\n", true), ("", false)] {
        let (mut ours, theirs) = tokio::io::duplex(64 << 10);
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut addresses = Addresses::default();
        addresses.peer = Some(([10, 0, 0, 9], 1234).into());
        let serving = server.clone();
        tokio::spawn(async move {
            let handler = |_: WebSocket, request: Request| async move {
                tell.send((request.client(), request.scheme())).expect("the test listens");
            };
            serving.serve_over(theirs, addresses, handler).await;
        });
        ours.write_all(header.as_bytes()).await.expect("the server reads");
        let opened = trusting(&root).build().connect_tls_over(ours, URI).await;
        assert_eq!(opened.is_ok(), opens, "{opened:?}");
        if opens {
            let client = Some([192, 0, 2, 7].into());
            assert_eq!(told.recv().await, Some((client, "https")));
        }
    }
}
