//! Reads recorded octets: the head of an opening handshake and the frame headers after it (RFC 6455 §4.1, §5.2).
//!
//! Written apart from our protocol crate on purpose: a test that reads the wire must not share its mistakes.

/// A recorded direction of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The request or response, its empty line left out.
    pub head: String,
    /// The headers of the frames after it, as far as the recording goes.
    pub frames: Vec<FrameHeader>,
}

/// The fields of a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// Whether it begins a compressed message (RFC 7692 §6).
    pub rsv1: bool,
    /// The kind of frame.
    pub opcode: u8,
    /// The masking key, when there is one.
    pub mask: Option<[u8; 4]>,
    /// The length of its payload.
    pub length: u64,
}

impl Reading {
    /// Reads one direction; `None` while its head is incomplete.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut frames = Vec::new();
        let mut rest = &bytes[end + 4..];
        while let Some((frame, after)) = frame_header(rest) {
            frames.push(frame);
            let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
            rest = after.get(length..).unwrap_or_default();
        }
        Some(Self { head, frames })
    }

    /// The value of a header field, the first of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The first frames of the text and binary messages.
    pub fn messages(&self) -> impl Iterator<Item = FrameHeader> + '_ {
        self.frames.iter().copied().filter(|frame| matches!(frame.opcode, TEXT | BINARY))
    }
}

/// Reads one frame header and returns it with what follows; `None` when it is incomplete.
#[must_use]
pub fn frame_header(bytes: &[u8]) -> Option<(FrameHeader, &[u8])> {
    let (&[first, second], mut rest) = bytes.split_first_chunk()?;
    let length = match second & 0x7F {
        126 => {
            let (length, after) = rest.split_first_chunk()?;
            rest = after;
            u16::from_be_bytes(*length).into()
        }
        127 => {
            let (length, after) = rest.split_first_chunk()?;
            rest = after;
            u64::from_be_bytes(*length)
        }
        short => short.into(),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        let (key, after) = rest.split_first_chunk()?;
        rest = after;
        mask = Some(*key);
    }
    let fin = first & 0x80 != 0;
    Some((FrameHeader { fin, rsv1: first & 0x40 != 0, opcode: first & 0x0F, mask, length }, rest))
}

/// The opcode of a text message's first frame.
pub const TEXT: u8 = 0x1;
/// The opcode of a binary message's first frame.
pub const BINARY: u8 = 0x2;
/// The opcode of a close frame.
pub const CLOSE: u8 = 0x8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_examples_of_rfc_6455_5_7() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let (frame, rest) = frame_header(&hello).expect("the header is whole");
        let mask = Some([0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(frame, FrameHeader { fin: true, rsv1: false, opcode: TEXT, mask, length: 5 });
        assert_eq!(rest.len(), 5);

        let (frame, _) = frame_header(&[0x82, 0x7E, 0x01, 0x00]).expect("the header is whole");
        assert_eq!((frame.opcode, frame.length), (BINARY, 256));
        let long = [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(frame_header(&long).expect("the header is whole").0.length, 65_536);
        for end in 0..long.len() {
            assert_eq!(frame_header(&long[..end]), None, "{end} octets");
        }
    }

    #[test]
    fn reads_a_head_and_the_frames_after_it() {
        let bytes = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n\
            \xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x89\x00\x01\x02Hel";
        let reading = Reading::of(bytes).expect("the head is whole");
        assert_eq!(reading.field("sec-websocket-extensions"), Some("permessage-deflate"));
        let seen: Vec<_> = reading.frames.iter().map(|frame| (frame.opcode, frame.rsv1)).collect();
        assert_eq!(seen, [(TEXT, true), (0x9, false), (TEXT, false)]);
        assert_eq!(reading.messages().count(), 2);
        assert_eq!(Reading::of(&bytes[..40]), None);
    }
}
