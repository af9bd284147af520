//! What `-v` tells of a server's connections: when each opens and how it ends. Costs a connection one pointer where nobody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use duplexer::{CloseInfo, End, Request, WebSocket};
use tracing::{Level, enabled, info};

/// The connections that are open, where they are logged.
#[derive(Clone, Default)]
pub(crate) struct Visits(Arc<AtomicUsize>);

impl Visits {
    /// Logs that a connection is open.
    pub(crate) fn enter<S>(&self, socket: &WebSocket, request: &Request<S>) -> Visit {
        if !enabled!(Level::INFO) {
            return Visit(None);
        }
        let who = format!("{}{}", peer(request), request.path());
        let subprotocol = socket.subprotocol().unwrap_or_default();
        info!(%who, subprotocol, extensions = socket.extensions(), "open");
        self.0.fetch_add(1, Ordering::Relaxed);
        Visit(Some(Box::new(Details { who, began: Instant::now(), open: self.clone() })))
    }

    /// How many are open; 0 where they are not logged.
    pub(crate) fn open(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Who asks, for a log.
fn peer<S>(request: &Request<S>) -> String {
    request.peer().map_or_else(|| "unknown".to_owned(), |peer| peer.to_string())
}

/// A connection that is open.
pub(crate) struct Visit(Option<Box<Details>>);

struct Details {
    /// Address and path.
    who: String,
    began: Instant,
    open: Visits,
}

impl Visit {
    /// Logs how the connection ended. What became of its handler the library tells.
    pub(crate) fn leave(self, info: Option<CloseInfo>) {
        let Some(details) = self.0 else { return };
        let (who, lasted) = (&details.who, details.began.elapsed());
        if let Some(info) = &info {
            let by = match info.initiator {
                End::Local => "server",
                End::Remote => "client",
            };
            let (code, reason) = (info.reason.code(), info.reason.text());
            info!(%who, %code, reason, by, ?lasted, "closed");
        } else {
            info!(%who, ?lasted, "left");
        }
    }
}

impl Drop for Details {
    fn drop(&mut self) {
        self.open.0.fetch_sub(1, Ordering::Relaxed);
    }
}
