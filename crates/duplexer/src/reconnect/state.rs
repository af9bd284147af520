//! Where a connection that is opened again stands, for others to see.

use std::sync::Arc;
use std::time::Duration;

use crate::reconnect::loss::Loss;

/// Where a [`Reconnect`](crate::Reconnect) stands.
///
/// ```text
/// Connecting ──► Open ──► Waiting ──► Connecting
///     ├──► Waiting ─────────┘            each of them ──► Ended
/// ```
///
/// ```
/// use duplexer::ReconnectState;
/// fn status(state: &ReconnectState) -> String {
///     match state {
///         ReconnectState::Waiting { delay, loss, .. } => format!("{loss}; again in {delay:?}"),
///         ReconnectState::Open { .. } => "online".to_owned(),
///         _ => "offline".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReconnectState {
    /// An attempt is due, or runs while any future of the `Reconnect` is polled.
    Connecting {
        /// Its number since a connection was open for long enough; the first is 1.
        attempt: u32,
    },
    /// There is no connection, and the next attempt is not due yet.
    Waiting {
        /// The number of the next attempt.
        attempt: u32,
        /// How long is waited in all.
        delay: Duration,
        /// Why there is no connection.
        loss: Arc<Loss>,
    },
    /// A connection is open, or its last messages have not been received yet.
    Open {
        /// Its number; the first is 1.
        connection: u64,
    },
    /// No connection is opened any more.
    Ended,
}
