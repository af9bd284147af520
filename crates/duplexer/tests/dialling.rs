//! The way to a server: through proxies that answer well, badly or not at all, and to Unix sockets. What proxies say is literal bytes;
//! that any of it may be cut short or come byte by byte is tested beside the code. Real proxies are in `conformance/`.

mod support;

use std::net::SocketAddr;

use duplexer::{
    Client, ConnectError, DialError, Limits, Proxy, ProxyError, ProxyFault, SocksFault, WebSocket,
};
use duplexer_proto::handshake::Key;
use http::header::{AUTHORIZATION, HeaderValue};
use support::{Frame, Peer, Role, until};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Duration;

/// A place where a proxy will be, and a client that goes through it.
async fn place(scheme: &str, login: &str) -> (TcpListener, Client, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let proxy = Proxy::parse(&format!("{scheme}://{login}{address}")).expect("a URL");
    (listener, Client::builder().proxy(proxy).build(), format!("{scheme}://{address}"))
}

/// Waits for a client.
async fn accept(listener: &TcpListener) -> Peer<TcpStream> {
    let (stream, _) = until(listener.accept()).await.expect("a client");
    peer(stream)
}

fn peer<T: AsyncRead + AsyncWrite + Unpin>(io: T) -> Peer<T> {
    Peer::new(io, Role::Server, Duration::from_secs(10))
}

/// Answers an opening request well; gives the request.
async fn opens<T: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<T>) -> String {
    let head = peer.hears_head().await;
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = Key::parse(key.expect("a key").as_bytes()).expect("a valid key").accept();
    peer.sends_bytes(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
    .await;
    head
}

/// Sends a message through an open connection.
async fn talks<T: AsyncRead + AsyncWrite + Unpin>(
    opened: Result<WebSocket, ConnectError>,
    mut peer: Peer<T>,
) {
    let mut socket = opened.expect("an open connection");
    until(socket.send("hello")).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
}

/// What a client tells of a proxy that hears a request for a tunnel, answers it so, and closes.
async fn refused(login: &str, answer: &str) -> Box<ProxyError> {
    let (listener, client, _) = place("http", login).await;
    let answering = async {
        let mut proxy = accept(&listener).await;
        proxy.hears_head().await;
        proxy.sends_bytes(answer).await;
        proxy.ends().await;
        proxy
    };
    let opening = until(client.connect("ws://server.example.com/"));
    told(tokio::join!(opening, answering).0)
}

fn told(opened: Result<WebSocket, ConnectError>) -> Box<ProxyError> {
    match opened {
        Err(ConnectError::Proxy(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ws_goes_through_a_tunnel_too() {
    // RFC 6455 §4.1: a proxy is asked for a tunnel, whatever the scheme.
    for (uri, target) in [
        ("ws://server.example.com/chat", "server.example.com:80"),
        ("ws://server.example.com:8080/chat", "server.example.com:8080"),
        ("ws://[2001:db8::7]/chat", "[2001:db8::7]:80"),
        ("ws://192.0.2.7:80/chat", "192.0.2.7:80"),
    ] {
        let (listener, client, _) = place("http", "").await;
        let answering = async {
            let mut proxy = accept(&listener).await;
            let asked = proxy.hears_head().await;
            assert_eq!(asked, format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"));
            proxy.sends_bytes("HTTP/1.1 200 Connection established\r\n\r\n").await;
            opens(&mut proxy).await;
            proxy
        };
        let (opened, proxy) = tokio::join!(until(client.connect(uri)), answering);
        talks(opened, proxy).await;
    }
}

#[tokio::test]
async fn the_proxy_and_the_server_each_get_their_own_credentials() {
    let (listener, _, url) = place("http", "").await;
    let proxy = Proxy::parse(&url.replace("//", "//hello:world@")).expect("a URL");
    let token = HeaderValue::from_static("Bearer token");
    let client = Client::builder().header(AUTHORIZATION, token).proxy(proxy).build();
    let answering = async {
        let mut proxy = accept(&listener).await;
        let asked = proxy.hears_head().await;
        assert!(asked.contains("\r\nProxy-Authorization: Basic aGVsbG86d29ybGQ=\r\n"), "{asked}");
        assert!(!asked.contains("token"), "{asked}");
        proxy.sends_bytes("HTTP/1.1 200 OK\r\n\r\n").await;
        let request = opens(&mut proxy).await.to_ascii_lowercase();
        assert!(request.contains("bearer token"), "{request}");
        assert!(!request.contains("proxy-authorization"), "{request}");
        proxy
    };
    let opening = until(client.connect("ws://server.example.com/"));
    let (opened, proxy) = tokio::join!(opening, answering);
    talks(opened, proxy).await;
}

#[tokio::test]
async fn a_host_that_is_excepted_is_connected_to_directly() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = server.local_addr().expect("it is bound");
    let proxy = Proxy::parse("http://192.0.2.1:9").expect("a URL").except("127.0.0.0/8");
    let client = Client::builder().proxy(proxy).build();
    let answering = async {
        let mut server = accept(&server).await;
        let request = opens(&mut server).await;
        assert!(request.starts_with("GET / "), "{request}");
        server
    };
    let (opened, server) =
        tokio::join!(until(client.connect(format!("ws://{address}/"))), answering);
    talks(opened, server).await;
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_told_with_the_way_to_give_it() {
    let wants = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                 Proxy-Authenticate: Basic realm=\"office\"\r\nContent-Length: 0\r\n\r\n";
    let error = refused("", wants).await;
    assert!(matches!(error.fault, ProxyFault::CredentialsWanted { sent: false, .. }), "{error:?}");
    let said = error.to_string();
    for part in [
        "no tunnel to server.example.com:80 through the proxy http://127.0.0.1:",
        "named by the setting `proxy`",
        "407",
        "Basic realm=\"office\"",
        "http://USER:PASSWORD@127.0.0.1:",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let error = refused("user:secret@", wants).await;
    assert!(matches!(error.fault, ProxyFault::CredentialsWanted { sent: true, .. }), "{error:?}");
    assert!(error.to_string().contains("does not accept the credentials"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    let error = refused("", &wants.replace("Basic realm", "Negotiate x")).await;
    assert!(error.to_string().contains("another kind than Basic"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_with_status_and_body() {
    for (status, text) in [(502, "Bad Gateway"), (403, "Forbidden"), (302, "Found")] {
        let body = "<h1>no\r\n\u{1b}[31m way</h1>";
        let error = refused("", &format!("HTTP/1.1 {status} {text}\r\n\r\n{body}")).await;
        let ProxyFault::Refused { response } = &error.fault else { panic!("{error:?}") };
        assert_eq!((response.status().as_u16(), &response.body()[..]), (status, body.as_bytes()));
        let said = error.to_string();
        assert!(said.contains(&format!("{status} {text}: <h1>no \\u{{1b}}[31m way")), "{said}");
    }
}

#[tokio::test]
async fn what_is_no_proxy_is_told_apart_from_what_refuses() {
    let error = refused("", "SSH-2.0-OpenSSH_9.6\r\n").await;
    assert!(matches!(error.fault, ProxyFault::Garbage { .. }), "{error:?}");
    assert!(error.to_string().contains("is it an HTTP proxy?"), "{error}");
    let error = refused("", "HTTP/1.1 200 Con").await;
    assert!(matches!(error.fault, ProxyFault::Closed), "{error:?}");
    let error = refused("", "").await;
    assert!(matches!(error.fault, ProxyFault::Closed), "{error:?}");
    let error = refused("", &format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(17 << 10))).await;
    assert!(matches!(error.fault, ProxyFault::HeadTooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn a_proxy_that_does_not_listen_is_named_with_what_named_it() {
    let (listener, client, url) = place("http", "user:secret@").await;
    drop(listener);
    let error = told(until(client.connect("ws://server.example.com/")).await);
    assert!(matches!(error.fault, ProxyFault::Dial(DialError::Connect { .. })), "{error:?}");
    let said = error.to_string();
    assert!(said.starts_with(&format!("cannot reach the proxy {url}")), "{said}");
    assert!(said.contains("the setting `proxy`") && !said.contains("secret"), "{said}");
}

#[tokio::test]
async fn a_silent_proxy_is_given_up_after_open_timeout() {
    for scheme in ["http", "socks5h", "socks4a"] {
        let (listener, _, url) = place(scheme, "").await;
        let mut limits = Limits::default();
        limits.open_timeout = Duration::from_millis(500);
        let proxy = Proxy::parse(&url).expect("a URL");
        let client = Client::builder().limits(limits).proxy(proxy).build();
        let silence = async {
            let (mut stream, _) = until(listener.accept()).await.expect("a client");
            until(stream.read_to_end(&mut Vec::new())).await.expect("it leaves nothing open");
        };
        let opening = until(client.connect("ws://server.example.com/"));
        let error = told(tokio::join!(opening, silence).0);
        assert!(matches!(error.fault, ProxyFault::TimedOut { .. }), "{error:?}");
        assert!(error.to_string().contains("open_timeout"), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_never_comes_to_the_point_is_given_up_after_open_timeout() {
    let (listener, _, url) = place("http", "").await;
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_millis(500);
    let proxy = Proxy::parse(&url).expect("a URL");
    let client = Client::builder().limits(limits).proxy(proxy).build();
    let interim = async {
        let mut proxy = accept(&listener).await;
        proxy.hears_head().await;
        while proxy.io.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_ok() {}
    };
    let opening = until(client.connect("ws://server.example.com/"));
    let error = told(tokio::join!(opening, until(interim)).0);
    assert!(matches!(error.fault, ProxyFault::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_task_may_connect() {
    let (listener, client, _) = place("socks5", "").await;
    let task = tokio::spawn(async move { client.connect("ws://localhost/").await.map(drop) });
    drop(until(listener.accept()).await);
    let opened = until(task).await.expect("it ends");
    let Err(ConnectError::Proxy(error)) = opened else { panic!("{opened:?}") };
    let gone = matches!(&error.fault, ProxyFault::Socks(SocksFault::Closed | SocksFault::Io(_)));
    assert!(gone, "{error:?}");
}

#[tokio::test]
async fn a_server_behind_a_proxy_has_what_is_left_of_the_time() {
    let (listener, _, url) = place("http", "").await;
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_secs(2);
    let proxy = Proxy::parse(&url).expect("a URL");
    let client = Client::builder().limits(limits).proxy(proxy).build();
    let answering = async {
        let mut proxy = accept(&listener).await;
        proxy.hears_head().await;
        proxy.sends_bytes("HTTP/1.1 200 OK\r\n\r\n").await;
        proxy.hears_head().await;
        assert!(!proxy.reads_more().await, "the client goes");
    };
    let (opened, ()) = tokio::join!(until(client.connect("ws://server.example.com/")), answering);
    assert!(matches!(opened, Err(ConnectError::TimedOut { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_dropped_connect_leaves_no_connection_to_the_proxy() {
    let (listener, client, _) = place("http", "").await;
    let mut proxy = tokio::select! {
        opened = client.connect("ws://server.example.com/") => panic!("{opened:?}"),
        proxy = async {
            let mut proxy = accept(&listener).await;
            proxy.hears_head().await;
            proxy
        } => proxy,
    };
    proxy.hears_end().await;
}

/// A turn of a SOCKS dialogue: what the proxy has to hear, and what it says then.
async fn turn(proxy: &mut TcpStream, hears: &[u8], says: &[u8]) {
    let mut heard = vec![0; hears.len()];
    until(proxy.read_exact(&mut heard)).await.expect("the client speaks");
    assert_eq!(heard, hears);
    proxy.write_all(says).await.expect("the client reads");
}

#[tokio::test]
async fn socks5h_lets_the_proxy_look_the_name_up() {
    let (listener, client, _) = place("socks5h", "user:pass@").await;
    let answering = async {
        let (mut proxy, _) = until(listener.accept()).await.expect("a client");
        turn(&mut proxy, b"\x05\x02\x00\x02", b"\x05\x02").await;
        turn(&mut proxy, b"\x01\x04user\x04pass", b"\x01\x00").await;
        let asked = b"\x05\x01\x00\x03\x12server.example.com\x00\x50";
        turn(&mut proxy, asked, b"\x05\x00\x00\x03\x02me\x12\x34").await;
        let mut server = peer(proxy);
        opens(&mut server).await;
        server
    };
    let opening = until(client.connect("ws://server.example.com/"));
    let (opened, server) = tokio::join!(opening, answering);
    talks(opened, server).await;
}

#[tokio::test]
async fn socks5_looks_the_name_up_here_and_tries_each_address() {
    let found = tokio::net::lookup_host(("localhost", 80)).await.expect("it is known");
    let addresses: Vec<SocketAddr> = found.collect();
    let (listener, client, _) = place("socks5", "").await;
    let answering = async {
        for address in &addresses {
            let (mut proxy, _) = until(listener.accept()).await.expect("a client");
            turn(&mut proxy, b"\x05\x01\x00", b"\x05\x00").await;
            let asked = match address {
                SocketAddr::V4(four) => [&[5, 1, 0, 1][..], &four.ip().octets()].concat(),
                SocketAddr::V6(six) => [&[5, 1, 0, 4][..], &six.ip().octets()].concat(),
            };
            turn(&mut proxy, &[&asked[..], b"\x00\x50"].concat(), b"\x05\x05\0\x01\0\0\0\0\0\0")
                .await;
        }
    };
    let (opened, ()) = tokio::join!(until(client.connect("ws://localhost/")), answering);
    let error = told(opened);
    let refused = SocksFault::Refused { version: 5, code: 5 }.to_string();
    let ProxyFault::Socks(fault) = &error.fault else { panic!("{error:?}") };
    assert_eq!(fault.to_string(), refused);
    assert!(error.to_string().ends_with(&refused), "{error}");
}

/// What accepts TLS as `127.0.0.1` and as `server.example.com`, and the certificate to trust.
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
fn encrypting() -> (tokio_rustls::TlsAcceptor, duplexer::Certificate) {
    use tokio_rustls::rustls::{ServerConfig, crypto};

    let names = ["127.0.0.1", "server.example.com"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).expect("made");
    let key = made.signing_key.serialize_der().try_into().expect("a key");
    // Named, since there may be another provider.
    let provider = std::sync::Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().expect("it has both");
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let config = std::sync::Arc::new(config.expect("they belong together"));
    let certificate = duplexer::Certificate::from_der(made.cert.der()).expect("a certificate");
    (config.into(), certificate)
}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#[tokio::test]
async fn an_https_proxy_is_spoken_to_over_tls() {
    let (acceptor, certificate) = encrypting();
    for (uri, target) in [
        ("ws://server.example.com/", "server.example.com:80"),
        ("wss://server.example.com/", "server.example.com:443"),
    ] {
        let (listener, _, url) = place("https", "").await;
        let proxy = Proxy::parse(&url.replace("//", "//hello:world@")).expect("a URL");
        let client = Client::builder().proxy(proxy).add_root(certificate.clone()).build();
        let answering = async {
            let (stream, _) = until(listener.accept()).await.expect("a client");
            let mut proxy = peer(until(acceptor.accept(stream)).await.expect("TLS"));
            let asked = proxy.hears_head().await;
            assert!(asked.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{asked}");
            assert!(asked.contains("Basic aGVsbG86d29ybGQ="), "{asked}");
            proxy.sends_bytes("HTTP/1.1 200 OK\r\n\r\n").await;
            let mut server = match uri.starts_with("wss") {
                true => {
                    // TLS in TLS.
                    let inner = until(acceptor.accept(proxy.io)).await.expect("TLS in the tunnel");
                    assert_eq!(inner.get_ref().1.server_name(), Some("server.example.com"));
                    peer(Box::new(inner) as Box<dyn Io>)
                }
                false => peer(Box::new(proxy.io) as Box<dyn Io>),
            };
            opens(&mut server).await;
            server
        };
        let (opened, server) = tokio::join!(until(client.connect(uri)), answering);
        talks(opened, server).await;
    }
}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
trait Io: AsyncRead + AsyncWrite + Unpin {}
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#[tokio::test]
async fn an_https_proxy_is_judged_as_a_server_is() {
    let (acceptor, _) = encrypting();
    let (listener, client, url) = place("https", "user:secret@").await;
    let answering = async {
        let (stream, _) = until(listener.accept()).await.expect("a client");
        until(acceptor.accept(stream)).await.expect_err("nobody trusts it");
    };
    let opening = until(client.connect("ws://server.example.com/"));
    let error = told(tokio::join!(opening, answering).0);
    let ProxyFault::Tls(tls) = &error.fault else { panic!("{error:?}") };
    assert!(matches!(tls.fault(), duplexer::TlsFault::UnknownIssuer), "{error:?}");
    assert!(error.to_string().contains(&format!("through the proxy {url}")), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_stands_for_every_host_and_knows_no_proxy() {
    use tokio::net::UnixListener;

    let folder = std::env::temp_dir().join(format!("duplexer-{}", rand::random::<u64>()));
    std::fs::create_dir(&folder).expect("a folder of our own");
    let mut paths = vec![folder.join("socket")];
    if cfg!(target_os = "linux") {
        paths.push(format!("\0duplexer-{}", rand::random::<u64>()).into());
    }
    for path in &paths {
        let listener = UnixListener::bind(path).expect("bound");
        let proxy = Proxy::parse("http://192.0.2.1:9").expect("a URL");
        let client = Client::builder().proxy(proxy).unix_socket(path).build();
        let answering = async {
            let (stream, _) = until(listener.accept()).await.expect("a client");
            let mut server = peer(stream);
            let request = opens(&mut server).await;
            assert!(request.contains("\r\nHost: server.example.com\r\n"), "{request}");
            server
        };
        let opening = until(client.connect("ws://server.example.com/"));
        let (opened, server) = tokio::join!(opening, answering);
        talks(opened, server).await;
    }
    let client = Client::builder().unix_socket(folder.join("nothing")).build();
    let error = until(client.connect("ws://h/")).await.expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Dial(DialError::Unix { .. })), "{error:?}");
    assert!(error.to_string().contains("nothing"), "{error}");
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
