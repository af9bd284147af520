//! `duplexer connect`: a terminal's or a pipe's end of a WebSocket.

mod conversation;
mod explain;
mod input;
mod output;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Instant;

use duplexer::{Client, WebSocket};

use crate::arguments::Connect;
use crate::commands::connect::conversation::converse;
use crate::signals::Signals;

/// Runs until the input is answered, the server closes, or a signal comes.
pub(crate) fn run(options: &Connect) -> Result<ExitCode, Box<dyn Error>> {
    if options.insecure {
        eprintln!("warning: --insecure: nothing is known of who is at the other end");
    }
    let client = client(options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let began = Instant::now();
        let opened = tokio::select! {
            opened = client.connect(&options.url) => opened,
            signal = signals.next() => return Ok(signal.exit_code()),
        };
        let socket = opened.map_err(|error| explain::opening(&error, &options.url))?;
        greet(&socket, &options.url, began);
        converse(socket, options, signals).await
    });
    // A write to a pipe that nobody empties would be waited for.
    runtime.shutdown_background();
    ended
}

fn client(options: &Connect) -> Client {
    let mut client =
        Client::builder().deflate(options.wire.deflate()).limits(options.wire.limits());
    for header in &options.headers {
        client = client.header(header.name.clone(), header.value.clone());
    }
    for name in &options.subprotocols {
        client = client.subprotocol(name);
    }
    for authority in options.authorities.iter().flat_map(|file| &file.0) {
        client = client.add_root(authority.clone());
    }
    if options.way.proxy.is_some() || options.way.no_proxy {
        client = client.proxy(options.way.proxy.clone());
    }
    client = options.way.local.lead(client);
    client.danger_accept_invalid_certificates(options.insecure).build()
}

/// Tells somebody at a terminal, or a log, that the connection is open.
fn greet(socket: &WebSocket, url: &str, began: Instant) {
    let subprotocol = socket.subprotocol();
    tracing::info!(
        url = without_secrets(url),
        subprotocol = subprotocol.unwrap_or_default(),
        extensions = socket.extensions(),
        took = ?began.elapsed(),
        "open"
    );
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        let with = subprotocol.map(|name| format!(" ({name})")).unwrap_or_default();
        eprintln!("connected to {url}{with}; Ctrl-D ends");
    }
}

/// A URL as it may stand in a log: without its query, and without the user and the password.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let authority = rest.find('/').unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}
