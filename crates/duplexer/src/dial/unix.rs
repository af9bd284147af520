//! The way to a Unix socket, where a client is set to take it.

use std::io;
use std::path::PathBuf;

use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use crate::dial::tcp::DialError;
use crate::transport::Transport;

/// A Unix socket that is to be connected to, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnixSocket(Option<PathBuf>);

impl UnixSocket {
    pub(crate) const fn at(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// Whether there is one.
    pub(super) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// A byte stream that leads to it; `None` where there is none. Cancel-safe: dropped, it leaves nothing open.
    pub(super) async fn connect(&self, by: Instant) -> Option<Result<Transport, DialError>> {
        let path = self.0.as_ref()?;
        let opened = timeout_at(by, UnixStream::connect(path)).await;
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let opened = opened.map(Transport::other);
        Some(opened.map_err(|error| DialError::Unix { path: path.clone(), error }))
    }
}
