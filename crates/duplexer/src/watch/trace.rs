//! What `tracing` is told of connections, and of those that were not opened. The words are documented in the head of
//! `lib.rs`'s section on logging.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use duplexer_proto::{CloseCode, CloseInfo, End, Role, Time};
use tracing::{Level, Span, debug, debug_span, enabled, info};

use crate::clock;

/// A connection that somebody reads of.
pub(crate) struct Trace {
    /// Disabled where only info is read.
    span: Span,
    opened: Time,
    peer: Option<SocketAddr>,
    path: Box<str>,
}

impl Trace {
    /// A client's connection, where somebody reads. `url` has no query.
    pub(crate) fn client(url: impl FnOnce() -> String) -> Option<Arc<Self>> {
        enabled!(Level::DEBUG).then(|| {
            let url = url();
            let span = debug_span!("connection", url);
            Arc::new(Self { span, opened: clock::now(), peer: None, path: "".into() })
        })
    }

    /// A server's connection, where somebody reads.
    pub(crate) fn server(peer: Option<SocketAddr>, path: &str) -> Option<Arc<Self>> {
        enabled!(Level::INFO).then(|| {
            let span = debug_span!("connection", peer = peer.map(tracing::field::display), path);
            Arc::new(Self { span, opened: clock::now(), peer, path: path.into() })
        })
    }

    /// Does something inside the connection's span.
    pub(crate) fn in_span<R>(&self, act: impl FnOnce() -> R) -> R {
        self.span.in_scope(act)
    }

    /// Tells of the opening.
    pub(crate) fn open(&self, subprotocol: Option<&str>, extensions: &str, took: Option<Duration>) {
        self.in_span(|| {
            let took = took.map(tracing::field::debug);
            debug!(subprotocol = subprotocol.unwrap_or_default(), extensions, took, "open");
        });
    }

    /// How long ago that was.
    pub(crate) fn lasted(&self) -> Duration {
        clock::now().since(self.opened)
    }

    /// Tells that a handler has returned an error.
    pub(crate) fn handler_failed(&self, error: &dyn fmt::Display) {
        let peer = self.peer.map(tracing::field::display);
        info!(peer, path = &*self.path, %error, "handler failed");
    }

    /// Tells that a handler has panicked, and with what.
    pub(crate) fn handler_panicked(&self, panic: &str) {
        let peer = self.peer.map(tracing::field::display);
        tracing::error!(peer, path = &*self.path, panic, "handler panicked");
    }
}

/// Tells of a connection's end.
pub(super) fn closed(
    role: Role,
    info: Option<&CloseInfo>,
    cause: Option<&dyn fmt::Display>,
    lasted: Option<Duration>,
) {
    let by = match (info.map(|info| info.initiator), role) {
        (Some(End::Remote), Role::Client) | (Some(End::Local) | None, Role::Server) => "server",
        (Some(End::Remote), Role::Server) | (Some(End::Local) | None, Role::Client) => "client",
    };
    let (code, reason) = info.map_or((CloseCode::ABNORMAL, ""), |info| {
        let reason = &info.reason;
        (reason.code(), reason.text())
    });
    let (cause, lasted) = (cause.map(tracing::field::display), lasted.map(tracing::field::debug));
    debug!(code = code.as_u16(), reason, by, cause, lasted, "closed");
}
