//! Why there is no connection, and whether another attempt could change that.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use duplexer_proto::{CloseCode, CloseInfo, End, Fault};
use http::StatusCode;

use crate::client::ConnectError;
use crate::reconnect::judge::{Decision, of_close, of_connect};
use crate::socket::{RecvError, SendError};

/// Any error of a user's.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// A connection that was lost, or an attempt that opened none.
///
/// ```
/// use duplexer::{Client, CloseCode, Decision, Reconnect};
/// let feed = Reconnect::builder(Client::default(), "wss://example.com/feed")
///     .decide(|loss| match loss.close_code().map(CloseCode::as_u16) {
///         Some(4000) => Decision::Retry, // this service restarts so
///         _ => loss.decision(),
///     })
///     .build();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Loss {
    /// What happened.
    pub cause: LossCause,
    /// How long the connection was open; `None` where none was opened.
    pub lived: Option<Duration>,
    /// Bytes that were queued on the connection and not written, frame headers counted. They are not sent again. What was
    /// written may be lost as well: nobody but the peer knows.
    pub unsent_bytes: usize,
}

/// What became of a connection or an attempt.
///
/// ```
/// use duplexer::{Loss, LossCause};
/// fn is_network(loss: &Loss) -> bool {
///     matches!(loss.cause, LossCause::Connect(duplexer::ConnectError::Dial { .. }))
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LossCause {
    /// None was opened.
    Connect(ConnectError),
    /// What opens connections failed in a way of its own.
    Opener(BoxError),
    /// The attempt took longer than the limit `attempt_timeout`.
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// It was closed cleanly.
    Closed(CloseInfo),
    /// It failed.
    Failed(RecvError),
}

impl Loss {
    /// Whether another attempt could do better, where [`decide`](crate::ReconnectBuilder::decide) says nothing else:
    ///
    /// | what happened | another attempt? |
    /// | --- | --- |
    /// | the address not found or not reached, the transport lost, a deadline passed | yes |
    /// | the server, or a proxy, answered 408, 425, 429 or 5xx | yes, after its `Retry-After` |
    /// | a proxy is not reached, or reaches nothing | yes |
    /// | a proxy wants other credentials, or does not allow it | no |
    /// | a certificate that is not trusted, or anything else wrong in TLS but the loss of the transport | no |
    /// | any other answer: 401, 403, 404, redirects not followed, no or a wrong handshake | no |
    /// | a wrong URI or setting | no |
    /// | the opener failed otherwise | yes |
    /// | closed by the peer with 1001, 1011, 1012, 1013, 1014 or 3008 | yes |
    /// | the transport ended without a Close (1006), no pong, no answer to a Close | yes |
    /// | closed by the peer with 1000, with no code, or with any other code | no |
    /// | closed here, or the peer broke the protocol or went over a limit | no |
    ///
    /// Applications' own codes (4000–4999) mean what the application says, so a `decide` that knows them is worth its lines.
    #[must_use]
    pub fn decision(&self) -> Decision {
        match &self.cause {
            LossCause::Connect(error) => of_connect(error),
            LossCause::Opener(error) => match error.downcast_ref() {
                Some(SendError::Closed(Some(info))) => of_close(info),
                Some(
                    SendError::Closed(None)
                    | SendError::NotUtf8
                    | SendError::Io(_)
                    | SendError::PeerLost,
                )
                | None => Decision::Retry,
            },
            LossCause::TimedOut { .. } => Decision::Retry,
            LossCause::Closed(info) => of_close(info),
            LossCause::Failed(error) => match error {
                RecvError::Closed(info) => of_close(info),
                RecvError::Fault(Fault::OutOfMemory { .. }) => Decision::Retry,
                RecvError::Fault(_) => Decision::Stop,
                RecvError::Io(_)
                | RecvError::EndOfStream
                | RecvError::PeerLost
                | RecvError::CloseOverdue
                | RecvError::Aborted => Decision::Retry,
            },
        }
    }

    /// The code that the peer closed with, where it did.
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        match &self.cause {
            LossCause::Closed(info) | LossCause::Failed(RecvError::Closed(info))
                if info.initiator == End::Remote =>
            {
                Some(info.reason.code())
            }
            LossCause::Connect(_)
            | LossCause::Opener(_)
            | LossCause::TimedOut { .. }
            | LossCause::Closed(_)
            | LossCause::Failed(_) => None,
        }
    }

    /// The status that the server answered an attempt with, where it did.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.cause {
            LossCause::Connect(ConnectError::Handshake(error)) => error.status(),
            LossCause::Connect(_)
            | LossCause::Opener(_)
            | LossCause::TimedOut { .. }
            | LossCause::Closed(_)
            | LossCause::Failed(_) => None,
        }
    }

    /// Whether the connection ended as it should, so that stopping is no error.
    pub(super) const fn is_clean(&self) -> bool {
        matches!(self.cause, LossCause::Closed(_))
    }
}

impl LossCause {
    /// What an error of the opener's means.
    pub(super) fn of_opener(error: BoxError) -> Self {
        let error = match error.downcast() {
            Ok(error) => return Self::Connect(*error),
            Err(error) => error,
        };
        match error.downcast() {
            Ok(error) => Self::Failed(*error),
            Err(error) => Self::Opener(error),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            LossCause::Connect(error) => error.fmt(f)?,
            LossCause::Opener(error) => error.fmt(f)?,
            LossCause::TimedOut { after } => {
                write!(f, "the attempt took longer than {after:?} (limit attempt_timeout)")?;
            }
            LossCause::Closed(info) => {
                let who = match info.initiator {
                    End::Remote => "the peer",
                    End::Local => "this side",
                };
                write!(f, "{who} closed the connection: {}", info.reason)?;
            }
            LossCause::Failed(error) => error.fmt(f)?,
        }
        match self.unsent_bytes {
            0 => Ok(()),
            bytes => write!(f, "; {bytes} bytes that were queued are not sent"),
        }
    }
}

impl Error for Loss {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            LossCause::Connect(error) => Some(error),
            LossCause::Opener(error) => Some(&**error),
            LossCause::Failed(error) => Some(error),
            LossCause::TimedOut { .. } | LossCause::Closed(_) => None,
        }
    }
}
