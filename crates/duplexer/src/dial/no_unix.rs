//! In the place of the way to a Unix socket, where the platform has none: there never is one.

use tokio::time::Instant;

use crate::dial::tcp::DialError;
use crate::transport::Transport;

/// No Unix socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnixSocket {}

impl UnixSocket {
    /// Always `None`.
    #[allow(
        clippy::unused_async,
        reason = "where there are Unix sockets there is something to wait for"
    )]
    pub(super) async fn connect(&self, _: Instant) -> Option<Result<Transport, DialError>> {
        None
    }
}
