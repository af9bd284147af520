//! Whole messages (RFC 6455 §5.6) and the text inside them. Cheap to clone: the bytes are shared.
//!
//! The one place of this crate that trusts bytes to be UTF-8 without looking again: [`Text`] is only made from a
//! `str` or from bytes that were checked as they arrived.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use crate::utf8::InvalidUtf8;

/// What a message carries: UTF-8 text or any bytes (RFC 6455 §5.6).
///
/// ```
/// use duplexer_proto::{Message, MessageKind};
/// assert_eq!(Message::from("text").kind(), MessageKind::Text);
/// assert_eq!(Message::from(b"bytes").kind(), MessageKind::Binary);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8 text, opcode 1.
    Text,
    /// Any bytes, opcode 2.
    Binary,
}

/// One whole message.
///
/// ```
/// use duplexer_proto::Message;
/// let message = Message::from("hello");
/// assert!(matches!(&message, Message::Text(text) if text == "hello"));
/// assert_eq!(message.as_bytes(), b"hello");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// UTF-8 text.
    Text(Text),
    /// Any bytes.
    Binary(Bytes),
}

impl Message {
    /// Whether the message is text or binary.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => &text.0,
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.0,
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, where this is a text message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The payload's length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A message from bytes that, for a text, have been checked.
    pub(crate) fn from_checked(kind: MessageKind, bytes: Bytes) -> Self {
        match kind {
            MessageKind::Text => Self::Text(Text::from_checked(bytes)),
            MessageKind::Binary => Self::Binary(bytes),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&text.as_str()).finish(),
            Self::Binary(bytes) => f.debug_tuple("Binary").field(bytes).finish(),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

/// Shared, immutable UTF-8 text that derefs to `str`.
///
/// ```
/// use duplexer_proto::Text;
/// let text = Text::from("grüß dich");
/// assert_eq!(text.to_uppercase(), "GRÜSS DICH");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(
    /// Always valid UTF-8.
    Bytes,
);

impl Text {
    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        as_str(&self.0)
    }

    /// The UTF-8 bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    fn from_checked(bytes: Bytes) -> Self {
        debug_assert!(std::str::from_utf8(&bytes).is_ok());
        Self(bytes)
    }
}

/// The bytes of a [`Text`] as a `str`. The safe version would be `str::from_utf8(bytes).expect(…)`: a second look at
/// every byte of every message that was looked at when it arrived.
#[allow(unsafe_code, reason = "checked once on arrival; checking again doubles the cost of text")]
#[inline]
fn as_str(checked: &[u8]) -> &str {
    // SAFETY: only `Text::as_str` calls this, with the bytes of a `Text`. Those come from a `str`, from `TryFrom`, which
    // checks, or from `Text::from_checked`, whose callers in this crate pass bytes that `Utf8Check` has accepted whole;
    // debug builds check there again.
    unsafe { std::str::from_utf8_unchecked(checked) }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl TryFrom<Bytes> for Text {
    type Error = InvalidUtf8;

    fn try_from(bytes: Bytes) -> Result<Self, InvalidUtf8> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(InvalidUtf8),
        }
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchecked_view_equals_the_checked_one() {
        for text in ["", "a", "κόσμε", "\u{10ffff}"] {
            let shared = Text::from(text);
            assert_eq!(Ok(shared.as_str()), std::str::from_utf8(&shared.0));
        }
    }

    #[test]
    fn text_that_was_checked_in_pieces_equals_the_text() {
        for (text, at) in [("κόσμε", 3), ("a\u{10ffff}z", 2), ("plain", 0)] {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            let mut check = crate::utf8::Utf8Check::default();
            let (head, tail) = bytes.split_at(at);
            assert!(check.push(head).is_ok() && check.push(tail).is_ok() && check.finish().is_ok());
            let arrived = Message::from_checked(MessageKind::Text, bytes.slice(..));
            assert_eq!(arrived.as_text(), Some(text));
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_make_no_text() {
        assert_eq!(Text::try_from(Bytes::from_static(b"\xff")), Err(InvalidUtf8));
    }
}
