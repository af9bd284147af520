//! How a connection that is opened again ends for good, and how sending over it fails.

use std::fmt;
use std::sync::Arc;

use duplexer_proto::Message;

use crate::reconnect::loss::Loss;
use crate::socket::SendError;

/// No connection is opened any more.
///
/// ```
/// use duplexer::{Reconnect, ReconnectError};
/// async fn read(mut feed: Reconnect) {
///     match feed.recv().await {
///         Ok(message) => println!("{message:?}"),
///         Err(ReconnectError::Final(loss)) if loss.status().is_some_and(|it| it == 401) => {
///             println!("log in first");
///         }
///         Err(error) => println!("{error}"),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReconnectError {
    /// It would only fail again, as [`decide`](crate::ReconnectBuilder::decide) or the [default](Loss::decision) says.
    Final(Arc<Loss>),
    /// So many attempts failed in a row.
    AttemptsExhausted {
        /// The limit [`attempts_max`](crate::ReconnectBuilder::attempts_max).
        attempts_max: u32,
        /// What the last one failed of.
        loss: Arc<Loss>,
    },
}

impl ReconnectError {
    /// Why there is no connection.
    #[must_use]
    pub fn loss(&self) -> &Loss {
        match self {
            Self::Final(loss) | Self::AttemptsExhausted { loss, .. } => loss,
        }
    }
}

impl fmt::Display for ReconnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Final(loss) => loss.fmt(f),
            Self::AttemptsExhausted { attempts_max, loss } => write!(
                f,
                "given up after {attempts_max} failed attempts (limit attempts_max); the last: {loss}"
            ),
        }
    }
}

impl std::error::Error for ReconnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.loss())
    }
}

/// A message was not sent, or perhaps not.
///
/// ```
/// use duplexer::{ReconnectSendError, ReconnectSender};
/// async fn order(sender: ReconnectSender) -> Result<bool, ReconnectSendError> {
///     match sender.send("buy").await {
///         Ok(()) => Ok(true),
///         Err(ReconnectSendError::Lost(_)) => Ok(false), // ask the server what it has heard
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReconnectSendError {
    /// No connection is opened any more; the message, of which nothing was sent, is given back.
    Ended(Message),
    /// The connection was lost while the message was being written. The peer may have received it or not; it is not sent again.
    Lost(SendError),
    /// The lost connection left more than 1 MiB of messages, which have to be received before the next connection can be
    /// opened. The message, of which nothing was sent, is given back.
    Unread(Message),
}

impl fmt::Display for ReconnectSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(_) => f.write_str("not sent: no connection is opened any more"),
            Self::Lost(error) => write!(f, "the connection was lost on the way: {error}"),
            Self::Unread(_) => f.write_str(
                "not sent: the lost connection left more than 1 MiB of messages; receive them first",
            ),
        }
    }
}

impl std::error::Error for ReconnectSendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Lost(error) => Some(error),
            Self::Ended(_) | Self::Unread(_) => None,
        }
    }
}
