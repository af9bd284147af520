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
/// answered, or when the peer closed with 1000 (normal), 1001 (going away) or without a code.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The peer closed with a code that says that something was wrong, or with one of an application's (3000–4999).
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
        match driver.failure.as_deref() {
            Some(Failure::Fault(fault)) => return Err(Self::Fault(fault.clone())),
            Some(Failure::PeerLost) => return Err(Self::PeerLost),
            Some(Failure::CloseOverdue) => return Err(Self::CloseOverdue),
            Some(Failure::Aborted) => return Err(Self::Aborted),
            Some(Failure::Io(_) | Failure::EndOfStream) | None => {}
        }
        match driver.conn.close_info() {
            // A peer's Close counts even where writing had failed before it was read.
            Some(info) if info.clean => match (info.initiator, info.reason.code()) {
                (End::Local, _)
                | (End::Remote, CloseCode::NORMAL | CloseCode::GOING_AWAY | CloseCode::NO_STATUS) => {
                    Ok(())
                }
                (End::Remote, _) => Err(Self::Closed(info.clone())),
            },
            _ => Err(match driver.failure.as_deref() {
                Some(Failure::Io(error)) => Self::Io(error.clone()),
                Some(Failure::EndOfStream) => Self::EndOfStream,
                _ => Self::Aborted,
            }),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(info) => write!(f, "the peer closed the connection: {}", info.reason),
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
            _ => None,
        }
    }
}

/// A message was not sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed; the way it ended where that is known already.
    Closed(Option<CloseInfo>),
    /// The transport failed.
    Io(Arc<io::Error>),
}

impl SendError {
    /// Why a driver sends nothing any more.
    pub(crate) fn why(driver: &Driver) -> Self {
        match driver.failure.as_deref() {
            Some(Failure::Io(error)) => Self::Io(error.clone()),
            _ => Self::Closed(driver.conn.close_info().cloned()),
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
            Self::Io(error) => write!(f, "not sent: the connection failed: {error}"),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Closed(_) => None,
        }
    }
}

/// A message was not queued at once.
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
            Self::Full(_) => f.write_str("the send queue is full (limit queue_bytes_max)"),
            Self::Closed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TrySendError {}

/// No pong was received.
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
