//! Whole messages (RFC 6455 §5.6), and what is inside them: text or bytes. Cheap to clone: what is small is copied, the rest shared.
//!
//! [`Text`] is only made from a `str` or from bytes that were checked as they arrived, and trusted to be UTF-8 without another look.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use crate::assured;
use crate::payload::Payload;
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
    Binary(Binary),
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
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.0.as_slice(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload as it is kept.
    #[inline]
    pub(crate) fn into_payload(self) -> Payload {
        match self {
            Self::Text(text) => text.0,
            Self::Binary(bytes) => bytes.0,
        }
    }

    /// The payload, without a copy unless it is kept [in place](Binary).
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.into_payload().into_bytes()
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
    #[inline]
    pub(crate) fn from_checked(kind: MessageKind, bytes: Bytes) -> Self {
        Self::from_checked_payload(kind, bytes.into())
    }

    /// The same with its payload.
    #[inline]
    pub(crate) fn from_checked_payload(kind: MessageKind, payload: Payload) -> Self {
        match kind {
            MessageKind::Text => {
                debug_assert!(std::str::from_utf8(payload.as_slice()).is_ok());
                Self::Text(Text(payload))
            }
            MessageKind::Binary => Self::Binary(Binary(payload)),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&text.as_str()).finish(),
            Self::Binary(bytes) => f.debug_tuple("Binary").field(&bytes.0).finish(),
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
        Self::Binary(bytes.into())
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
        Self::Binary(bytes.into())
    }
}

impl From<Binary> for Message {
    fn from(bytes: Binary) -> Self {
        Self::Binary(bytes)
    }
}

/// Shared, immutable bytes that deref to `[u8]`, and turn into [`Bytes`]. Up to 23 of them are kept in
/// place, without an allocation, where they were copied from a slice or received in one frame that no extension has transformed.
///
/// ```
/// use bytes::Bytes;
/// use duplexer_proto::{Binary, Message};
/// let Message::Binary(bytes) = Message::from(b"\x01\x02") else { unreachable!() };
/// assert_eq!(bytes[1], 2);
/// assert_eq!(bytes, Binary::from(vec![1, 2]));
/// assert_eq!(Bytes::from(bytes), &[1, 2][..]);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(Payload);

impl Binary {
    /// The bytes as they are shared; a copy where they are kept in place.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

impl Deref for Binary {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Binary {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(bytes.into())
    }
}

impl From<Binary> for Bytes {
    fn from(bytes: Binary) -> Self {
        bytes.into_bytes()
    }
}

impl From<Binary> for Vec<u8> {
    fn from(bytes: Binary) -> Self {
        bytes.into_bytes().into()
    }
}

impl PartialEq<[u8]> for Binary {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for Binary {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Binary {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}

impl PartialEq<Vec<u8>> for Binary {
    fn eq(&self, other: &Vec<u8>) -> bool {
        **self == **other
    }
}

impl PartialEq<Bytes> for Binary {
    fn eq(&self, other: &Bytes) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Binary {
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Shared, immutable UTF-8 text that derefs to `str`. Few bytes of it are kept in place, as a [`Binary`]'s are.
///
/// ```
/// use duplexer_proto::Text;
/// let text = Text::from("grüß dich");
/// assert_eq!(text.to_uppercase(), "GRÜSS DICH");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(
    /// Always valid UTF-8.
    Payload,
);

impl Text {
    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        assured::text(self.0.as_slice())
    }

    /// The UTF-8 bytes as they are shared; a copy where they are kept in place.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
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
        Self(text.as_bytes().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text).into())
    }
}

impl TryFrom<Bytes> for Text {
    type Error = InvalidUtf8;

    fn try_from(bytes: Bytes) -> Result<Self, InvalidUtf8> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes.into())),
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
            assert_eq!(Ok(shared.as_str()), std::str::from_utf8(shared.0.as_slice()));
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
