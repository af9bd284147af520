//! What a client sends beside the handshake: users and passwords (RFC 7617), tokens (RFC 6750), cookies (RFC 6265) and headers; and
//! what it never sends or shows.

mod support;

use duplexer::{
    Client, ConnectError, CookieError, CookieJar, CredentialError, HandshakeError, SetupError,
    UriError,
};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use support::{Peer, Role, client_with};
use tokio::time::Duration;

/// The values of the lines called `name` in what a client asks for.
async fn sent(client: &Client, uri: &str, name: &str) -> Vec<String> {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    let head = tokio::select! {
        opened = client.connect_over(ours, uri) => panic!("nobody answered: {opened:?}"),
        head = peer.hears_head() => head,
    };
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let named = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.to_owned()).collect()
}

/// Why a client cannot even ask.
async fn refused(client: &Client, uri: &str) -> ConnectError {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let error = client.connect_over(ours, uri).await.expect_err("refused");
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    assert!(!peer.reads_more().await, "nothing was sent");
    error
}

const URI: &str = "ws://example.com/chat/room";

#[tokio::test(start_paused = true)]
async fn a_user_and_a_password_are_sent_in_base64() {
    // RFC 7617 §2 and §2.1, with its vectors.
    let client = Client::builder().basic_auth("Aladdin", "open sesame").build();
    assert_eq!(sent(&client, URI, "authorization").await, ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    let client = Client::builder().basic_auth("test", "123\u{a3}").build();
    assert_eq!(sent(&client, URI, "authorization").await, ["Basic dGVzdDoxMjPCow=="]);
    let client = Client::builder().bearer_auth("mF_9.B5f-4.1JqM").build();
    assert_eq!(sent(&client, URI, "authorization").await, ["Bearer mF_9.B5f-4.1JqM"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_credential_is_the_only_one() {
    let header = HeaderValue::from_static("Digest x");
    let client = Client::builder()
        .bearer_auth("one")
        .header(AUTHORIZATION, header)
        .bearer_auth("wrong token")
        .basic_auth("user", "")
        .build();
    let uri = "ws://other:other@example.com/";
    assert_eq!(sent(&client, uri, "authorization").await, ["Basic dXNlcjo="]);
    let renewed = client.with_header(AUTHORIZATION, HeaderValue::from_static("Bearer new"));
    assert_eq!(sent(&renewed, uri, "authorization").await, ["Bearer new"]);
    assert_eq!(sent(&client, uri, "authorization").await, ["Basic dXNlcjo="]);
}

#[tokio::test(start_paused = true)]
async fn a_user_in_the_uri_is_a_credential_where_none_is_set() {
    let client = Client::default();
    for (uri, value) in [
        ("ws://user:secret@h/", "Basic dXNlcjpzZWNyZXQ="),
        ("ws://us%65r:s%65cret@h/", "Basic dXNlcjpzZWNyZXQ="),
        ("ws://user@h/", "Basic dXNlcjo="),
        ("ws://:secret@h/", "Basic OnNlY3JldA=="),
    ] {
        assert_eq!(sent(&client, uri, "authorization").await, [value], "{uri}");
        assert_eq!(sent(&client, uri, "host").await, ["h"], "{uri}");
    }
    assert!(sent(&client, "ws://h/", "authorization").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_cannot_be_sent_is_refused_and_not_shown() {
    let builder = Client::builder;
    let cases = [
        (builder().basic_auth("us:er", "hush"), URI, "basic_auth"),
        (builder().basic_auth("user", "hush\r\nX: y"), URI, "basic_auth"),
        (builder().basic_auth("us\0er", "hush"), URI, "basic_auth"),
        (builder().bearer_auth("hush\r\nX: y"), URI, "bearer_auth"),
        (builder().bearer_auth("hush hush"), URI, "bearer_auth"),
        (builder().bearer_auth(""), URI, "bearer_auth"),
        (builder().bearer_auth("h\u{fc}sh"), URI, "bearer_auth"),
        (builder(), "ws://us%3Aer:hush@h/", "user and password in the URI"),
        (builder(), "ws://user:hush%0d%0a@h/", "user and password in the URI"),
    ];
    for (builder, uri, setting) in cases {
        let error = refused(&builder.build(), uri).await;
        assert!(matches!(&error, ConnectError::Credential(_)), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(setting) && !text.contains("hush"), "{text}");
    }
    let error = refused(&builder().basic_auth("a:b", "").build(), URI).await;
    let ConnectError::Credential(CredentialError::ColonInUser { setting }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(setting, "basic_auth");
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_secret() {
    let jar = CookieJar::new();
    jar.add(URI, "session=hush").expect("a cookie");
    let builder = Client::builder()
        .header(COOKIE, HeaderValue::from_static("own=hush"))
        .header(AUTHORIZATION, HeaderValue::from_static("hush"))
        .cookies(jar.clone());
    let client = builder.clone().basic_auth("user", "hush").build();
    let bearer = builder.clone().bearer_auth("hush");
    let renewed = client.with_header(AUTHORIZATION, HeaderValue::from_static("hush"));
    let shown = format!("{jar:?} {builder:?} {client:?} {bearer:?} {renewed:?}");
    assert!(!shown.contains("hush") && !shown.contains("aHVzaA"), "{shown}");
    assert!(!shown.contains("dXNlcjpodXNo"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_handshakes_own_headers_are_refused_and_others_are_sent() {
    let reserved = [
        HOST,
        UPGRADE,
        CONNECTION,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION,
        SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_ACCEPT,
        HeaderName::from_static("sec-websocket-new"),
    ];
    for name in reserved {
        let value = HeaderValue::from_static("1");
        let client = Client::builder().header(name.clone(), value.clone()).build();
        for client in [client, Client::default().with_header(name.clone(), value)] {
            let error = refused(&client, URI).await;
            assert!(
                matches!(&error, ConnectError::Setup(SetupError::HeaderReserved { name: found })
                    if *found == name),
                "{error:?}"
            );
            assert!(error.to_string().contains(name.as_str()), "{error}");
        }
    }
    let client = Client::builder()
        .header(USER_AGENT, HeaderValue::from_static("one"))
        .header(HeaderName::from_static("x-twice"), HeaderValue::from_static("1"))
        .header(HeaderName::from_static("x-twice"), HeaderValue::from_static("2"))
        .build();
    assert_eq!(sent(&client, URI, "user-agent").await, ["one"]);
    assert_eq!(sent(&client, URI, "x-twice").await, ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_a_proxys_is_never_sent_to_a_server() {
    // RFC 9110 §11.7.2: `Proxy-Authorization` is for the next proxy on the way.
    let secret = HeaderValue::from_static("Basic aHVzaDpodXNo");
    let set = Client::builder().header(PROXY_AUTHORIZATION, secret.clone()).build();
    for client in [set, Client::default().with_header(PROXY_AUTHORIZATION, secret)] {
        let error = refused(&client, URI).await;
        assert!(matches!(error, ConnectError::Credential(CredentialError::ForProxy)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("setting proxy") && !text.contains("aHVza"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_jar_sends_what_matches_in_one_line() {
    let jar = CookieJar::new();
    for (uri, cookie) in [
        ("ws://example.com/chat/x", "short=1; Path=/"),
        ("ws://example.com/chat/x", "long=2; Path=/chat"),
        ("ws://example.com/other", "path=3; Path=/other"),
        ("wss://example.com/", "secure=4; Secure"),
        ("ws://www.example.com/", "domain=5; Domain=example.com"),
        ("ws://www.example.com/", "host=6"),
        ("http://example.org/", "site=7"),
        ("https://example.com/", "script=8; HttpOnly; Path=/"),
        ("ws://example.com/", "gone=9; Max-Age=0"),
        ("ws://example.com/", "late=10; Expires=Wed, 01 Jan 1970 00:00:00 GMT"),
    ] {
        jar.add(uri, cookie).expect(cookie);
    }
    let client = Client::builder().cookies(jar.clone()).build();
    // RFC 6265 §5.4: longer paths first.
    let lines = sent(&client, URI, "cookie").await;
    assert_eq!(lines, ["long=2; short=1; domain=5; script=8"]);
    let lines = sent(&client, "wss://example.com/", "cookie").await;
    assert_eq!(lines, ["short=1; secure=4; domain=5; script=8"]);
    assert!(sent(&client, "ws://example.net/", "cookie").await.is_empty());

    let client = Client::builder()
        .cookies(jar)
        .header(COOKIE, HeaderValue::from_static("own=a; short=own"))
        .header(COOKIE, HeaderValue::from_static("more=b"))
        .build();
    let lines = sent(&client, URI, "cookie").await;
    assert_eq!(lines, ["own=a; short=own; more=b; long=2; domain=5; script=8"]);
}

#[tokio::test(start_paused = true)]
async fn a_secure_cookie_is_sent_over_wss_alone_even_on_this_machine() {
    let jar = CookieJar::new();
    jar.add("wss://localhost/", "a=1; Secure").expect("a cookie");
    let client = Client::builder().cookies(jar).build();
    assert!(sent(&client, "ws://localhost/", "cookie").await.is_empty());
    assert_eq!(sent(&client, "wss://localhost/", "cookie").await, ["a=1"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_on_the_way_neither_replaces_nor_unsets_a_secure_cookie() {
    // RFC 6265bis §5.7, "leave secure cookies alone".
    let jar = CookieJar::new();
    jar.add("wss://example.com/", "session=good; Secure; Path=/").expect("a cookie");
    for evil in ["session=evil; Path=/", "session=; Max-Age=0; Path=/", "session=evil; Path=/sub"] {
        assert_eq!(jar.add("ws://example.com/", evil), Err(CookieError::NotSecure), "{evil}");
    }
    let others = "session=evil; Domain=example.com; Path=/";
    assert_eq!(jar.add("ws://example.com/", others), Err(CookieError::NotSecure));
    jar.add("ws://example.com/", "other=1; Path=/").expect("a cookie");
    let client = Client::builder().cookies(jar).build();
    assert_eq!(sent(&client, "wss://example.com/", "cookie").await, ["session=good; other=1"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_sets_comes_back_to_it() {
    let jar = CookieJar::new();
    let client = Client::builder().cookies(jar.clone()).build();
    let set = "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/\r\nSet-Cookie: c=3; Secure\r\n\
               Set-Cookie: \u{ff}\r\nSet-Cookie: ;\r\nSet-Cookie: d=4; Domain=com\r\n";
    let _open = client_with(&client, set, 4096).await;
    assert_eq!(sent(&client, URI, "cookie").await, ["a=1; b=2"]);

    // A refusal sets cookies as well, and unsets them.
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Peer::new(theirs, Role::Server, Duration::from_secs(60));
    let answering = async {
        peer.hears_head().await;
        peer.sends_bytes(
            "HTTP/1.1 401 Unauthorized\r\nSet-Cookie: a=; Max-Age=0; Path=/\r\n\
             Set-Cookie: login=5; Path=/\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
    };
    let (opened, ()) = tokio::join!(client.connect_over(ours, "ws://example.com/"), answering);
    assert!(
        matches!(opened, Err(ConnectError::Handshake(HandshakeError::Refused(_)))),
        "{opened:?}"
    );
    assert_eq!(sent(&client, URI, "cookie").await, ["b=2; login=5"]);
    jar.clear();
    assert!(sent(&client, URI, "cookie").await.is_empty());
}

#[test]
fn a_cookie_that_may_not_be_set_is_not_added() {
    let jar = CookieJar::new();
    let cases = [
        ("ws://h/", "", CookieError::Malformed),
        ("ws://h/", "novalue", CookieError::Malformed),
        ("ws://h/", "a=b\r\nX: y", CookieError::Malformed),
        ("ws://example.com/", "a=b; Domain=example.org", CookieError::ForeignDomain),
        ("ws://example.com/", "a=b; Domain=com", CookieError::ForeignDomain),
        ("ws://example.com/", "a=b; Domain=www.example.com", CookieError::ForeignDomain),
        ("ws://xexample.com/", "a=b; Domain=example.com", CookieError::ForeignDomain),
        ("ws://h/", "a=b; Secure", CookieError::NotSecure),
        ("wss://h/", "__Secure-a=b", CookieError::NotSecure),
        ("wss://h/", "__Host-a=b; Secure; Path=/x", CookieError::NotSecure),
        ("wss://a.h/", "__Host-a=b; Secure; Path=/; Domain=a.h", CookieError::NotSecure),
        ("ftp://h/", "a=b", CookieError::Uri(UriError::SchemeUnknown { scheme: "ftp".into() })),
    ];
    for (uri, cookie, error) in cases {
        assert_eq!(jar.add(uri, cookie), Err(error), "{uri} {cookie}");
    }
    let long = format!("a={}", "b".repeat(4095));
    assert_eq!(jar.add("ws://h/", &long), Err(CookieError::TooLong { len: 4097 }));
    assert_eq!(jar.add("ws://h/", &long[..4096]), Ok(()));
    assert_eq!(jar.add("wss://h/", "__Host-a=b; Secure; Path=/"), Ok(()));
}

#[test]
fn a_jar_does_not_grow_without_bound() {
    // RFC 6265 §6.1.
    let jar = CookieJar::new();
    for number in 0..60 {
        jar.add("ws://h/", format!("n{number}={number}")).expect("a cookie");
    }
    assert_eq!(jar.get("ws://h/", "n9"), Ok(None), "the oldest make room");
    assert_eq!(jar.get("ws://h/", "n10"), Ok(Some("10".to_owned())));
    assert_eq!(jar.get("ws://h/", "n59"), Ok(Some("59".to_owned())));
    for number in 0..3000 {
        jar.add(format!("ws://h{number}/"), "a=b").expect("a cookie");
    }
    assert_eq!(jar.get("ws://h/", "n59"), Ok(None));
    assert_eq!(jar.get("ws://h0/", "a"), Ok(Some("b".to_owned())));
    assert!(format!("{jar:?}").contains("3000"), "{jar:?}");
}

#[test]
fn no_cookie_makes_a_jar_panic() {
    let jar = CookieJar::new();
    let attributes = [
        "Max-Age=99999999999999999999",
        "Max-Age=9223372036854775807",
        "Max-Age=-9223372036854775808",
        "Max-Age=x",
        "Expires=Fri, 31 Dec 9999 23:59:59 GMT",
        "Expires=99 99 99999 99:99:99",
        "Domain=",
        "Domain=.",
        "Domain=\u{fc}",
        "Domain=xn--\u{ff}",
        "Path=\u{fc}",
        "Path=",
        "Partitioned; SameSite=x; =; ;; a",
    ];
    for attribute in attributes {
        let cookie = format!("a=b; {attribute}");
        for end in (0..=cookie.len()).filter(|&end| cookie.is_char_boundary(end)) {
            let _ = jar.add("wss://h.example/\u{fc}", &cookie[..end]);
            let _ = jar.get("wss://h.example/\u{fc}", "a");
        }
    }
}
