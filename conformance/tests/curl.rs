//! curl against the program: plain HTTP and opening handshakes written by hand, on one port. Run by `cargo xtask interop curl`.

use std::net::SocketAddr;

use anyhow::ensure;
use duplexer_conformance::process::{Program, setting};
use tokio::process::Command;

#[tokio::test]
#[ignore = "needs curl: cargo xtask interop curl"]
async fn plain_requests_are_answered_on_the_same_port() -> anyhow::Result<()> {
    let (server, address) = serve().await?;
    let page = head(address, "/", &[]).await?;
    ensure!(page[0].starts_with("HTTP/1.1 200"), "{page:?}");
    ensure!(page.iter().any(|line| line.starts_with("content-type: text/html")), "{page:?}");
    for path in ["/health/live", "/health/ready"] {
        let health = head(address, path, &[]).await?;
        ensure!(health[0].starts_with("HTTP/1.1 200"), "{path}: {health:?}");
    }
    let missing = head(address, "/no/such/page", &[]).await?;
    ensure!(missing[0].starts_with("HTTP/1.1 404"), "{missing:?}");
    server.stop().await
}

#[tokio::test]
#[ignore = "needs curl: cargo xtask interop curl"]
async fn an_opening_handshake_by_hand_is_accepted() -> anyhow::Result<()> {
    // RFC 6455 §1.3: the key and the answer to it.
    let (server, address) = serve().await?;
    let head = head(address, "/echo", &[UPGRADE, VERSION, KEY].concat()).await?;
    ensure!(head[0].starts_with("HTTP/1.1 101"), "{head:?}");
    for line in [
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        "upgrade: websocket",
        "connection: upgrade",
    ] {
        ensure!(head.iter().any(|found| found == line), "no `{line}` in {head:?}");
    }
    // RFC 6455 §4.2.2: no extension and no subprotocol that was not offered.
    for field in ["sec-websocket-extensions", "sec-websocket-protocol"] {
        ensure!(!head.iter().any(|line| line.starts_with(field)), "`{field}` in {head:?}");
    }
    server.stop().await
}

#[tokio::test]
#[ignore = "needs curl: cargo xtask interop curl"]
async fn wrong_opening_handshakes_are_refused() -> anyhow::Result<()> {
    let (server, address) = serve().await?;
    let foreign: &[&str] = &["Origin: http://elsewhere.example"];
    let old: &[&str] = &["Sec-WebSocket-Version: 8"];
    let short: &[&str] = &["Sec-WebSocket-Key: c2hvcnQ="];
    for (status, fields) in [
        ("426", [UPGRADE, old, KEY].concat()),       // RFC 6455 §4.4
        ("400", [UPGRADE, VERSION].concat()),        // §4.2.1: a key
        ("400", [UPGRADE, VERSION, short].concat()), // §4.2.1: a key of 16 octets
        ("403", [UPGRADE, VERSION, KEY, foreign].concat()), // §10.2
    ] {
        let head = head(address, "/echo", &fields).await?;
        ensure!(head[0].starts_with(&format!("HTTP/1.1 {status}")), "{fields:?}: {head:?}");
        if status == "426" {
            let named = head.iter().any(|line| line == "sec-websocket-version: 13");
            ensure!(named, "RFC 6455 §4.4 wants the version named: {head:?}");
        }
    }
    server.stop().await
}

async fn serve() -> anyhow::Result<(Program, SocketAddr)> {
    let mut command = Command::new(setting("DUPLEXER_BIN", "interop curl")?);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let mut server = Program::talking("duplexer serve", command)?;
    let address = server.hear_address().await?;
    Ok((server, address))
}

/// The head of the response, in lower case but for its first line. curl is not waited for: after a 101 it would not end.
async fn head(address: SocketAddr, path: &str, fields: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut command = Command::new(setting("DUPLEXER_CURL", "interop curl")?);
    command.args(["--silent", "--show-error", "--http1.1", "--no-buffer"]);
    // Not `--include`: that holds a head back until a body comes, which a 101 does not have.
    command.args(["--dump-header", "-", "--output", "/dev/null"]);
    command.args(fields.iter().flat_map(|field| ["--header", field]));
    command.arg(format!("http://{address}{path}"));
    let mut curl = Program::talking("curl", command)?;
    let mut head = vec![curl.hear().await?];
    loop {
        match curl.hear().await?.trim_end() {
            "" => return Ok(head),
            line => head.push(line.to_ascii_lowercase()),
        }
    }
}

const UPGRADE: &[&str] = &["Connection: Upgrade", "Upgrade: websocket"];
const VERSION: &[&str] = &["Sec-WebSocket-Version: 13"];
const KEY: &[&str] = &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
