//! In the place of the way to a Unix socket, where the platform has none: there never is one.

use tokio::time::Instant;

use crate::dial::tcp::DialError;
use crate::transport::Transport;

/// No Unix socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnixSocket {}

impl UnixSocket {
    /// Never.
    #[allow(clippy::unused_self, reason = "where there are Unix sockets it is asked of one")]
    pub(super) const fn is_there(&self) -> bool {
        false
    }

    /// Always `None`.
    #[allow(
        clippy::unused_async,
        reason = "where there are Unix sockets there is something to wait for"
    )]
    pub(super) async fn connect(&self, _: Instant) -> Option<Result<Transport, DialError>> {
        None
    }
}
