//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 §4.1, §4.2.2): the proof that the
//! server understood an opening handshake. The cost is the same for every key.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest as _, Sha1};

/// A valid `Sec-WebSocket-Key`: sixteen bytes in base64.
///
/// ```
/// use duplexer_proto::handshake::Key;
/// let key = Key::parse(b"dGhlIHNhbXBsZSBub25jZQ==")?; // RFC 6455 §1.3
/// assert_eq!(key.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok::<(), duplexer_proto::handshake::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// As received. ASCII.
    text: [u8; KEY_TEXT_BYTES],
}

impl Key {
    /// A client's key. The entropy must be fresh and unpredictable for each connection (RFC 6455
    /// §4.1).
    #[must_use]
    pub fn from_entropy(entropy: [u8; 16]) -> Self {
        let mut text = [0; KEY_TEXT_BYTES];
        let len = STANDARD.encode_slice(entropy, &mut text);
        debug_assert_eq!(len, Ok(KEY_TEXT_BYTES));
        Self { text }
    }

    /// A server's check of the key that it received (RFC 6455 §4.2.1).
    ///
    /// The four bits that the last digit has to spare may have any value: the RFC's own example in
    /// §4.1 ends in `EC==` where an exact encoder writes `EA==`, and clients have copied it.
    ///
    /// # Errors
    /// The text is not sixteen bytes in base64.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        let text: [u8; KEY_TEXT_BYTES] =
            text.try_into().map_err(|_| KeyError::Length { len: text.len() })?;
        let mut bytes = [0; 18];
        match SPARE_BITS_ALLOWED.decode_slice(text, &mut bytes) {
            Ok(16) => Ok(Self { text }),
            Ok(_) | Err(_) => Err(KeyError::NotBase64),
        }
    }

    /// The key as it stands in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text)
            .expect("both constructors make sure of base64, which is ASCII")
    }

    /// The `Sec-WebSocket-Accept` that answers the key, computed over its text (RFC 6455 §4.2.2).
    #[must_use]
    pub fn accept(&self) -> String {
        self.accept_text().map(char::from).iter().collect()
    }

    /// The same as bytes, which are ASCII.
    pub(crate) fn accept_text(&self) -> [u8; ACCEPT_TEXT_BYTES] {
        let mut text = [0; ACCEPT_TEXT_BYTES];
        let proof = Sha1::new().chain_update(self.text).chain_update(GUID).finalize();
        let len = STANDARD.encode_slice(proof, &mut text);
        debug_assert_eq!(len, Ok(ACCEPT_TEXT_BYTES));
        text
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.as_str())
    }
}

/// A text is no `Sec-WebSocket-Key`.
///
/// ```
/// use duplexer_proto::handshake::{Key, KeyError};
/// assert_eq!(Key::parse(b"c2hvcnQ="), Err(KeyError::Length { len: 8 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not 24 characters long.
    Length {
        /// Its length in bytes.
        len: usize,
    },
    /// It is not the base64 of sixteen bytes.
    NotBase64,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len } => write!(f, "it has {len} characters, not 24"),
            Self::NotBase64 => f.write_str("it is not sixteen bytes in base64"),
        }
    }
}

impl std::error::Error for KeyError {}

/// Sixteen bytes in base64.
const KEY_TEXT_BYTES: usize = 24;

/// Twenty bytes in base64.
const ACCEPT_TEXT_BYTES: usize = 28;

/// RFC 6455 §1.3.
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Base64 with padding, in which the last digit's spare bits may be set.
const SPARE_BITS_ALLOWED: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_of_known_keys() {
        let cases: [(&[u8], &str); 4] = [
            (b"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), // RFC 6455 §1.3
            (b"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
            (b"AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
            // As RFC 6455 §4.1 misprints the one before.
            (b"AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        ];
        for (key, accept) in cases {
            assert_eq!(Key::parse(key).expect("a key").accept(), accept);
        }
    }

    #[test]
    fn a_key_from_entropy_is_sixteen_bytes_in_base64() {
        // RFC 6455 §4.1, item 7.
        let key = Key::from_entropy([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(key.as_str(), "AQIDBAUGBwgJCgsMDQ4PEA==");
        assert_eq!(Key::parse(key.as_str().as_bytes()), Ok(key));
    }

    #[test]
    fn a_key_that_does_not_decode_to_sixteen_bytes() {
        // RFC 6455 §4.2.1, item 5.
        for text in [
            "",
            "AAAA",
            "AQIDBAUGBwgJCgsMDQ4PEA=",
            "AQIDBAUGBwgJCgsMDQ4PEA",
            "AQIDBAUGBwgJCgsMDQ4PEA== ",
        ] {
            let len = text.len();
            assert_eq!(Key::parse(text.as_bytes()), Err(KeyError::Length { len }), "{text}");
        }
        assert_eq!(Key::parse(&[b'A'; 16_000]), Err(KeyError::Length { len: 16_000 }));
        for text in [
            "AQIDBAUGBwgJCgsMDQ4PEBES",
            "AQIDBAUGBwgJCgsMDQ4PEBE=",
            "AQIDBAUGBwgJCgsMDQ4PE-==",
            "AQIDBAUGBwgJCgsMDQ4PE=A=",
            "========================",
            "AQIDBAUGBwgJCgsMDQ4P\0A==",
        ] {
            assert_eq!(Key::parse(text.as_bytes()), Err(KeyError::NotBase64), "{text}");
        }
    }
}
