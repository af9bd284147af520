//! What those who run the program are told of a client's openings.

use duplexer_proto::{HandshakeError, Role, Time, WsUri};

use crate::client::outcome::ConnectError;
use crate::clock;
use crate::socket::WebSocket;
use crate::watch::{Trace, opening};

/// A connection to `uri`, begun at `started`, is open.
pub(super) fn opened(socket: WebSocket, uri: &WsUri, started: Time) -> WebSocket {
    let took = clock::now().since(started);
    opening::took(Role::Client, || took);
    // Without the query, which often holds what is secret.
    let trace = Trace::client(|| format!("{}://{}{}", uri.scheme(), uri.authority(), uri.path()));
    if let Some(trace) = &trace {
        trace.open(socket.subprotocol(), socket.extensions(), Some(took));
    }
    socket.traced(trace)
}

/// None came about.
pub(super) fn refused(error: &ConnectError) {
    let status = match error {
        ConnectError::Handshake(HandshakeError::Refused(response)) => {
            Some(response.status().as_u16())
        }
        ConnectError::Handshake(_)
        | ConnectError::Uri(_)
        | ConnectError::Setup(_)
        | ConnectError::OriginInvalid { .. }
        | ConnectError::Credential(_)
        | ConnectError::Dial(_)
        | ConnectError::Proxy(_)
        | ConnectError::Tls(_)
        | ConnectError::Io(_)
        | ConnectError::Redirect(_)
        | ConnectError::TimedOut { .. } => None,
    };
    opening::refused(Role::Client, status);
    tracing::debug!(error = without_secrets(&error.to_string()), "not connected");
}

/// A text without the queries of the URLs in it, nor the users and passwords, all of which are often secret.
fn without_secrets(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        let ends = |character: char| character.is_whitespace() || "`'\",→".contains(character);
        let (url, after) = url.split_at(url.find(ends).unwrap_or(url.len()));
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let authority = url.find('/').unwrap_or(url.len());
        let host = url[..authority].rfind('@').map_or(0, |at| at + 1);
        told.extend([before, &url[host..]]);
        rest = after;
    }
    told.push_str(rest);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_urls_is_neither_a_query_nor_a_password() {
        for (text, told) in [
            ("nothing", "nothing"),
            (
                "wss://a.example/feed?token=1 → ws://b.example/?x",
                "wss://a.example/feed → ws://b.example/",
            ),
            ("to `http://me:secret@c.example:1/p#f`, which", "to `http://c.example:1/p`, which"),
            ("ws://me:s@", "ws://"),
            ("://", "://"),
        ] {
            assert_eq!(without_secrets(text), told);
        }
    }
}
