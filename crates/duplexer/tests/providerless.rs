//! TLS without cryptography of its own (feature `tls` alone): what the process has installed is used, and nothing is an error that
//! a person can act on.
#![cfg(all(feature = "tls", not(any(feature = "aws-lc-rs", feature = "ring"))))]

mod support;

use duplexer::{
    Certificate, CertificateFault, Client, ConnectError, CryptoProvider, Request, Roots, Server,
    ServerTls, TlsFault, WebSocket,
};
use support::{host, until};

/// One test, since what is installed stays so for the whole process.
#[tokio::test]
async fn tls_computes_with_what_the_process_installs_and_says_when_that_is_nothing() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let root = Certificate::from_pem(chain.as_bytes()).expect("a certificate").remove(0);
    // Built before anything is installed, and used after.
    let client = Client::builder().roots(Roots::AddedOnly).add_root(root).build();
    assert!(CryptoProvider::installed().is_none(), "the library installs nothing");

    let refused = ServerTls::from_pem(chain.as_bytes(), key.as_bytes()).expect_err("no provider");
    assert!(matches!(refused.fault(), CertificateFault::Settings { .. }), "{refused:?}");
    assert!(refused.to_string().contains("cargo feature `aws-lc-rs` or `ring`"), "{refused}");

    let plain = host(&Server::default(), |_: WebSocket, _: Request| async {}).await;
    let refused = until(client.connect(&format!("wss://{plain}/"))).await;
    let Err(ConnectError::Tls(refused)) = refused else { panic!("{refused:?}") };
    assert!(matches!(refused.fault(), TlsFault::Settings { .. }), "{refused:?}");
    assert!(refused.to_string().contains("cargo feature `aws-lc-rs` or `ring`"), "{refused}");

    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nothing is there");
    let tls = ServerTls::from_pem(chain.as_bytes(), key.as_bytes()).expect("they belong together");
    let greeting = |mut socket: WebSocket, _: Request| async move {
        socket.send("hello").await.ok();
        socket.recv().await.ok();
    };
    let address = host(&Server::builder().tls(tls).build(), greeting).await;
    let opened = until(client.connect(&format!("wss://{address}/"))).await;
    let mut socket = opened.expect("a trusted server");
    assert_eq!(until(socket.recv()).await.expect("open"), Some("hello".into()));
}
