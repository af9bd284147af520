//! What a peer did wrong on an open connection, and the one place that says which close code answers it
//! (RFC 6455 §7.4.1).

use std::fmt;

use crate::assembler::MessageError;
use crate::close::CloseBodyError;
use crate::code::CloseCode;
use crate::frame::FrameError;

/// A peer's violation, which fails the connection (RFC 6455 §7.1.7).
///
/// ```
/// use duplexer_proto::{CloseCode, Fault, frame::FrameError};
/// let fault = Fault::from(FrameError::NotMasked);
/// assert_eq!(fault.close_code(), CloseCode::PROTOCOL_ERROR);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Of a frame.
    Frame(FrameError),
    /// Of a message.
    Message(MessageError),
    /// Of a Close frame's body.
    Close(CloseBodyError),
    /// Of a bound on how fast it may talk, by a caller of this crate that watches one.
    TooFast {
        /// The setting's name.
        setting: &'static str,
        /// How much may come in a second.
        per_second_max: u64,
    },
    /// Of none of its own: there is no room for its message beside those of other connections.
    OutOfMemory {
        /// The setting's name.
        setting: &'static str,
        /// What all of them may take, in bytes.
        bytes_max: u64,
    },
}

impl Fault {
    /// The code that tells the peer.
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Frame(FrameError::FrameTooBig { .. })
            | Self::Message(MessageError::TooBig { .. }) => CloseCode::MESSAGE_TOO_BIG,
            Self::Message(MessageError::NotUtf8 | MessageError::Decode(_))
            | Self::Close(CloseBodyError::ReasonNotUtf8) => CloseCode::INVALID_PAYLOAD,
            Self::Frame(_)
            | Self::Message(MessageError::NothingToContinue | MessageError::NotContinued { .. })
            | Self::Close(CloseBodyError::OneByte | CloseBodyError::CodeNotForWire { .. }) => {
                CloseCode::PROTOCOL_ERROR
            }
            Self::TooFast { .. } => CloseCode::POLICY_VIOLATION,
            // The message may be sent again, when there is room.
            Self::OutOfMemory { .. } => CloseCode::TRY_AGAIN_LATER,
        }
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<MessageError> for Fault {
    fn from(error: MessageError) -> Self {
        Self::Message(error)
    }
}

impl From<CloseBodyError> for Fault {
    fn from(error: CloseBodyError) -> Self {
        Self::Close(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            Self::Message(error) => error.fmt(f),
            Self::Close(error) => error.fmt(f),
            Self::TooFast { setting, per_second_max } => {
                write!(f, "faster than the limit {setting} of {per_second_max}")
            }
            Self::OutOfMemory { setting, bytes_max } => write!(
                f,
                "no room beside other connections' messages (limit {setting} of {bytes_max} bytes)"
            ),
        }
    }
}

impl std::error::Error for Fault {}
