//! TLS over more than one connection: redirects into it are followed and out of it are not, and a certificate that is not trusted
//! is no reason to try again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use duplexer::{
    Client, ConnectError, LossCause, Reconnect, ReconnectError, RedirectError, Rejection, Request,
    Server, ServerTls, TlsFault,
};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use http::{StatusCode, Uri};
use tokio::sync::mpsc;

use crate::authority::Authority;
use crate::meeting::{echo, echoes, server, trusting};
use crate::support::{host, until};

/// A server that redirects everyone to `to`, and tells what it was asked with.
async fn redirecting(
    tls: Option<&ServerTls>,
    to: &str,
) -> (SocketAddr, mpsc::UnboundedReceiver<HeaderMap>) {
    let (asked, seen) = mpsc::unbounded_channel();
    let to = HeaderValue::from_str(to).expect("a URI");
    let mut builder = Server::builder();
    if let Some(tls) = tls {
        builder = builder.tls(tls.clone());
    }
    let server = builder
        .authorize(move |request: Request| {
            asked.send(request.headers().clone()).expect("the test runs");
            let rejection = Rejection::new(StatusCode::FOUND, "").header(LOCATION, to.clone());
            async move { Err::<(), _>(rejection) }
        })
        .build();
    (host(&server, |_, _| async {}).await, seen)
}

#[tokio::test]
async fn a_redirect_into_tls_is_followed_without_credentials() {
    let root = Authority::new("root");
    let (asked, mut seen) = mpsc::unbounded_channel();
    let guarded = Server::builder()
        .tls(root.issues(&["localhost"]).tls())
        .authorize(move |request: Request| {
            asked.send(request.headers().clone()).expect("the test runs");
            async { Ok::<_, Rejection>(()) }
        })
        .build();
    let secure = host(&guarded, |mut socket, _| async move {
        while let Ok(Some(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    })
    .await;
    let to: Uri = format!("https://localhost:{}/", secure.port()).parse().expect("a URI");
    let (plain, mut first) = redirecting(None, &to.to_string()).await;
    let client = trusting(&root).redirects(1).bearer_auth("secret").build();
    let opened = until(client.connect(format!("ws://localhost:{}/", plain.port()))).await;
    until(echoes(&mut opened.expect("an open connection"))).await;
    assert!(first.recv().await.expect("it was asked").contains_key(AUTHORIZATION));
    assert!(!seen.recv().await.expect("it was asked").contains_key(AUTHORIZATION));
}

#[tokio::test]
async fn a_redirect_out_of_tls_is_not_followed() {
    let root = Authority::new("root");
    let plain = host(&Server::default(), echo).await;
    let to = format!("http://localhost:{}/", plain.port());
    let (secure, _seen) = redirecting(Some(&root.issues(&["localhost"]).tls()), &to).await;
    let client = trusting(&root).redirects(5).build();
    let opened = until(client.connect(format!("wss://localhost:{}/", secure.port()))).await;
    let Err(ConnectError::Redirect(error)) = opened else { panic!("{opened:?}") };
    assert!(matches!(error, RedirectError::Downgrade { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_not_tried_again() {
    let root = Authority::new("root");
    let address = host(&server(&root.issues(&["localhost"]).tls()), echo).await;
    let uri = format!("wss://localhost:{}/", address.port());
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let stranger: Client = trusting(&Authority::new("another")).build();
    let tried = uri.clone();
    let mut feed = Reconnect::builder_with(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        let (client, uri) = (stranger.clone(), tried.clone());
        async move { client.connect(uri).await }
    })
    .build();
    let Err(ReconnectError::Final(loss)) = until(feed.recv()).await else { panic!("not trusted") };
    assert!(
        matches!(&loss.cause, LossCause::Connect(ConnectError::Tls(error))
            if matches!(error.fault(), TlsFault::UnknownIssuer)),
        "{loss}"
    );
    assert_eq!(attempts.load(Ordering::Relaxed), 1);

    let mut feed = Reconnect::new(trusting(&root).build(), uri);
    until(feed.send("hello")).await.expect("it is trusted");
    let answer = until(feed.recv()).await.expect("no end").expect("an answer");
    assert_eq!(answer.as_text(), Some("hello"));
}
