//! The beginning of the body of a response that is no handshake (RFC 9112 §6): what a server says
//! about its refusal.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};

/// Collects the beginning of a body, and finds its end where that comes early.
#[derive(Debug)]
pub(crate) struct BodyReader {
    framing: Framing,
    body: Vec<u8>,
}

/// Where the reader stands.
///
/// ```text
/// Length ─────────────────────────────► Done
/// UntilEnd ───────────────────────────► Done
/// Size ──► SizeRest ──► Data ──► DataEnd ──► Size
///              └─ size 0 ─────────────► Done
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// A length was declared; so much of it is left.
    Length(u64),
    /// The body ends with the connection.
    UntilEnd,
    /// In the digits of a chunk's size (RFC 9112 §7.1).
    Size(u64),
    /// In what follows the digits.
    SizeRest(u64),
    /// In a chunk's data; so much is left.
    Data(u64),
    /// In the line end after a chunk's data.
    DataEnd,
    /// The body is complete, malformed from here on, or as long as is kept.
    Done,
}

impl BodyReader {
    /// Reads the body of a response with this head.
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let framing = if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            Framing::Done
        } else if headers.contains_key(TRANSFER_ENCODING) {
            // Any other coding than chunked is not ours to undo.
            Framing::Size(0)
        } else {
            let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
            match declared.and_then(|length| length.parse().ok()) {
                Some(0) => Framing::Done,
                Some(length) => Framing::Length(length),
                None => Framing::UntilEnd,
            }
        };
        Self { framing, body: Vec::new() }
    }

    /// Reads the body of a response that should have none (RFC 9110 §15.2): one that is declared, and no other.
    pub(crate) fn undue(headers: &HeaderMap) -> Self {
        let reader = Self::new(StatusCode::SWITCHING_PROTOCOLS, headers);
        match reader.framing {
            Framing::UntilEnd => Self { framing: Framing::Done, ..reader },
            Framing::Length(_)
            | Framing::Size(_)
            | Framing::SizeRest(_)
            | Framing::Data(_)
            | Framing::DataEnd
            | Framing::Done => reader,
        }
    }

    /// Takes bytes of the body and tells whether enough is there: all of it, or as much as is kept.
    pub(crate) fn read(&mut self, mut input: &[u8]) -> bool {
        while self.framing != Framing::Done {
            let Some((&first, rest)) = input.split_first() else { return false };
            self.framing = match self.framing {
                Framing::Length(left) => match self.keep(&mut input, left) {
                    0 => Framing::Done,
                    left => Framing::Length(left),
                },
                Framing::Data(left) => match self.keep(&mut input, left) {
                    0 => Framing::DataEnd,
                    left => Framing::Data(left),
                },
                Framing::UntilEnd => {
                    self.keep(&mut input, u64::MAX);
                    Framing::UntilEnd
                }
                framing @ (Framing::Size(_) | Framing::SizeRest(_) | Framing::DataEnd) => {
                    input = rest;
                    framing.after(first)
                }
                Framing::Done => return true,
            };
            if self.body.len() == BODY_BYTES_KEPT_MAX {
                self.framing = Framing::Done;
            }
        }
        true
    }

    /// What was collected.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Moves at most `left` bytes from `input` to the body and tells what is left then.
    fn keep(&mut self, input: &mut &[u8], left: u64) -> u64 {
        let room = BODY_BYTES_KEPT_MAX - self.body.len();
        let len = input.len().min(room).min(usize::try_from(left).unwrap_or(usize::MAX));
        let (kept, rest) = input.split_at(len);
        self.body.extend_from_slice(kept);
        *input = rest;
        left - len as u64
    }
}

impl Framing {
    /// The place after one byte of what stands between the data of chunks.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(0) | Self::SizeRest(0), b'\n') => Self::Done,
            (Self::Size(size) | Self::SizeRest(size), b'\n') => Self::Data(size),
            (Self::Size(size), digit) => match char::from(digit).to_digit(16) {
                Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(digit.into())),
                None => Self::SizeRest(size),
            },
            (Self::SizeRest(size), _) => Self::SizeRest(size),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::DataEnd | Self::Length(_) | Self::UntilEnd | Self::Data(_) | Self::Done, _) => {
                Self::Done
            }
        }
    }
}

/// Most bytes kept of a body.
const BODY_BYTES_KEPT_MAX: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    /// Reads `input` in pieces of `step` bytes; gives the body, and whether it was complete.
    fn read(
        headers: &[(http::HeaderName, &'static str)],
        input: &[u8],
        step: usize,
    ) -> (Vec<u8>, bool) {
        let map = headers.iter().cloned().map(|(n, v)| (n, HeaderValue::from_static(v))).collect();
        let mut reader = BodyReader::new(StatusCode::FORBIDDEN, &map);
        let done = input.chunks(step).any(|piece| reader.read(piece));
        (reader.into_body(), done)
    }

    #[test]
    fn a_body_ends_as_its_head_says() {
        let chunked = [(TRANSFER_ENCODING, "chunked")];
        let length = [(CONTENT_LENGTH, "4")];
        for step in 1..40 {
            let body = read(&length, b"noperest", step);
            assert_eq!(body, (b"nope".to_vec(), true), "Content-Length, RFC 9112 §6.2");
            let body = read(&chunked, b"2\r\nno\r\n2;x=\"y\"\r\npe\r\n0\r\n\r\n", step);
            assert_eq!(body, (b"nope".to_vec(), true), "chunked, RFC 9112 §7.1");
            let body = read(&chunked, b"2\r\nnope\r\n", step);
            assert_eq!(body, (b"no".to_vec(), true), "a malformed chunk");
            let body = read(&[], b"nope", step);
            assert_eq!(body, (b"nope".to_vec(), false), "until the end, RFC 9112 §6.3");
        }
        assert!(read(&[(CONTENT_LENGTH, "0")], b"x", 1).1);
        assert_eq!(read(&length, b"no", 1), (b"no".to_vec(), false));
    }

    #[test]
    fn no_more_than_the_beginning_of_a_body_is_kept() {
        let huge = [(CONTENT_LENGTH, "18446744073709551615")];
        let chunked = [(TRANSFER_ENCODING, "chunked")];
        let data = vec![b'a'; 2 * BODY_BYTES_KEPT_MAX];
        let mut chunk = b"ffffffffffffffffff\r\n".to_vec();
        chunk.extend_from_slice(&data);
        for step in [1, 1000, data.len()] {
            for (headers, input) in [(&huge[..], &data), (&chunked, &chunk), (&[], &data)] {
                let (body, done) = read(headers, input, step);
                assert_eq!((body.len(), done), (BODY_BYTES_KEPT_MAX, true));
            }
        }
    }
}
