//! Redirects of a client (RFC 9110 §15.4): followed where the setting allows it, never out of TLS, and without what only the first
//! server may see.

mod support;

use duplexer::{
    Client, ClientBuilder, ConnectError, DialError, Limits, RedirectError, UriError, WebSocket,
};
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use support::{Peer, Role, answer_to, until};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Duration;

/// A server that answers what a test says.
struct Site {
    listener: TcpListener,
}

impl Site {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    /// `127.0.0.1:port`
    fn authority(&self) -> String {
        self.listener.local_addr().expect("it is bound").to_string()
    }

    /// Waits for one request; gives its head and the connection.
    async fn hears(&self) -> (String, Peer<TcpStream>) {
        let (stream, _) = until(self.listener.accept()).await.expect("a client");
        let mut peer = Peer::new(stream, Role::Server, Duration::from_secs(10));
        (peer.hears_head().await, peer)
    }

    /// Answers one request with a redirect, and returns its head.
    async fn redirects(&self, status: u16, location: &str) -> String {
        let (head, mut peer) = self.hears().await;
        peer.sends_bytes(redirect(status, location)).await;
        head
    }

    /// Opens the connection that one request asks for, and returns the request's head.
    async fn opens(&self) -> String {
        let (head, mut peer) = self.hears().await;
        peer.sends_bytes(answer_to(&head, "")).await;
        head
    }
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

fn following(max: usize) -> ClientBuilder {
    Client::builder().redirects(max)
}

fn redirect_error(opened: Result<WebSocket, ConnectError>) -> RedirectError {
    match opened {
        Err(ConnectError::Redirect(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_status_that_redirects_is_followed_to_a_relative_location() {
    for status in [301, 302, 303, 307, 308] {
        let site = Site::new().await;
        let client = following(1).build();
        let opening = client.connect(format!("ws://{}/a/b?q", site.authority()));
        let serving = async { (site.redirects(status, "../c?x=1").await, site.opens().await) };
        let (opened, (first, second)) = until(async { tokio::join!(opening, serving) }).await;
        opened.expect("an open connection");
        assert!(first.starts_with("GET /a/b?q HTTP/1.1\r\n"), "{first}");
        assert!(second.starts_with("GET /c?x=1 HTTP/1.1\r\n"), "{status}: {second}");
    }
}

#[tokio::test]
async fn http_in_a_location_stands_for_ws() {
    let (one, two) = (Site::new().await, Site::new().await);
    let client = following(1).build();
    let opening = client.connect(format!("ws://{}/", one.authority()));
    let location = format!("http://{}/there#part", two.authority());
    let serving = async { (one.redirects(302, &location).await, two.opens().await) };
    let (opened, (_, second)) = until(async { tokio::join!(opening, serving) }).await;
    opened.expect("an open connection");
    assert!(second.starts_with("GET /there HTTP/1.1\r\n"), "{second}");
    assert!(second.contains(&format!("\r\nHost: {}\r\n", two.authority())), "{second}");
}

#[tokio::test]
async fn by_default_a_redirect_is_a_refusal_that_shows_the_location_and_names_the_setting() {
    for client in [Client::default(), following(0).build()] {
        let site = Site::new().await;
        let opening = client.connect(format!("ws://{}/", site.authority()));
        let (opened, _) = until(async { tokio::join!(opening, site.redirects(302, "/new")) }).await;
        let error = opened.expect_err("a refusal");
        let ConnectError::Handshake(refused) = &error else { panic!("{error:?}") };
        assert_eq!(refused.location(), Some("/new"));
        let text = error.to_string();
        assert!(text.contains("/new") && text.contains("setting redirects"), "{text}");
    }
}

#[tokio::test]
async fn over_a_stream_of_ones_own_no_redirect_is_followed() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(10));
    let client = following(3).build();
    let answering = async {
        peer.hears_head().await;
        peer.sends_bytes(redirect(307, "/new")).await;
    };
    let (opened, ()) = tokio::join!(client.connect_over(ours, "ws://example.com/"), answering);
    let error = opened.expect_err("a refusal");
    assert!(matches!(&error, ConnectError::Handshake(refused) if refused.location().is_some()));
}

#[tokio::test]
async fn a_loop_ends_by_the_cap_and_shows_its_way() {
    let site = Site::new().await;
    let client = following(2).build();
    let home = format!("ws://{}", site.authority());
    let opening = client.connect(format!("{home}/a"));
    let serving = async {
        site.redirects(302, "/b").await;
        site.redirects(302, "/a").await;
        site.redirects(302, "/b").await;
    };
    let (opened, ()) = until(async { tokio::join!(opening, serving) }).await;
    let error = redirect_error(opened);
    let chain = ["/a", "/b", "/a", "/b"].map(|path| format!("{home}{path}"));
    assert_eq!(error, RedirectError::TooMany { redirects_max: 2, chain: chain.to_vec() });
    assert!(error.to_string().contains("more than 2 redirects (setting redirects)"), "{error}");
}

#[tokio::test]
async fn a_location_that_is_missing_repeated_or_no_websockets_is_an_error() {
    let site = Site::new().await;
    let client = following(3).build();
    for (lines, missing) in [
        ("", true),
        ("Location: /a\r\nLocation: /b\r\n", true),
        ("Location: ftp://example.com/\r\n", false),
        ("Location: http:///example.com\r\n", false),
        ("Location: ws://h:70000/\r\n", false),
        ("Location: /\u{fc}\x01\r\n", false),
    ] {
        let opening = client.connect(format!("ws://{}/", site.authority()));
        let serving = async {
            let (_, mut peer) = site.hears().await;
            peer.sends_bytes(format!("HTTP/1.1 302 Found\r\n{lines}Content-Length: 0\r\n\r\n"))
                .await;
        };
        let (opened, ()) = until(async { tokio::join!(opening, serving) }).await;
        match opened {
            // A control character is no header's value at all.
            Err(ConnectError::Handshake(_)) => assert!(lines.contains('\x01'), "{lines}"),
            opened => match redirect_error(opened) {
                RedirectError::LocationMissing { status, .. } => {
                    assert!(missing && status == 302, "{lines}");
                }
                RedirectError::LocationInvalid { fault, .. } => {
                    assert!(!missing, "{lines}: {fault}");
                    assert_ne!(fault, UriError::SchemeMissing, "{lines}");
                }
                other => panic!("{lines}: {other:?}"),
            },
        }
    }
}

/// The lines of a request that are named so.
fn lines<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// A client that has all that proves who it is, and more.
fn with_all() -> Client {
    let custom = HeaderName::from_static("x-version");
    following(3)
        .header(COOKIE, HeaderValue::from_static("session=1"))
        .header(custom, HeaderValue::from_static("7"))
        .basic_auth("user", "secret")
        .subprotocol("chat")
        .build()
}

#[tokio::test]
async fn another_origin_gets_no_credentials_but_all_else() {
    let (one, two) = (Site::new().await, Site::new().await);
    let client = with_all();
    let opening = client.connect(format!("ws://{}/", one.authority()));
    let elsewhere = format!("ws://{}/", two.authority());
    // And back again: what has been elsewhere stays without.
    let home = format!("ws://{}/again", one.authority());
    let serving = async {
        let first = one.redirects(302, "/same").await;
        let same = one.redirects(302, &elsewhere).await;
        let other = two.redirects(302, &home).await;
        (first, same, other, one.opens().await)
    };
    let (opened, (first, same, other, back)) =
        until(async { tokio::join!(opening, serving) }).await;
    opened.expect("an open connection");
    for head in [&first, &same] {
        assert_eq!(lines(head, "authorization"), ["Basic dXNlcjpzZWNyZXQ="], "{head}");
        assert_eq!(lines(head, "cookie"), ["session=1"], "{head}");
    }
    for head in [&other, &back] {
        for name in ["authorization", "cookie"] {
            assert!(lines(head, name).is_empty(), "{name} in {head}");
        }
    }
    for head in [&first, &same, &other, &back] {
        assert_eq!(lines(head, "x-version"), ["7"], "{head}");
        assert_eq!(lines(head, "sec-websocket-protocol"), ["chat"], "{head}");
    }
}

#[tokio::test]
async fn a_user_in_the_uri_stays_with_its_origin_and_one_in_a_location_is_not_used() {
    let (one, two) = (Site::new().await, Site::new().await);
    let client = following(3).build();
    let opening = client.connect(format!("ws://user:secret@{}/", one.authority()));
    let same = format!("ws://evil:evil@{}/same", one.authority());
    let other = format!("ws://evil:evil@{}/other", two.authority());
    let serving = async {
        let first = one.redirects(302, &same).await;
        (first, one.redirects(302, &other).await, two.opens().await)
    };
    let (opened, (first, same, other)) = until(async { tokio::join!(opening, serving) }).await;
    opened.expect("an open connection");
    assert_eq!(lines(&first, AUTHORIZATION.as_str()), ["Basic dXNlcjpzZWNyZXQ="]);
    assert_eq!(lines(&same, AUTHORIZATION.as_str()), ["Basic dXNlcjpzZWNyZXQ="]);
    assert!(lines(&other, AUTHORIZATION.as_str()).is_empty(), "{other}");
}

#[tokio::test]
async fn the_body_of_a_redirect_is_not_waited_for() {
    let site = Site::new().await;
    let client = following(1).build();
    let opening = client.connect(format!("ws://{}/", site.authority()));
    let serving = async {
        let (_, mut peer) = site.hears().await;
        // Neither a length nor an end of the transport tells where it ends.
        peer.sends_bytes("HTTP/1.1 302 Found\r\nLocation: /new\r\n\r\n<html>").await;
        (site.opens().await, peer)
    };
    let (opened, _) = until(async { tokio::join!(opening, serving) }).await;
    opened.expect("an open connection");
}

#[tokio::test]
async fn one_deadline_covers_all_redirects() {
    let site = Site::new().await;
    let mut limits = Limits::default();
    limits.open_timeout = Duration::from_millis(300);
    let client = following(usize::MAX).limits(limits).build();
    let opening = client.connect(format!("ws://{}/", site.authority()));
    let serving = async {
        loop {
            site.redirects(302, "/again").await;
        }
    };
    let opened = until(async {
        tokio::select! {
            opened = opening => opened,
            () = serving => unreachable!("it goes on for ever"),
        }
    });
    let error = opened.await.expect_err("there is no end");
    // Wherever it was when the time had run out.
    let dialling = matches!(error, ConnectError::Dial(DialError::TimedOut { .. }));
    assert!(dialling || matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn on_a_unix_socket_a_redirect_stays_with_its_origin() {
    let folder = std::env::temp_dir().join(format!("duplexer-{}", rand::random::<u64>()));
    std::fs::create_dir(&folder).expect("a folder of our own");
    let path = folder.join("socket");
    let listener = tokio::net::UnixListener::bind(&path).expect("bound");
    let client = following(3).unix_socket(&path).build();
    let hears = async || {
        let (stream, _) = until(listener.accept()).await.expect("a client");
        let mut peer = Peer::new(stream, Role::Server, Duration::from_secs(10));
        (peer.hears_head().await, peer)
    };
    for location in ["/new", "ws://server.example.com/new", "http://server.example.com:80/new"] {
        let opening = client.connect("ws://server.example.com/");
        let serving = async {
            let (_, mut first) = hears().await;
            first.sends_bytes(redirect(302, location)).await;
            let (head, mut second) = hears().await;
            second.sends_bytes(answer_to(&head, "")).await;
            head
        };
        let (opened, head) = until(async { tokio::join!(opening, serving) }).await;
        opened.expect(location);
        assert!(head.starts_with("GET /new HTTP/1.1\r\nHost: server.example.com"), "{head}");
    }
    // Where another origin is, the socket does not lead; nor is it asked over the network, behind the setting's back.
    let site = Site::new().await;
    for location in [format!("ws://{}/", site.authority()), "wss://server.example.com/".to_owned()]
    {
        let opening = client.connect("ws://server.example.com/");
        let serving = async {
            let (_, mut first) = hears().await;
            first.sends_bytes(redirect(302, &location)).await;
        };
        let (opened, ()) = until(async { tokio::join!(opening, serving) }).await;
        let error = redirect_error(opened);
        let from = "ws://server.example.com/".to_owned();
        assert_eq!(error, RedirectError::OffUnixSocket { from, to: location.clone() });
        let text = error.to_string();
        assert!(text.contains(&location) && text.contains("setting unix_socket"), "{text}");
    }
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
