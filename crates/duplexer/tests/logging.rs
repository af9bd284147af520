//! What is told through `tracing`, as its readers see it. One test: a process has one subscriber.

mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use duplexer::{CloseCode, Limits, Oversize, Rejection, Request, Server, WebSocket};
use http::StatusCode;
use support::{dial, host, until};

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn lines(&self) -> Vec<String> {
        let said = self.0.lock().expect("no panic");
        String::from_utf8_lossy(&said).lines().map(str::to_owned).collect()
    }

    /// Waits for a line that has all of these in it.
    async fn hears(&self, parts: &[&str]) -> String {
        let found = async {
            loop {
                let has = |line: &String| parts.iter().all(|part| line.contains(part));
                if let Some(line) = self.lines().into_iter().find(has) {
                    return line;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(std::time::Duration::from_secs(10), found).await {
            Ok(line) => line,
            Err(_) => panic!("{parts:?} in {:#?}", self.lines()),
        }
    }
}

#[tokio::test]
async fn openings_refusals_failures_and_ends_are_told_with_who_and_where() {
    let said = Said::default();
    let writer = said.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let mut limits = Limits::default();
    limits.message_bytes_max = 1000;
    limits.oversize = Oversize::Skip;
    let server = Server::builder()
        .limits(limits)
        .authorize(|request: Request| async move {
            match request.path() {
                "/no" => Err(Rejection::new(StatusCode::FORBIDDEN, "not you\n")),
                _ => Ok(()),
            }
        })
        .build();
    let address = host(&server, |mut socket: WebSocket, request: Request<()>| async move {
        tracing::info!("a handler's own line");
        while socket.recv().await?.is_some() {}
        assert_ne!(request.path(), "/panic", "as a handler may");
        match request.path() {
            "/fails" => Err("no room".into()),
            _ => Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()),
        }
    })
    .await;
    let url = |path: &str| format!("ws://{address}{path}");

    let mut socket = until(duplexer::connect(url("/ok?token=secret"))).await.expect("it listens");
    until(socket.send("x".repeat(1001))).await.expect("it is open");
    until(socket.ping()).await.expect("it answers");
    until(socket.close(4001.into(), "done")).await.expect("it may be sent");
    drop(socket);
    said.hears(&["DEBUG", "accepted", "peer=127.0.0.1:"]).await;
    let served = "connection{peer=127.0.0.1:";
    let called = format!("connection{{url=\"{}\"}}", url("/ok"));
    said.hears(&["DEBUG", served, "path=\"/ok\"", ": open", "permessage-deflate"]).await;
    said.hears(&["INFO", served, "path=\"/ok\"", "a handler's own line"]).await;
    said.hears(&["DEBUG", served, "path=\"/ok\"", "message skipped kind=Text bytes_max=1000"])
        .await;
    said.hears(&["DEBUG", served, "closed code=4001 reason=\"done\" by=\"client\"", "lasted="])
        .await;
    said.hears(&["DEBUG", &called, ": open", "took="]).await;
    said.hears(&["DEBUG", &called, "ping answered rtt="]).await;
    // The server answers with the code alone (RFC 6455 §5.5.1).
    said.hears(&["DEBUG", &called, "closed code=4001 reason=\"\" by=\"client\""]).await;

    assert!(until(duplexer::connect(url("/no"))).await.is_err());
    said.hears(&["INFO", "refused", "peer=127.0.0.1:", "path=\"/no\"", "status=403", "not you"])
        .await;
    said.hears(&["DEBUG", "not connected error=", "403"]).await;

    let mut garbage = dial(address).await;
    garbage.sends_bytes("no HTTP at all\r\n\r\n").await;
    garbage.hears_head().await;
    drop(garbage);
    said.hears(&["INFO", "refused", "peer=127.0.0.1:", "status=400"]).await;

    for (path, level, line) in
        [("/fails", "INFO", "handler failed"), ("/panic", "ERROR", "handler panicked")]
    {
        let mut socket = until(duplexer::connect(url(path))).await.expect("it listens");
        until(socket.close(CloseCode::NORMAL, "")).await.expect("it may be sent");
        let line = said.hears(&[level, line, &format!("path=\"{path}\"")]).await;
        assert!(level == "ERROR" || line.contains("error=no room"), "{line}");
    }
    let lines = said.lines();
    assert!(!lines.iter().any(|line| line.contains("secret")), "{lines:#?}");
}
