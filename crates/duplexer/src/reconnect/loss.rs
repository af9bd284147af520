//! Why there is no connection, and whether another attempt could change that.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use duplexer_proto::{CloseCode, CloseInfo, End, HandshakeError};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::client::ConnectError;
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

/// Whether another attempt is made.
///
/// ```
/// use duplexer::{Decision, Loss};
/// fn patient(loss: &Loss) -> Decision {
///     match loss.decision() {
///         Decision::Stop => Decision::RetryAfter(std::time::Duration::from_secs(60)),
///         other => other,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// After the wait that is due.
    Retry,
    /// After this time, at most [`retry_after_max`](crate::ReconnectBuilder::retry_after_max), and then the wait that is due.
    RetryAfter(Duration),
    /// None is made.
    Stop,
}

impl Loss {
    /// Whether another attempt could do better, where [`decide`](crate::ReconnectBuilder::decide) says nothing else:
    ///
    /// | what happened | another attempt? |
    /// | --- | --- |
    /// | the address not found or not reached, the transport lost, a deadline passed | yes |
    /// | the server answered 408, 425, 429 or 5xx | yes, after its `Retry-After` |
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
                _ => Decision::Retry,
            },
            LossCause::TimedOut { .. } => Decision::Retry,
            LossCause::Closed(info) => of_close(info),
            LossCause::Failed(error) => match error {
                RecvError::Closed(info) => of_close(info),
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

fn of_connect(error: &ConnectError) -> Decision {
    match error {
        ConnectError::Dial { .. } | ConnectError::Io(_) | ConnectError::TimedOut { .. } => {
            Decision::Retry
        }
        ConnectError::Uri(_)
        | ConnectError::Setup(_)
        | ConnectError::OriginInvalid { .. }
        | ConnectError::Credential(_)
        | ConnectError::TlsUnavailable
        | ConnectError::Redirect(_) => Decision::Stop,
        ConnectError::Handshake(error) => of_handshake(error),
    }
}

fn of_handshake(error: &HandshakeError) -> Decision {
    match error {
        HandshakeError::Closed { .. } | HandshakeError::TimedOut { .. } => Decision::Retry,
        HandshakeError::Refused(response) => {
            let status = response.status();
            if !status.is_server_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
                return Decision::Stop;
            }
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = header.and_then(|header| retry_after(header, SystemTime::now()));
            after.map_or(Decision::Retry, Decision::RetryAfter)
        }
        _ => Decision::Stop,
    }
}

/// RFC 9110 §10.2.3: a number of seconds, or a date.
fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean longer than anyone waits.
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(header).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

fn of_close(info: &CloseInfo) -> Decision {
    match (info.initiator, info.reason.code().as_u16()) {
        (End::Remote, 1001 | 1006 | 1011..=1014 | 3008) => Decision::Retry,
        (End::Remote | End::Local, _) => Decision::Stop,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, after: Option<&str>) -> Decision {
        let mut response = http::Response::new(Vec::new());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some(after) = after {
            response.headers_mut().insert(RETRY_AFTER, after.parse().expect("a value"));
        }
        of_handshake(&HandshakeError::Refused(Box::new(response)))
    }

    #[test]
    fn only_some_statuses_are_worth_another_attempt() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(refused(status, None), Decision::Retry, "{status}");
        }
        for status in [200, 204, 301, 302, 304, 400, 401, 403, 404, 405, 410, 421, 426, 431] {
            assert_eq!(refused(status, Some("1")), Decision::Stop, "{status}");
        }
        assert_eq!(refused(503, Some("7")), Decision::RetryAfter(Duration::from_secs(7)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // RFC 9110 §10.2.3.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let after = |header| retry_after(header, now).map(|after| after.as_secs());
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(after("Sunday, 06-Nov-94 08:49:47 GMT"), Some(10));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:27 GMT"), Some(0), "it is past");
        assert_eq!(after("99999999999999999999999"), Some(u64::MAX));
        for garbage in ["", "-1", "1.5", "soon", "Sun, 06 Nov", "\u{e9}"] {
            assert_eq!(after(garbage), None, "{garbage}");
        }
    }
}
