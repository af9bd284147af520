//! How receiving and sending can fail, in words for people, and what counts as a clean end.

use std::fmt;
use std::io;
use std::sync::Arc;

use duplexer_proto::{CloseCode, CloseInfo, End, Fault, Message};

pub use duplexer_proto::ControlError;

use crate::driver::{Driver, Failure};

/// Why there are no more messages, where the end was not a clean one.
///
/// A clean end is no error: [`recv`](crate::WebSocket::recv) then returns `None`. It is clean when this end closed and the peer
/// answered, or when the peer closed with 1000 (normal), 1001 (going away) or without a code. Within a message that is read in
/// pieces there is no clean end.
///
/// ```
/// use duplexer::RecvError;
/// async fn log(mut socket: duplexer::WebSocket) {
///     match socket.recv().await {
///         Ok(message) => println!("{message:?}"),
///         Err(RecvError::Closed(info)) => println!("the peer says {}", info.reason),
///         Err(error) => println!("{error}"),
///     }
/// }
/// assert!(RecvError::EndOfStream.to_string().contains("without a closing handshake"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The peer closed with a code that says that something was wrong, or with one of an application's (3000–4999); or, of a
    /// message that is [read in pieces](crate::MessageReader::chunk), either end closed before the message had ended, with
    /// any code.
    Closed(CloseInfo),
    /// The peer broke the protocol or went over a limit; it was told so.
    Fault(Fault),
    /// The transport failed.
    Io(Arc<io::Error>),
    /// The peer ended the transport without a closing handshake (1006).
    EndOfStream,
    /// Nothing came from the peer for the keepalive timeout after a ping.
    PeerLost,
    /// The peer did not complete the closing handshake within `close_timeout`.
    CloseOverdue,
    /// This end called `abort`, or failed the connection itself.
    Aborted,
}

impl RecvError {
    /// What the end of a driver's connection means to a receiver.
    pub(crate) fn outcome(driver: &Driver) -> Result<(), Self> {
        let lost = match driver.failure() {
            Some(Failure::Fault(fault)) => return Err(Self::Fault(fault.clone())),
            Some(Failure::PeerLost) => return Err(Self::PeerLost),
            Some(Failure::CloseOverdue) => return Err(Self::CloseOverdue),
            Some(Failure::Aborted) => return Err(Self::Aborted),
            Some(Failure::Io(error)) => Self::Io(error.clone()),
            Some(Failure::EndOfStream) => Self::EndOfStream,
            None => Self::Aborted,
        };
        match driver.conn.close_info() {
            // A peer's Close counts even where writing had failed before it was read.
            Some(info) if info.clean => match (info.initiator, info.reason.code()) {
                (End::Local, _)
                | (End::Remote, CloseCode::NORMAL | CloseCode::GOING_AWAY | CloseCode::NO_STATUS) => {
                    Ok(())
                }
                (End::Remote, _) => Err(Self::Closed(info.clone())),
            },
            Some(_) | None => Err(lost),
        }
    }

    /// What the end of a driver's connection means to the reader of a message that has not ended.
    pub(crate) fn cut_off(driver: &Driver) -> Self {
        match (Self::outcome(driver), driver.conn.close_info()) {
            (Err(error), _) => error,
            (Ok(()), Some(info)) => Self::Closed(info.clone()),
            (Ok(()), None) => Self::Aborted,
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(info) => {
                let who = match info.initiator {
                    End::Remote => "the peer",
                    End::Local => "this side",
                };
                write!(f, "{who} closed the connection: {}", info.reason)
            }
            Self::Fault(fault @ (Fault::TooFast { .. } | Fault::OutOfMemory { .. })) => {
                write!(f, "the connection was closed: {fault}")
            }
            Self::Fault(fault) => write!(f, "the peer broke the protocol: {fault}"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::EndOfStream => {
                f.write_str("the peer ended the connection without a closing handshake (1006)")
            }
            Self::PeerLost => f.write_str(
                "nothing came from the peer within the keepalive timeout after a ping (1006)",
            ),
            Self::CloseOverdue => {
                f.write_str("the peer did not answer the Close within close_timeout (1006)")
            }
            Self::Aborted => f.write_str("the connection was ended by this side"),
        }
    }
}

impl std::error::Error for RecvError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Fault(fault) => Some(fault),
            Self::Closed(_)
            | Self::EndOfStream
            | Self::PeerLost
            | Self::CloseOverdue
            | Self::Aborted => None,
        }
    }
}

/// A message was not sent.
///
/// ```
/// use duplexer::SendError;
/// async fn greet(mut socket: duplexer::WebSocket) -> Result<(), SendError> {
///     match socket.send("hello").await {
///         Err(SendError::Closed(_)) => Ok(()), // nobody is there to be greeted
///         sent => sent,
///     }
/// }
/// assert_eq!(SendError::Closed(None).to_string(), "not sent: the connection is closed");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed; the way it ended where that is known already.
    Closed(Option<CloseInfo>),
    /// The bytes that a [`MessageWriter`](crate::MessageWriter) was given for a text are not UTF-8, or end inside a character.
    /// The connection has failed with 1011, since a part of the message may have left; what is sent next is `Closed`.
    NotUtf8,
    /// The transport failed.
    Io(Arc<io::Error>),
    /// Nothing came within the keepalive's time, or the peer took nothing of what was to be written.
    PeerLost,
}

impl SendError {
    /// Why a driver sends nothing any more.
    pub(crate) fn why(driver: &Driver) -> Self {
        match driver.failure() {
            Some(Failure::Io(error)) => Self::Io(error.clone()),
            Some(Failure::PeerLost) => Self::PeerLost,
            Some(
                Failure::Fault(_) | Failure::EndOfStream | Failure::CloseOverdue | Failure::Aborted,
            )
            | None => Self::Closed(driver.conn.close_info().cloned()),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(Some(info)) => {
                write!(f, "not sent: the connection is closed ({})", info.reason)
            }
            Self::Closed(None) => f.write_str("not sent: the connection is closed"),
            Self::NotUtf8 => f.write_str(
                "not sent: the text is not UTF-8 (RFC 6455 §5.6); other bytes go into a binary message",
            ),
            Self::Io(error) => write!(f, "not sent: the connection failed: {error}"),
            Self::PeerLost => f.write_str("not sent: the peer is lost: it was silent for too long"),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Closed(_) | Self::NotUtf8 | Self::PeerLost => None,
        }
    }
}

/// A message was not queued at once.
///
/// ```
/// use duplexer::{Message, Sender, TrySendError};
/// fn offer(sender: &Sender, message: Message) -> Result<Option<Message>, TrySendError> {
///     match sender.try_send(message) {
///         Ok(()) => Ok(None),
///         Err(TrySendError::Full(message)) => Ok(Some(message)), // for later
///         Err(error) => Err(error),
///     }
/// }
/// assert!(TrySendError::Full("hello".into()).to_string().contains("queue_bytes_max"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TrySendError {
    /// The queue is full, or a message is being written in pieces; the message is given back.
    Full(Message),
    /// Nothing can be sent any more.
    Closed(SendError),
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str(
                "the send queue is full (limit queue_bytes_max), or a message is being sent in pieces",
            ),
            Self::Closed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TrySendError {}

/// No pong was received.
///
/// ```
/// use duplexer::PingError;
/// async fn is_there(socket: &mut duplexer::WebSocket) -> bool {
///     match socket.ping().await {
///         Ok(round_trip) => round_trip.as_secs() < 1,
///         Err(_) => false,
///     }
/// }
/// assert_ne!(PingError::TimedOut, PingError::Closed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PingError {
    /// The connection closed first.
    Closed,
    /// It did not come within the keepalive timeout. The connection stays as it is.
    TimedOut,
}

impl fmt::Display for PingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection closed before the pong came",
            Self::TimedOut => "no pong came within the keepalive timeout",
        })
    }
}

impl std::error::Error for PingError {}
