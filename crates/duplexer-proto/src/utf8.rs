//! UTF-8 checked piece by piece (RFC 6455 §8.1, RFC 3629): a stream fails at the first byte that no
//! continuation can make valid. At most three bytes of an unfinished character are remembered.

use std::fmt;

/// A text contains a byte that is impossible in UTF-8, or ends inside a character.
///
/// ```
/// use duplexer_proto::{InvalidUtf8, Text};
/// assert_eq!(Text::try_from(bytes::Bytes::from_static(b"\xff")), Err(InvalidUtf8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

impl fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is not UTF-8")
    }
}

impl std::error::Error for InvalidUtf8 {}

/// Checks one text that arrives in pieces.
///
/// ```
/// let mut check = duplexer_proto::Utf8Check::default();
/// assert!(check.push(b"\xe2\x82").is_ok()); // the euro sign begins …
/// assert!(check.push(b"\xac").is_ok()); // … and ends
/// assert!(check.finish().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8Check {
    /// The bytes of a character that has begun; plausible so far, never complete.
    begun: [u8; 3],
    begun_len: usize,
}

impl Utf8Check {
    /// Checks the next bytes.
    ///
    /// # Errors
    /// The bytes so far cannot begin any UTF-8 text.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        let rest = if self.begun_len == 0 { bytes } else { self.complete(bytes)? };
        let (valid_up_to, error_len) = match check(rest) {
            Ok(()) => return Ok(()),
            Err(place) => place,
        };
        if error_len.is_some() {
            return Err(InvalidUtf8);
        }
        let tail = &rest[valid_up_to..];
        self.begun[..tail.len()].copy_from_slice(tail);
        self.begun_len = tail.len();
        Ok(())
    }

    /// Says that the text ends here.
    ///
    /// # Errors
    /// It ends inside a character.
    #[inline]
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.begun_len == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }

    /// Completes the character that has begun; what follows it is returned.
    fn complete<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], InvalidUtf8> {
        for (taken, byte) in bytes.iter().enumerate() {
            let mut character = [0; 4];
            let len = self.begun_len;
            character[..len].copy_from_slice(&self.begun[..len]);
            character[len] = *byte;
            match std::str::from_utf8(&character[..=len]) {
                Ok(_) => {
                    self.begun_len = 0;
                    return Ok(&bytes[taken + 1..]);
                }
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => {
                    // At most three bytes: four would be a whole character or an error.
                    self.begun[len] = *byte;
                    self.begun_len += 1;
                }
            }
        }
        Ok(&[])
    }
}

/// Checks whole bytes; the error tells how many are valid and, unless they only end early, how many are not.
#[inline]
fn check(bytes: &[u8]) -> Result<(), (usize, Option<usize>)> {
    if bytes.len() < SIMD_BYTES_MIN {
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err((error.valid_up_to(), error.error_len())),
        }
    } else {
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err((error.valid_up_to(), error.error_len())),
        }
    }
}

/// From this length on the vectorised check is faster than the standard library's.
const SIMD_BYTES_MIN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in_pieces(text: &[u8], piece: usize) -> Result<(), InvalidUtf8> {
        let mut check = Utf8Check::default();
        for bytes in text.chunks(piece) {
            check.push(bytes)?;
        }
        check.finish()
    }

    #[test]
    fn accepts_what_the_standard_library_accepts_in_any_pieces() {
        let long = "κόσμε€𝄞".repeat(40);
        for text in ["", "Hello", "κόσμε", "\u{10ffff}\u{0}\u{d7ff}\u{e000}", long.as_str()] {
            for piece in 1..=text.len().max(1) {
                assert_eq!(check_in_pieces(text.as_bytes(), piece), Ok(()), "{text} {piece}");
            }
        }
    }

    #[test]
    fn refuses_surrogates_overlong_forms_and_truncation_in_any_pieces() {
        let bad: [&[u8]; 7] = [
            b"\xed\xa0\x80",
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80",
            b"\x80",
            b"ok \xf0\x9d\x84",
        ];
        for text in bad {
            for piece in 1..=text.len() {
                assert_eq!(check_in_pieces(text, piece), Err(InvalidUtf8), "{text:x?} {piece}");
            }
        }
    }

    #[test]
    fn fails_at_the_first_impossible_byte() {
        // RFC 3629 §4: after e0 only a0..bf may follow; the third byte need not be awaited.
        let mut check = Utf8Check::default();
        assert_eq!(check.push(b"\xe0"), Ok(()));
        assert_eq!(check.push(b"\x80"), Err(InvalidUtf8));
        let mut check = Utf8Check::default();
        assert_eq!(check.push(b"\xf4"), Ok(()));
        assert_eq!(check.push(b"\x90"), Err(InvalidUtf8));
    }
}
