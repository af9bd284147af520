//! What those who run the program are told of a server's openings.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use duplexer_proto::Role;
use duplexer_proto::handshake::Agreed;
use http::StatusCode;
use tracing::field::display;

use crate::watch::{Trace, opening};

/// A connection is open.
pub(crate) fn opened(peer: Option<SocketAddr>, path: &str, agreed: &Agreed) -> Option<Arc<Trace>> {
    let trace = Trace::server(peer, path);
    if let Some(trace) = &trace {
        trace.open(agreed.subprotocol.as_deref(), &agreed.extensions, None);
    }
    trace
}

/// A client was refused: at info where it is told so.
pub(crate) fn refused(
    peer: Option<SocketAddr>,
    path: Option<&str>,
    status: Option<StatusCode>,
    error: &dyn fmt::Display,
) {
    let peer = peer.map(display);
    match status {
        Some(status) => {
            let status = status.as_u16();
            opening::refused(Role::Server, Some(status));
            tracing::info!(peer, path, status, %error, "refused");
        }
        None => tracing::debug!(peer, path, %error, "no connection was opened"),
    }
}
