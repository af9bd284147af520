//! The body of a Close frame (RFC 6455 §5.5.1): nothing, or a code and a reason in UTF-8. Reads what a peer sent,
//! and checks what a caller wants to send.

use std::fmt;

use crate::code::CloseCode;
use crate::visible::Visible;

/// Why a connection is closed, as it travels in a Close frame.
///
/// ```
/// use duplexer_proto::{CloseCode, CloseReason};
/// let reason = CloseReason::new(CloseCode::NORMAL, "done")?;
/// assert_eq!(reason.to_string(), "1000 normal closure: done");
/// assert!(CloseReason::new(CloseCode::ABNORMAL, "").is_err());
/// # Ok::<(), duplexer_proto::CloseReasonError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloseReason {
    code: CloseCode,
    text: Box<str>,
}

impl CloseReason {
    /// A code and a reason that may travel in a Close frame.
    ///
    /// # Errors
    /// The code may not travel (RFC 6455 §7.4), or the reason is longer than 123 bytes (§5.5).
    pub fn new(code: CloseCode, text: &str) -> Result<Self, CloseReasonError> {
        if !code.is_valid_on_wire() {
            return Err(CloseReasonError::CodeNotForWire { code });
        }
        if text.len() > REASON_BYTES_MAX {
            return Err(CloseReasonError::ReasonTooLong { len: text.len() });
        }
        Ok(Self { code, text: text.into() })
    }

    /// The same for a reason that is made here and cut where it is too long.
    pub(crate) fn cut(code: CloseCode, text: &str) -> Self {
        debug_assert!(code.is_valid_on_wire());
        Self { code, text: text[..text.floor_char_boundary(REASON_BYTES_MAX)].into() }
    }

    /// What a Close frame without a body stands for locally: 1005 (RFC 6455 §7.1.5).
    #[must_use]
    pub(crate) fn none() -> Self {
        Self { code: CloseCode::NO_STATUS, text: "".into() }
    }

    /// What the loss of the transport stands for locally: 1006 (RFC 6455 §7.1.5).
    #[must_use]
    pub(crate) fn abnormal() -> Self {
        Self { code: CloseCode::ABNORMAL, text: "".into() }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason's text, empty where none was given.
    #[must_use]
    pub const fn text(&self) -> &str {
        &self.text
    }

    /// Reads the body of a Close frame.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, CloseBodyError> {
        let (code, text) = match body {
            [] => return Ok(Self::none()),
            [_] => return Err(CloseBodyError::OneByte),
            [high, low, text @ ..] => (CloseCode::from(u16::from_be_bytes([*high, *low])), text),
        };
        if !code.is_valid_on_wire() {
            return Err(CloseBodyError::CodeNotForWire { code });
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Self { code, text: text.into() }),
            Err(_) => Err(CloseBodyError::ReasonNotUtf8),
        }
    }

    /// Writes the body of a Close frame; 1005 is written as the empty body that it stands for.
    pub(crate) fn write(&self, output: &mut Vec<u8>) {
        if self.code == CloseCode::NO_STATUS {
            return;
        }
        output.extend_from_slice(&self.code.as_u16().to_be_bytes());
        output.extend_from_slice(self.text.as_bytes());
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            write!(f, "{}", self.code)
        } else {
            write!(f, "{}: {}", self.code, Visible(&self.text))
        }
    }
}

/// A caller asked to close with something that may not travel.
///
/// ```
/// use duplexer_proto::{CloseCode, CloseReason, CloseReasonError};
/// let code = CloseCode::ABNORMAL; // 1006 is never sent
/// assert_eq!(CloseReason::new(code, ""), Err(CloseReasonError::CodeNotForWire { code }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReasonError {
    /// The code is reserved or outside 1000–4999 (RFC 6455 §7.4).
    CodeNotForWire {
        /// The code.
        code: CloseCode,
    },
    /// The reason does not fit a control frame (RFC 6455 §5.5).
    ReasonTooLong {
        /// Its length in bytes.
        len: usize,
    },
}

impl fmt::Display for CloseReasonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CodeNotForWire { code } => write!(
                f,
                "close code {code} may not be sent; use 1000–1003, 1007–1014 or 3000–4999 (RFC 6455 §7.4)"
            ),
            Self::ReasonTooLong { len } => {
                write!(
                    f,
                    "close reason of {len} bytes; at most 123 fit a Close frame (RFC 6455 §5.5)"
                )
            }
        }
    }
}

impl std::error::Error for CloseReasonError {}

/// A peer's Close frame breaks RFC 6455 §5.5.1 or §7.4.
///
/// ```
/// use duplexer_proto::{CloseBodyError, Connection, Delivery, Fault, Role, Scratch};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
/// let mut input = *b"\x88\x01\x03"; // half a code
/// let fault = client.receive(&mut input, Delivery::Whole, &mut scratch).expect_err("a fault");
/// assert_eq!(fault, Fault::Close(CloseBodyError::OneByte));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseBodyError {
    /// One byte, where a code takes two.
    OneByte,
    /// A code that may not travel.
    CodeNotForWire {
        /// The code.
        code: CloseCode,
    },
    /// A reason that is not UTF-8.
    ReasonNotUtf8,
}

impl fmt::Display for CloseBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneByte => f.write_str("Close frame with a body of one byte (RFC 6455 §5.5.1)"),
            Self::CodeNotForWire { code } => {
                write!(f, "Close frame with code {code}, which may not be sent (RFC 6455 §7.4)")
            }
            Self::ReasonNotUtf8 => {
                f.write_str("Close frame whose reason is not UTF-8 (RFC 6455 §5.5.1)")
            }
        }
    }
}

impl std::error::Error for CloseBodyError {}

/// What a control frame holds beside the code.
const REASON_BYTES_MAX: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_of_a_close_frame() {
        // RFC 6455 §5.5.1.
        let parsed = CloseReason::parse(b"\x0b\xb8bye").expect("valid");
        assert_eq!((parsed.code(), parsed.text()), (CloseCode::from(3000), "bye"));
        assert_eq!(CloseReason::parse(b"").map(|r| r.code()), Ok(CloseCode::NO_STATUS));
        assert_eq!(CloseReason::parse(b"\x03"), Err(CloseBodyError::OneByte));
        assert_eq!(CloseReason::parse(b"\x03\xe8\xff"), Err(CloseBodyError::ReasonNotUtf8));
        let code = CloseCode::from(1005);
        assert_eq!(CloseReason::parse(b"\x03\xed"), Err(CloseBodyError::CodeNotForWire { code }));
    }

    #[test]
    fn a_reason_is_shown_without_what_commands_a_terminal() {
        let body = [&4001_u16.to_be_bytes()[..], "it's \"ü\"\r\u{1b}[2J".as_bytes()].concat();
        let reason = CloseReason::parse(&body).expect("valid");
        assert_eq!(reason.to_string(), "4001: it's \"ü\"\\r\\u{1b}[2J");
    }

    #[test]
    fn a_reason_is_at_most_123_bytes() {
        // RFC 6455 §5.5: 125 bytes less the code.
        assert!(CloseReason::new(CloseCode::NORMAL, &"x".repeat(123)).is_ok());
        let refused = CloseReason::new(CloseCode::NORMAL, &"x".repeat(124));
        assert_eq!(refused, Err(CloseReasonError::ReasonTooLong { len: 124 }));
        assert_eq!(CloseReason::cut(CloseCode::NORMAL, &"é".repeat(70)).text().len(), 122);
    }
}
