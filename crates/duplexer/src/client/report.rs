//! What those who run the program are told of a client's openings.

use duplexer_proto::{HandshakeError, Role, Time, WsUri};

use crate::client::outcome::ConnectError;
use crate::clock;
use crate::socket::WebSocket;
use crate::watch::{Trace, opening};

/// A connection to `uri`, begun at `started`, is open.
pub(super) fn opened(socket: WebSocket, uri: &WsUri, started: Time) -> WebSocket {
    let took = clock::now().since(started);
    opening::took(Role::Client, took);
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
        _ => None,
    };
    opening::refused(Role::Client, status);
    tracing::debug!(%error, "not connected");
}
