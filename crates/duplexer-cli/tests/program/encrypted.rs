//! `duplexer connect` to `wss://`: whom it trusts, and what it says of those that it does not.

use std::path::PathBuf;

use duplexer::{Server, ServerTls, WebSocket};

use crate::support::{connect, serve_with, text};

/// An echo server whose certificate nobody vouches for but itself; its URL, and the certificate in a file that is the
/// test's.
fn echo(file: &str) -> (String, PathBuf) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a name");
    let (pem, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let tls = ServerTls::from_pem(pem.as_bytes(), key.as_bytes()).expect("as generated");
    let server = Server::builder().tls(tls).build();
    let url = serve_with(server, |mut socket: WebSocket| async move {
        while let Some(message) = socket.recv().await? {
            socket.send(message).await.ok();
        }
        Ok::<_, duplexer::RecvError>(())
    });
    let path = std::env::temp_dir().join(format!("{file}-{}.pem", std::process::id()));
    std::fs::write(&path, pem).expect("a place for temporary files");
    (url.replace("ws://127.0.0.1", "wss://localhost"), path)
}

#[test]
fn a_certificate_of_a_file_is_trusted() {
    let (url, file) = echo("duplexer-trusted");
    let path = file.to_str().expect("UTF-8");
    let output = connect(&[&url, "--ca", path], b"hi\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("hi\n", Some(0)));
    assert_eq!(text(&output.stderr), "");
    // The same server by a name that its certificate has not.
    let output = connect(&[&url.replace("localhost", "127.0.0.1"), "--ca", path], b"hi\n");
    let said = text(&output.stderr);
    assert_eq!((text(&output.stdout), output.status.code()), ("", Some(1)));
    assert!(said.contains("not one of 127.0.0.1, but of localhost"), "{said}");
    std::fs::remove_file(file).expect("it is there");
}

#[test]
fn any_other_is_not_unless_insecure() {
    let (url, file) = echo("duplexer-untrusted");
    let output = connect(&[&url], b"hi\n");
    let said = text(&output.stderr);
    assert_eq!((text(&output.stdout), output.status.code()), ("", Some(1)));
    assert!(said.contains("not trusted") && said.contains("--ca FILE"), "{said}");
    let output = connect(&[&url, "--insecure"], b"hi\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("hi\n", Some(0)));
    assert!(text(&output.stderr).starts_with("warning: --insecure"), "{said}");
    std::fs::remove_file(file).expect("it is there");
}
