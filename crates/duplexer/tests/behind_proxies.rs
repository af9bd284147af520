//! A server behind proxies: whose word about clients counts, in headers (RFC 7239, `X-Forwarded-*`) and by the PROXY protocol,
//! and what it counts for. All connections come from 127.0.0.1.

mod support;

use std::net::SocketAddr;

use duplexer::{
    Addresses, ForwardedHeaders, Limits, Origins, ProxyProtocol, Request, Server, ServerBuilder,
    TrustedProxies, Upgrade, WebSocket,
};
use support::{Frame, REQUEST, dial, host, open_with, until};
use tokio::time::Duration;

/// Tells who asks for what.
async fn tell(mut socket: WebSocket, request: Request) {
    let client = request.client().map_or("nobody".to_owned(), |client| client.to_string());
    let (scheme, host) = (request.scheme(), request.host());
    let peer = request.peer().expect("TCP").ip();
    let _ = socket.send(format!("{client} by {peer} wants {scheme}://{host}")).await;
    while let Ok(Some(message)) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

/// Settings that trust these.
fn trusting(names: &[&str]) -> ServerBuilder {
    Server::builder().trusted_proxies(TrustedProxies::list(names).expect("networks"))
}

/// What a handler sees behind these bytes of a proxy and a request with these headers.
async fn seen(address: SocketAddr, before: impl AsRef<[u8]>, headers: &str) -> String {
    let mut peer = dial(address).await;
    let request = format!("{REQUEST}{headers}\r\n");
    peer.sends_bytes([before.as_ref(), request.as_bytes()].concat()).await;
    let head = peer.hears_head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    String::from_utf8(peer.hears().await.payload).expect("a text")
}

/// How the same is refused.
async fn refused(address: SocketAddr, before: impl AsRef<[u8]>, headers: &str) -> (String, String) {
    let mut peer = dial(address).await;
    let request = format!("{REQUEST}{headers}\r\n");
    peer.sends_bytes([before.as_ref(), request.as_bytes()].concat()).await;
    let answer = peer.hears_response().await;
    peer.hears_end().await;
    answer
}

const FORWARDED: &str = "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\
                         X-Forwarded-Host: example.com\r\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 80\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x9c\x40\x00\x50";

#[tokio::test]
async fn what_a_trusted_proxy_forwards_is_believed() {
    let address = host(&trusting(&["127.0.0.0/8"]).build(), tell).await;
    assert_eq!(
        seen(address, "", FORWARDED).await,
        "192.0.2.7 by 127.0.0.1 wants https://example.com"
    );
    assert_eq!(seen(address, "", "").await, "127.0.0.1 by 127.0.0.1 wants http://localhost");
}

#[tokio::test]
async fn what_anybody_else_forwards_is_only_text() {
    let untold = "127.0.0.1 by 127.0.0.1 wants http://localhost";
    for server in [Server::default(), trusting(&["127.0.0.2", "10.0.0.0/8", "unix"]).build()] {
        let address = host(&server, tell).await;
        assert_eq!(seen(address, "", FORWARDED).await, untold);
    }
    // A client writes the family that its proxy does not overwrite.
    let address = host(&trusting(&["127.0.0.1"]).build(), tell).await;
    assert_eq!(seen(address, "", "Forwarded: for=6.6.6.6;host=evil.example\r\n").await, untold);
    let standard = trusting(&["127.0.0.1"]).forwarded_headers(ForwardedHeaders::Standard);
    let address = host(&standard.build(), tell).await;
    assert_eq!(seen(address, "", FORWARDED).await, untold);
    let expected = "192.0.2.7 by 127.0.0.1 wants https://example.com";
    let forwarded = "Forwarded: for=6.6.6.6, for=192.0.2.7;host=example.com;proto=https\r\n";
    assert_eq!(seen(address, "", forwarded).await, expected);
}

#[tokio::test]
async fn a_page_of_the_forwarded_host_is_of_the_same_host() {
    let address = host(&trusting(&["127.0.0.1"]).build(), tell).await;
    let origin = "Origin: https://example.com\r\n";
    seen(address, "", &format!("{FORWARDED}{origin}")).await;
    let (head, text) = refused(address, "", origin).await;
    assert!(head.starts_with("HTTP/1.1 403 ") && text.contains("`origins`"), "{head}{text}");
    let (head, _) = refused(address, "", &format!("{FORWARDED}Origin: http://localhost\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let untrusting = host(&Server::default(), tell).await;
    let (head, _) = refused(untrusting, "", &format!("{FORWARDED}{origin}")).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[tokio::test]
async fn a_host_that_is_set_is_one_of_the_loopback_address() {
    let origins = Origins::same_host().loopback_hosts(["App.test"]);
    let address = host(&Server::builder().origins(origins).build(), tell).await;
    for (name, status) in [("app.test:8080", "101"), ("other.test", "403"), ("x.app.test", "403")] {
        let mut peer = dial(address).await;
        let request = REQUEST.replace("Host: localhost", &format!("Host: {name}"));
        peer.sends_bytes(format!("{request}Origin: http://{name}\r\n\r\n")).await;
        let head = peer.hears_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {head}");
    }
}

#[tokio::test]
async fn a_proxy_header_names_the_client() {
    for protocol in [ProxyProtocol::Required, ProxyProtocol::Optional] {
        let address = host(&trusting(&["127.0.0.1"]).proxy_protocol(protocol).build(), tell).await;
        let expected = "192.0.2.7 by 127.0.0.1 wants http://localhost";
        for header in [V1, V2] {
            assert_eq!(seen(address, header, "").await, expected);
            // The client's own headers: nobody has vouched for them.
            assert_eq!(seen(address, header, FORWARDED).await, expected);
        }
        let itself = "127.0.0.1 by 127.0.0.1 wants http://localhost";
        assert_eq!(seen(address, "PROXY UNKNOWN\r\n", "").await, itself);
        // Whom the proxy does not name has nobody's word for its headers; the proxy itself has its own.
        assert_eq!(seen(address, "PROXY UNKNOWN\r\n", FORWARDED).await, itself);
        assert_eq!(seen(address, b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", "").await, itself);
    }
    // A second proxy behind the first, whose client the first names in a header.
    let both = trusting(&["127.0.0.1", "192.0.2.7"]).proxy_protocol(ProxyProtocol::Required);
    let address = host(&both.build(), tell).await;
    let forwarded = "X-Forwarded-For: 198.51.100.1\r\n";
    assert!(seen(address, V1, forwarded).await.starts_with("198.51.100.1 by 127.0.0.1 "));
}

#[tokio::test]
async fn a_proxy_header_one_byte_at_a_time_is_a_header() {
    let server = trusting(&["127.0.0.1"]).proxy_protocol(ProxyProtocol::Required).build();
    let address = host(&server, tell).await;
    for header in [V1, V2] {
        let mut peer = dial(address).await;
        for byte in [header, REQUEST.as_bytes(), b"\r\n"].concat() {
            peer.sends_bytes([byte]).await;
        }
        assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
        let early = "192.0.2.7 by 127.0.0.1 wants http://localhost";
        assert_eq!(peer.hears().await, Frame::new(0x81, early));
        peer.says("hello").await;
        assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    }
}

#[tokio::test]
async fn without_the_header_that_is_required_nothing_is_served() {
    let server = trusting(&["127.0.0.1"]).proxy_protocol(ProxyProtocol::Required).build();
    let address = host(&server, tell).await;
    for (before, word) in [
        ("", "`proxy_protocol`"),
        ("PROXY TCP4 192.0.2.7 127.0.0.1 40000\r\n", "malformed"),
        ("PROXY TCP4 \u{e9} 127.0.0.1 1 2\r\n", "malformed"),
    ] {
        let (head, text) = refused(address, before, "").await;
        assert!(head.starts_with("HTTP/1.1 400 ") && text.contains(word), "{head}{text}");
    }
    let (head, text) = refused(address, "PROXY ".repeat(20), "").await;
    assert!(head.starts_with("HTTP/1.1 400 ") && text.contains("107"), "{head}{text}");
    let (head, text) = refused(address, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "").await;
    assert!(head.starts_with("HTTP/1.1 400 ") && text.contains("4096"), "{head}{text}");
    let mut peer = dial(address).await;
    peer.sends_bytes(&V1[..20]).await;
    peer.ends().await;
    peer.hears_end().await;
}

#[tokio::test]
async fn a_header_of_somebody_who_is_no_trusted_proxy_is_refused() {
    let required = Server::builder().proxy_protocol(ProxyProtocol::Required).build();
    let address = host(&required, tell).await;
    let (head, text) = refused(address, V1, "").await;
    assert!(head.starts_with("HTTP/1.1 403 ") && text.contains("`trusted_proxies`"), "{text}");
    for protocol in [ProxyProtocol::Optional, ProxyProtocol::Off] {
        let address = host(&Server::builder().proxy_protocol(protocol).build(), tell).await;
        let (head, _) = refused(address, V1, "").await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        seen(address, "", "").await;
    }
}

#[tokio::test]
async fn where_the_header_is_optional_a_request_may_come_without() {
    let server = trusting(&["127.0.0.1"]).proxy_protocol(ProxyProtocol::Optional).build();
    let address = host(&server, tell).await;
    assert_eq!(
        seen(address, "", FORWARDED).await,
        "192.0.2.7 by 127.0.0.1 wants https://example.com"
    );
    let (mut peer, _) = open_with(address, "").await;
    peer.hears().await;
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

#[tokio::test]
async fn a_proxy_header_counts_against_the_deadline() {
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_millis(100);
    let builder = trusting(&["127.0.0.1"]).proxy_protocol(ProxyProtocol::Required);
    let address = host(&builder.limits(limits).build(), tell).await;
    for begun in [&b""[..], &V1[..20], &V2[..20], V1] {
        let mut peer = dial(address).await;
        peer.sends_bytes(begun).await;
        let (head, _) = peer.hears_response().await;
        assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    }
}

#[tokio::test]
async fn caps_of_an_address_count_the_clients_behind_the_proxy() {
    let builder = || trusting(&["127.0.0.1"]).connections_per_address_max(1);
    let headers = host(&builder().build(), tell).await;
    let protocol = host(&builder().proxy_protocol(ProxyProtocol::Required).build(), tell).await;
    let by_header = |client: &str| ("".to_owned(), format!("X-Forwarded-For: {client}\r\n"));
    let by_protocol =
        |client: &str| (format!("PROXY TCP4 {client} 127.0.0.1 1 2\r\n"), String::new());
    for (address, say) in
        [(headers, &by_header as &dyn Fn(&str) -> (String, String)), (protocol, &by_protocol)]
    {
        let mut open = Vec::new();
        for client in ["192.0.2.1", "192.0.2.2"] {
            let (before, headers) = say(client);
            let mut peer = dial(address).await;
            peer.sends_bytes(format!("{before}{REQUEST}{headers}\r\n")).await;
            assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
            open.push(peer);
        }
        let (before, headers) = say("192.0.2.1");
        let (head, text) = refused(address, &before, &headers).await;
        assert!(head.starts_with("HTTP/1.1 503 ") && text.contains("192.0.2.1"), "{head}{text}");
    }
}

/// Answers every request with 204.
#[derive(Clone)]
struct Nothing;

impl tower_service::Service<http::Request<hyper::body::Incoming>> for Nothing {
    type Response = http::Response<http_body_util::Empty<bytes::Bytes>>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<hyper::body::Incoming>) -> Self::Future {
        let mut response = http::Response::new(http_body_util::Empty::new());
        *response.status_mut() = http::StatusCode::NO_CONTENT;
        std::future::ready(Ok(response))
    }
}

#[tokio::test]
async fn on_a_connection_for_many_clients_each_request_has_its_own() {
    let builder = trusting(&["127.0.0.1"]).connections_per_address_max(1).http(Nothing);
    let address = host(&builder.build(), tell).await;
    // Plain requests of the same client, before and beside its WebSocket, do not count.
    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    let mut open = Vec::new();
    for (client, status) in [("192.0.2.1", "101"), ("192.0.2.2", "101"), ("192.0.2.1", "503")] {
        let mut peer = dial(address).await;
        peer.sends_bytes(plain).await;
        assert!(peer.hears_head().await.starts_with("HTTP/1.1 204 "));
        peer.sends_bytes(format!("{REQUEST}X-Forwarded-For: {client}\r\n\r\n")).await;
        let head = peer.hears_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{client}: {head}");
        if status == "101" {
            assert!(peer.hears().await.payload.starts_with(client.as_bytes()));
        }
        open.push(peer);
    }
}

#[tokio::test]
async fn what_another_http_server_has_read_is_judged_alike() {
    let server = trusting(&["127.0.0.1"]).connections_per_address_max(1).build();
    for knows in [true, false] {
        let served = server.clone();
        let address = support::host_hyper(move |mut request| {
            let server = served.clone();
            async move {
                let mut upgrade = Upgrade::from_request(&mut request).expect("a valid request");
                if knows {
                    let mut addresses = Addresses::default();
                    addresses.peer = Some(([127, 0, 0, 1], 40_000).into());
                    upgrade = upgrade.addresses(addresses);
                }
                server.upgrade(upgrade, tell).await
            }
        })
        .await;
        // A page of the forwarded host can only be let in by who knows in time that a proxy says so.
        let origin = if knows { "Origin: https://example.com\r\n" } else { "" };
        let headers = format!("{FORWARDED}{origin}");
        let (mut peer, _) = open_with(address, &headers).await;
        let expected = "192.0.2.7 by 127.0.0.1 wants https://example.com";
        assert_eq!(peer.hears().await, Frame::new(0x81, expected));
        let mut second = dial(address).await;
        second.sends_bytes(format!("{REQUEST}{headers}\r\n")).await;
        let head = second.hears_head().await;
        if knows {
            assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        } else {
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            second.hears_close(1013).await;
        }
        peer.closes(1000, "").await;
        peer.hears_close(1000).await;
        until(async {
            while server.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
