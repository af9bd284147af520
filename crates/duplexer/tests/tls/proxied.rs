//! TLS behind what comes before it: a proxy's header, and a connection too many.

use duplexer::{
    Addresses, ConnectError, ProxyProtocol, Request, Server, TrustedProxies, WebSocket,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::authority::Authority;
use crate::meeting::{served, trusting};

const URI: &str = "wss://example.com/chat";

#[tokio::test(start_paused = true)]
async fn the_header_of_a_proxy_comes_before_tls() {
    let root = Authority::new("root");
    let tls = root.issues(&["example.com"]).tls();
    let header = "PROXY TCP4 192.0.2.7 127.0.0.1 40000 443\r\n";
    for (protocol, header, client) in [
        (ProxyProtocol::Required, header, "Some(192.0.2.7)"),
        (ProxyProtocol::Optional, header, "Some(192.0.2.7)"),
        (ProxyProtocol::Optional, "", "None"),
    ] {
        let trusted = TrustedProxies::list(["unix"]).expect("a name");
        let server = Server::builder().tls(tls.clone()).trusted_proxies(trusted);
        let server = server.proxy_protocol(protocol).build();
        let (mut ours, theirs) = tokio::io::duplex(64 << 10);
        let (tell, mut told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let handler = |_: WebSocket, request: Request| async move {
                tell.send(format!("{:?} {}", request.client(), request.scheme())).expect("heard");
            };
            server.serve_over(theirs, Addresses::default(), handler).await;
        });
        ours.write_all(header.as_bytes()).await.expect("it is open");
        trusting(&root).build().connect_tls_over(ours, URI).await.expect("a right chain");
        assert_eq!(told.recv().await, Some(format!("{client} https")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_too_many_reads_so_over_tls() {
    let root = Authority::new("root");
    let tls = root.issues(&["example.com"]).tls();
    let server = Server::builder().tls(tls).connections_max(0).build();
    let refused = trusting(&root).build().connect_tls_over(served(&server), URI).await;
    let Err(ConnectError::Handshake(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
}
