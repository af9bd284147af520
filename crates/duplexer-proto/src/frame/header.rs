//! Frame headers (RFC 6455 §5.2): two to fourteen bytes to and from a [`Header`]. Judges each byte as soon as it is
//! there, and knows nothing of messages, masking of payloads or limits.

use std::fmt;

use crate::message::MessageKind;
use crate::payload::Payload;

/// What a frame is (RFC 6455 §5.2, §11.8).
///
/// ```
/// use duplexer_proto::{MessageKind, frame::Opcode};
/// assert!(Opcode::Ping.is_control());
/// assert_eq!(Opcode::first_of(MessageKind::Text), Opcode::Text);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further frame of the message that has begun.
    Continuation,
    /// The first frame of a text message.
    Text,
    /// The first frame of a binary message.
    Binary,
    /// The closing handshake.
    Close,
    /// A question that a pong answers.
    Ping,
    /// The answer to a ping, or a heartbeat that nobody asked for.
    Pong,
}

impl Opcode {
    /// Whether this is a control frame, which may stand between the frames of a message (RFC 6455 §5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    /// The opcode of the first frame of a message of this kind.
    #[must_use]
    pub const fn first_of(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Binary => Self::Binary,
        }
    }

    /// The kind of message that a frame of this opcode begins; `None` for one that begins none.
    #[must_use]
    pub const fn message_kind(self) -> Option<MessageKind> {
        match self {
            Self::Text => Some(MessageKind::Text),
            Self::Binary => Some(MessageKind::Binary),
            Self::Continuation | Self::Close | Self::Ping | Self::Pong => None,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

/// A set of the three bits that extensions may claim (RFC 6455 §5.2).
///
/// ```
/// use duplexer_proto::frame::Rsv;
/// let both = Rsv::RSV1.union(Rsv::RSV3);
/// assert!(both.contains(Rsv::RSV1) && !both.intersects(Rsv::RSV2));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit.
    pub const EMPTY: Self = Self(0);
    /// The first bit; permessage-deflate's (RFC 7692 §6).
    pub const RSV1: Self = Self(0x40);
    /// The second bit.
    pub const RSV2: Self = Self(0x20);
    /// The third bit.
    pub const RSV3: Self = Self(0x10);

    /// The bits of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits of this set that the other does not have.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all bits of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the sets share a bit.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Rsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (bit, name) in [(Self::RSV1, "RSV1"), (Self::RSV2, "RSV2"), (Self::RSV3, "RSV3")] {
            if self.contains(bit) {
                write!(f, "{between}{name}")?;
                between = "+";
            }
        }
        if self.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

impl fmt::Debug for Rsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rsv({self})")
    }
}

/// One frame's header.
///
/// ```
/// use duplexer_proto::frame::{Header, Opcode};
/// let (header, len) = Header::parse(b"\x81\x05Hello")?.expect("a whole header"); // RFC 6455 §5.7
/// assert_eq!((header.opcode, header.fin, header.payload_len, len), (Opcode::Text, true, 5, 2));
/// # Ok::<(), duplexer_proto::frame::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "the wire format is complete")]
pub struct Header {
    /// The last frame of its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, where the frame is masked.
    pub mask: Option<[u8; 4]>,
    /// The payload's length in bytes, at most 2⁶³ − 1.
    pub payload_len: u64,
}

impl Header {
    /// Reads a header and tells how many bytes it takes; `None` when it goes on beyond `bytes`.
    ///
    /// # Errors
    /// The bytes so far break a rule that concerns headers alone, whatever follows.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let opcode = Opcode::from_bits(first & 0x0f)
            .ok_or(FrameError::OpcodeUnknown { opcode: first & 0x0f })?;
        let fin = first & 0x80 != 0;
        let rsv = Rsv(first & 0x70);
        if opcode.is_control() && !fin {
            return Err(FrameError::ControlFragmented { opcode });
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let short = second & 0x7f;
        if opcode.is_control() && short > CONTROL_BYTES_MAX {
            return Err(FrameError::ControlTooLong { opcode });
        }
        let (payload_len, at) = match short {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|len| <[u8; 8]>::try_from(len).ok()) {
                Some(len) => (u64::from_be_bytes(len), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        if payload_len >> 63 != 0 {
            return Err(FrameError::LengthTooLarge { len: payload_len });
        }
        if at != 2 + len_of_len(payload_len) {
            return Err(FrameError::LengthNotMinimal { len: payload_len });
        }
        if second & 0x80 == 0 {
            return Ok(Some((Self { fin, rsv, opcode, mask: None, payload_len }, at)));
        }
        let Some(key) = bytes.get(at..at + 4).and_then(|key| <[u8; 4]>::try_from(key).ok()) else {
            return Ok(None);
        };
        Ok(Some((Self { fin, rsv, opcode, mask: Some(key), payload_len }, at + 4)))
    }

    /// Appends the header to `output`: two to fourteen bytes, the length in its shortest form.
    #[inline]
    pub fn write(&self, output: &mut Vec<u8>) {
        match (self.payload_len, self.mask) {
            // A copy of known length costs no call.
            (len @ 0..=125, None) => {
                output.extend_from_slice(&[self.first_byte(), len.to_le_bytes()[0]]);
            }
            _ => self.write_long(output),
        }
    }

    fn write_long(&self, output: &mut Vec<u8>) {
        // The commonest of them, for the same reason.
        if let (len @ 126..=0xffff, None) = (self.payload_len, self.mask) {
            let [low, high, ..] = len.to_le_bytes();
            return output.extend_from_slice(&[self.first_byte(), 126, high, low]);
        }
        let mut bytes = [0; HEADER_BYTES_MAX];
        let len = self.encode(&mut bytes);
        output.extend_from_slice(&bytes[..len]);
    }

    /// The bytes of the header.
    pub(crate) fn to_payload(self) -> Payload {
        let mut bytes = [0; HEADER_BYTES_MAX];
        let len = self.encode(&mut bytes);
        Payload::from(&bytes[..len])
    }

    const fn first_byte(&self) -> u8 {
        let fin = if self.fin { 0x80 } else { 0 };
        fin | self.rsv.0 | self.opcode.bits()
    }

    /// Writes the header to the front of `bytes` and tells its length.
    fn encode(&self, bytes: &mut [u8; HEADER_BYTES_MAX]) -> usize {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        bytes[0] = self.first_byte();
        let len = self.payload_len.to_be_bytes();
        let at = match len_of_len(self.payload_len) {
            0 => {
                bytes[1] = masked | len[7];
                2
            }
            2 => {
                bytes[1] = masked | 126;
                bytes[2..4].copy_from_slice(&len[6..]);
                4
            }
            _ => {
                bytes[1] = masked | 127;
                bytes[2..10].copy_from_slice(&len);
                10
            }
        };
        match self.mask {
            Some(key) => {
                bytes[at..at + 4].copy_from_slice(&key);
                at + 4
            }
            None => at,
        }
    }
}

/// How many bytes the shortest extended length of `len` takes: 0, 2 or 8.
const fn len_of_len(len: u64) -> usize {
    match len {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    }
}

/// A frame breaks RFC 6455 §5.
///
/// ```
/// use duplexer_proto::frame::{FrameError, Header};
/// assert_eq!(Header::parse(b"\x83"), Err(FrameError::OpcodeUnknown { opcode: 3 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// An opcode that nobody defined (§5.2).
    OpcodeUnknown {
        /// The four bits.
        opcode: u8,
    },
    /// A reserved bit that no negotiated extension gives a meaning to (§5.2).
    ReservedBits {
        /// The bits without a meaning.
        rsv: Rsv,
        /// The frame's opcode.
        opcode: Opcode,
    },
    /// A control frame that is not its message's last frame (§5.5).
    ControlFragmented {
        /// The frame's opcode.
        opcode: Opcode,
    },
    /// A control frame of more than 125 bytes (§5.5).
    ControlTooLong {
        /// The frame's opcode.
        opcode: Opcode,
    },
    /// A length that is not in its shortest form (§5.2).
    LengthNotMinimal {
        /// The length.
        len: u64,
    },
    /// A length with the top bit set (§5.2).
    LengthTooLarge {
        /// The length.
        len: u64,
    },
    /// A client's frame without a mask (§5.1).
    NotMasked,
    /// A server's frame with a mask (§5.1).
    Masked,
    /// A frame larger than the limit `frame_bytes_max`.
    FrameTooBig {
        /// The declared length in bytes.
        len: u64,
        /// The limit in bytes.
        max: u64,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpcodeUnknown { opcode } => {
                write!(f, "frame with the unassigned opcode {opcode:#x} (RFC 6455 §5.2)")
            }
            Self::ReservedBits { rsv, opcode } if rsv.contains(Rsv::RSV1) => write!(
                f,
                "{opcode:?} frame with {rsv} set, which only an extension that was negotiated, \
                 such as permessage-deflate, may set on a message's first frame (RFC 6455 §5.2)"
            ),
            Self::ReservedBits { rsv, opcode } => write!(
                f,
                "{opcode:?} frame with {rsv} set, which no negotiated extension uses (RFC 6455 §5.2)"
            ),
            Self::ControlFragmented { opcode } => {
                write!(f, "fragmented {opcode:?} frame (RFC 6455 §5.5)")
            }
            Self::ControlTooLong { opcode } => {
                write!(f, "{opcode:?} frame of more than 125 bytes (RFC 6455 §5.5)")
            }
            Self::LengthNotMinimal { len } => {
                write!(f, "frame length {len} not in its shortest form (RFC 6455 §5.2)")
            }
            Self::LengthTooLarge { len } => {
                write!(f, "frame length {len:#x} with the top bit set (RFC 6455 §5.2)")
            }
            Self::NotMasked => f.write_str("frame from a client without a mask (RFC 6455 §5.1)"),
            Self::Masked => f.write_str("frame from a server with a mask (RFC 6455 §5.1)"),
            Self::FrameTooBig { len, max } => {
                write!(f, "frame of {len} bytes, over the limit frame_bytes_max of {max}")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: u8 = 125;
/// Two bytes, eight of length, four of key.
pub(crate) const HEADER_BYTES_MAX: usize = 14;
