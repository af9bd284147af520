//! HTTP/1.1 heads (RFC 9112 §2–§5): start line and header fields to and from bytes. Finds the end
//! of a head that arrives in pieces, looking at each byte once, and knows nothing of WebSocket.
//!
//! Stricter than HTTP asks: lines end in CR LF only, and a field never continues on a second line,
//! so that no two programs on the way can disagree about where a head ends.

use std::fmt;
use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};

use crate::limits::Limits;

/// Whose head is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// A client's: a request.
    Request,
    /// A server's: a response, perhaps after interim ones.
    Response,
}

/// A whole head, the blank line included.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) bytes: Bytes,
    /// Header lines, at most.
    lines: usize,
}

/// Collects the bytes of a head until its blank line.
#[derive(Debug)]
pub(crate) struct HeadReader {
    side: Side,
    bytes_max: usize,
    lines_max: usize,
    /// The head so far; empty as long as it may still come in one piece.
    held: Vec<u8>,
    /// Bytes looked at since the beginning, over all heads.
    bytes: usize,
    /// Lines that have ended, the start line included.
    lines: usize,
    /// Bytes of the line that has not ended.
    line_bytes: usize,
    /// The last byte was a CR.
    after_cr: bool,
}

impl HeadReader {
    pub(crate) fn new(side: Side, limits: &Limits) -> Self {
        Self {
            side,
            bytes_max: limits.head_bytes_max,
            lines_max: limits.head_lines_max,
            held: Vec::new(),
            bytes: 0,
            lines: 0,
            line_bytes: 0,
            after_cr: false,
        }
    }

    /// Bytes of the head received so far.
    pub(crate) fn held(&self) -> &[u8] {
        &self.held
    }

    /// Takes bytes. A head that is complete comes with the number of bytes of `input` that belong
    /// to it, and the reader is ready for a next one, within what is left of the same limit.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<Option<(usize, Head)>, HeadError> {
        let Some(end) = self.scan(input)? else {
            self.held.extend_from_slice(input);
            return Ok(None);
        };
        let bytes = if self.held.is_empty() {
            Bytes::copy_from_slice(&input[..end])
        } else {
            self.held.extend_from_slice(&input[..end]);
            Bytes::from(std::mem::take(&mut self.held))
        };
        let lines = std::mem::take(&mut self.lines).saturating_sub(1);
        Ok(Some((end, Head { bytes, lines })))
    }

    /// Looks for the blank line that ends a head and tells where in `input` it ends. Empty lines
    /// before the start line are passed over (RFC 9112 §2.2).
    fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, HeadError> {
        let window = &input[..input.len().min(self.bytes_max - self.bytes)];
        let mut at = 0;
        while at < window.len() {
            if !self.after_cr {
                let rest = &window[at..];
                let text = &rest[..text_len(rest)];
                if let (0, Some(&first)) = (self.line_bytes, text.first()) {
                    self.judge_first(first)?;
                }
                self.line_bytes += text.len();
                at += text.len();
                match window.get(at) {
                    Some(b'\r') => self.after_cr = true,
                    Some(_) => return Err(HeadError::BareLineFeed),
                    None => break,
                }
                at += 1;
                continue;
            }
            if window[at] != b'\n' {
                return Err(HeadError::BareCarriageReturn);
            }
            at += 1;
            self.after_cr = false;
            if std::mem::take(&mut self.line_bytes) > 0 {
                self.lines += 1;
            } else if self.lines > 0 {
                self.bytes += at;
                return Ok(Some(at));
            }
        }
        self.bytes += at;
        if window.len() < input.len() {
            return Err(HeadError::TooLarge { bytes_max: self.bytes_max });
        }
        Ok(None)
    }

    /// Judges a line by its first byte.
    fn judge_first(&self, first: u8) -> Result<(), HeadError> {
        match (self.lines, self.side) {
            (0, Side::Request) if first.is_ascii_alphabetic() => Ok(()),
            (0, Side::Response) if first == b'H' => Ok(()),
            (0, _) => Err(HeadError::NotHttp { first }),
            _ if matches!(first, b' ' | b'\t') => Err(HeadError::FoldedLine),
            (lines, _) if lines > self.lines_max => {
                Err(HeadError::TooManyLines { lines_max: self.lines_max })
            }
            _ => Ok(()),
        }
    }
}

/// How many bytes stand before the first CR or LF, eight looked at in one go: most of a head is text.
fn text_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    // The high bit of each byte that is `byte`, and perhaps of some after the first that is.
    let find = |word: u64, byte: u8| {
        let zero_there = word ^ (LOW_BITS * u64::from(byte));
        zero_there.wrapping_sub(LOW_BITS) & !zero_there & (LOW_BITS << 7)
    };
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = find(word, b'\r') | find(word, b'\n');
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let in_rest = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    words.len() * 8 + in_rest.unwrap_or(rest.len())
}

/// A request's head, read and not judged.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) fields: &'a [httparse::Header<'a>],
}

/// Reads the parts of a request's head, and passes them on.
pub(crate) fn parse_request<R>(
    head: &Head,
    then: impl FnOnce(RequestHead<'_>) -> R,
) -> Result<R, HeadError> {
    let mut few = [const { MaybeUninit::uninit() }; LINES_USUAL];
    let mut many;
    let room = match few.get_mut(..head.lines) {
        Some(few) => few,
        None => {
            many = vec![MaybeUninit::uninit(); head.lines];
            &mut many[..]
        }
    };
    let mut parsed = httparse::Request::new(&mut []);
    parsed.parse_with_uninit_headers(&head.bytes, room)?;
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(HeadError::StartLine);
    };
    // `Uri` would cut a fragment off in silence; a target has none (RFC 9112 §3.2).
    if target.as_bytes().contains(&b'#') {
        return Err(HeadError::StartLine);
    }
    Ok(then(RequestHead {
        method: Method::from_bytes(method.as_bytes()).map_err(|_| HeadError::StartLine)?,
        // A copy: it is short, and to share the head would cost more.
        uri: Uri::try_from(target).map_err(|_| HeadError::StartLine)?,
        version: version_of(version),
        fields: parsed.headers,
    }))
}

/// Reads the parts of a response's head.
pub(crate) fn parse_response(head: &Head) -> Result<Response<()>, HeadError> {
    let mut fields = vec![httparse::EMPTY_HEADER; head.lines];
    let mut parsed = httparse::Response::new(&mut fields);
    parsed.parse(&head.bytes)?;
    let (Some(version), Some(code)) = (parsed.version, parsed.code) else {
        return Err(HeadError::StartLine);
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(code).map_err(|_| HeadError::StartLine)?;
    *response.version_mut() = version_of(version);
    *response.headers_mut() = header_map(head, parsed.headers)?;
    Ok(response)
}

/// HTTP/1's minor version.
const fn version_of(minor: u8) -> Version {
    if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 }
}

/// The fields as a map whose values share the head's bytes.
pub(crate) fn header_map(
    head: &Head,
    fields: &[httparse::Header<'_>],
) -> Result<HeaderMap, HeadError> {
    if fields.len() > MAP_LINES_MAX {
        return Err(HeadError::TooManyLines { lines_max: MAP_LINES_MAX });
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name =
            HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| HeadError::FieldName)?;
        let value = HeaderValue::from_maybe_shared(head.bytes.slice_ref(field.value))
            .map_err(|_| HeadError::FieldValue)?;
        headers
            .try_append(name, value)
            .map_err(|_| HeadError::TooManyLines { lines_max: MAP_LINES_MAX })?;
    }
    Ok(headers)
}

/// The head of a request as bytes, its target in origin-form.
pub(crate) fn write_request(request: &Request<()>) -> Vec<u8> {
    let mut output = Vec::with_capacity(WRITTEN_BYTES_USUAL);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        output.extend_from_slice(part.as_bytes());
    }
    write_fields(request.headers(), &mut output);
    output
}

/// The head of a response as bytes.
pub(crate) fn write_response<B>(response: &Response<B>) -> Vec<u8> {
    let mut output = Vec::with_capacity(WRITTEN_BYTES_USUAL);
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        output.extend_from_slice(part.as_bytes());
    }
    write_fields(response.headers(), &mut output);
    output
}

/// Header fields, and the blank line that ends a head.
pub(crate) fn write_fields(headers: &HeaderMap, output: &mut Vec<u8>) {
    for (name, value) in headers {
        write_name(name, output);
        output.extend_from_slice(b": ");
        output.extend_from_slice(value.as_bytes());
        output.extend_from_slice(b"\r\n");
    }
    output.extend_from_slice(b"\r\n");
}

/// Writes a name in the RFCs' spelling. Case has no meaning, but small devices are known to compare
/// it.
fn write_name(name: &HeaderName, output: &mut Vec<u8>) {
    let rest = match name.as_str().strip_prefix("sec-websocket-") {
        Some(rest) => {
            output.extend_from_slice(b"Sec-WebSocket-");
            rest
        }
        None => name.as_str(),
    };
    let mut upper = true;
    for byte in rest.bytes() {
        output.push(if upper { byte.to_ascii_uppercase() } else { byte });
        upper = byte == b'-';
    }
}

/// Received bytes are no HTTP/1.1 head, or one that is too large.
///
/// ```
/// use duplexer_proto::handshake::HeadError;
/// let error = HeadError::TooLarge { bytes_max: 16_384 };
/// assert_eq!(error.to_string(), "head of more than 16384 bytes (head_bytes_max)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The head is larger than [`Limits::head_bytes_max`].
    TooLarge {
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// The head has more header lines than [`Limits::head_lines_max`].
    TooManyLines {
        /// The limit.
        lines_max: usize,
    },
    /// The first byte cannot begin an HTTP message.
    NotHttp {
        /// That byte.
        first: u8,
    },
    /// The request line or the status line is malformed.
    StartLine,
    /// A field's name is no token, or a space stands before its colon.
    FieldName,
    /// A field's value has a control character, such as NUL.
    FieldValue,
    /// A field goes on in a second line.
    FoldedLine,
    /// A line feed without a carriage return before it.
    BareLineFeed,
    /// A carriage return without a line feed after it.
    BareCarriageReturn,
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        use httparse::Error;
        match error {
            Error::HeaderName => Self::FieldName,
            Error::HeaderValue => Self::FieldValue,
            Error::NewLine | Error::Status | Error::Token | Error::Version => Self::StartLine,
            // There is room for as many as were counted.
            Error::TooManyHeaders => Self::FieldName,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes_max } => {
                write!(f, "head of more than {bytes_max} bytes (head_bytes_max)")
            }
            Self::TooManyLines { lines_max } => {
                write!(f, "head of more than {lines_max} header lines (head_lines_max)")
            }
            Self::NotHttp { first: first @ (0x15 | 0x16) } => {
                write!(f, "not HTTP: the first byte {first:#04x} looks like TLS (https, wss)")
            }
            Self::NotHttp { first } => write!(f, "not HTTP: the first byte is {first:#04x}"),
            Self::StartLine => f.write_str("malformed first line of the head (RFC 9112 §3, §4)"),
            Self::FieldName => {
                f.write_str("malformed header name, or a space before the colon (RFC 9112 §5.1)")
            }
            Self::FieldValue => f.write_str("control character in a header value (RFC 9110 §5.5)"),
            Self::FoldedLine => f.write_str("header that goes on in a second line (RFC 9112 §5.2)"),
            Self::BareLineFeed => {
                f.write_str("line feed without a carriage return before it (RFC 9112 §2.2)")
            }
            Self::BareCarriageReturn => {
                f.write_str("carriage return without a line feed after it (RFC 9112 §2.2)")
            }
        }
    }
}

impl std::error::Error for HeadError {}

/// Header lines that a request usually has at most.
const LINES_USUAL: usize = 32;
/// Bytes that a head we write usually takes at most.
pub(crate) const WRITTEN_BYTES_USUAL: usize = 512;
/// The lowest bit of each byte of a word.
const LOW_BITS: u64 = u64::from_ne_bytes([1; 8]);

/// Most fields that a map is made for, whatever [`Limits::head_lines_max`] is: it has 32,768 places and leaves a quarter of them free.
pub(super) const MAP_LINES_MAX: usize = 24_576;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_at_the_first_cr_or_lf_wherever_that_stands_and_whatever_is_around_it() {
        // RFC 9112 §2.2.
        for len in 0..40 {
            for end in [b'\r', b'\n'] {
                for other in (0..=255).filter(|byte| !b"\r\n".contains(byte)) {
                    for at in 0..len {
                        let mut text = vec![other; len];
                        text[at] = end;
                        // Bytes that differ from an end in the lowest bits as well.
                        text[at + 1..].fill(end ^ other);
                        assert_eq!(text_len(&text), at, "{text:?}");
                    }
                    assert_eq!(text_len(&vec![other; len]), len);
                }
            }
        }
    }
}
