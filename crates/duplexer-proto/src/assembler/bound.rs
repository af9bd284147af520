//! What may be wrong with a message that frames make, and the sizes that it may have. Judges; keeps nothing.

use std::fmt;

use crate::assembler::delivery::{Delivery, Rest};
use crate::extension::DecodeError;
use crate::frame::Opcode;
use crate::limits::Limits;

/// A peer's message breaks a rule or a limit.
///
/// ```
/// use duplexer_proto::{CloseCode, Fault, MessageError};
/// let error = MessageError::TooBig { max: 65_536, setting: "message_bytes_max" };
/// assert_eq!(error.to_string(), "message over the limit message_bytes_max of 65536 bytes");
/// assert_eq!(Fault::from(error).close_code(), CloseCode::MESSAGE_TOO_BIG);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// A continuation frame without a message to continue (RFC 6455 §5.4).
    NothingToContinue,
    /// A new message inside one that has not ended (RFC 6455 §5.4).
    NotContinued {
        /// The new message's opcode.
        opcode: Opcode,
    },
    /// A text that is not UTF-8 (RFC 6455 §8.1).
    NotUtf8,
    /// A message over a limit, or one whose encoding by an extension takes more than twice the limit's bytes and 1 KiB.
    TooBig {
        /// The limit in bytes.
        max: u64,
        /// The setting's name.
        setting: &'static str,
    },
    /// A message that its extension cannot decode.
    Decode(DecodeError),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToContinue => {
                f.write_str("continuation frame without a message to continue (RFC 6455 §5.4)")
            }
            Self::NotContinued { opcode } => {
                write!(f, "{opcode:?} frame inside a message that has not ended (RFC 6455 §5.4)")
            }
            Self::NotUtf8 => f.write_str("text message that is not UTF-8 (RFC 6455 §8.1)"),
            Self::TooBig { max, setting } => {
                write!(f, "message over the limit {setting} of {max} bytes")
            }
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MessageError {}

/// The size that a message may have in one way of delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) max: u64,
    setting: &'static str,
}

impl Bound {
    /// The bound of a message that has begun, for a caller who asks for `wanted`; `delivered` where pieces of it were.
    pub(super) const fn of(wanted: Delivery, rest: Rest, delivered: bool, limits: &Limits) -> Self {
        let message = Self { max: limits.message_bytes_max, setting: "message_bytes_max" };
        let stream = Self { max: limits.stream_bytes_max, setting: "stream_bytes_max" };
        match (wanted, rest, delivered) {
            (Delivery::Discard, _, _) | (_, Rest::Unwanted, _) => {
                Self { max: u64::MAX, setting: "" }
            }
            (_, Rest::Skipped { .. }, _)
            | (Delivery::Chunks, Rest::Wanted, _)
            | (Delivery::Hold { .. }, Rest::Wanted, true) => stream,
            (Delivery::Whole, Rest::Wanted, _) | (Delivery::Hold { .. }, Rest::Wanted, false) => {
                message
            }
        }
    }

    pub(super) const fn check(self, charged: u64) -> Result<(), MessageError> {
        if charged > self.max {
            return Err(MessageError::TooBig { max: self.max, setting: self.setting });
        }
        Ok(())
    }

    /// Judges the bytes of a message before extensions decode them: an encoding that says little at great length must
    /// not cost much more than a message of the largest size.
    pub(super) const fn check_wire(self, wire: u64) -> Result<(), MessageError> {
        let max = self.max.saturating_mul(WIRE_FACTOR).saturating_add(WIRE_BYTES_SPARE);
        if wire > max {
            return Err(MessageError::TooBig { max: self.max, setting: self.setting });
        }
        Ok(())
    }

    /// How many bytes fit beside those charged so far.
    pub(super) fn left(self, charged: u64) -> usize {
        usize::try_from(self.max.saturating_sub(charged)).unwrap_or(usize::MAX)
    }
}

/// How many times its limit a message may be long before extensions decode it. DEFLATE makes noise longer by an eighth at
/// worst, and a flush adds five or six bytes: a sender that flushes after every eighth byte stays below, and so does a
/// run-length code that writes two bytes for one.
const WIRE_FACTOR: u64 = 2;
/// Bytes beside that, for what an encoding says once whatever the length, where the limit is small.
const WIRE_BYTES_SPARE: u64 = 1 << 10;
