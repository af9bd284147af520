//! Takes incoming frames apart where they lie: headers are checked against the role and the negotiated bits, payloads
//! unmasked in place. Keeps a position, never bytes, and does not know what a message is.

use std::ops::Range;

use crate::frame::header::{FrameError, Header, Opcode, Rsv};
use crate::mask::mask;
use crate::message::MessageKind;
use crate::role::Role;

/// A data frame that is there whole, ends its message and has no reserved bit set.
#[derive(Debug)]
pub(crate) struct Single {
    pub(crate) kind: MessageKind,
    /// All zero for a frame without a mask.
    pub(crate) key: [u8; 4],
    /// Where its payload is.
    pub(crate) payload: Range<usize>,
}

/// The incoming direction's place between and within frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    role: Role,
    rsv_allowed: Rsv,
    /// A data frame has begun and not ended.
    pub(crate) in_frame: bool,
    /// Turned so that its first byte is for the first that was not taken.
    key: Option<[u8; 4]>,
    /// Payload bytes of the current frame that were not taken yet.
    remaining: u64,
    /// Payload bytes that were unmasked and not taken yet.
    clear: usize,
}

impl Decoder {
    /// A decoder for frames that arrive at `role`, whose first frames may carry `rsv_allowed`.
    pub(crate) const fn new(role: Role, rsv_allowed: Rsv) -> Self {
        Self { role, rsv_allowed, in_frame: false, key: None, remaining: 0, clear: 0 }
    }

    /// The end that the frames arrive at.
    #[inline]
    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// Reads the next frame's header without taking it; `None` when more bytes are needed.
    #[inline]
    pub(crate) fn peek(&self, input: &[u8]) -> Result<Option<(Header, usize)>, FrameError> {
        let Some((header, len)) = Header::parse(input)? else { return Ok(None) };
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(FrameError::NotMasked),
            (Role::Client, Some(_)) => return Err(FrameError::Masked),
            (Role::Server, Some(_)) | (Role::Client, None) => {}
        }
        let allowed = match header.opcode {
            Opcode::Text | Opcode::Binary => self.rsv_allowed,
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => Rsv::EMPTY,
        };
        let rsv = header.rsv.without(allowed);
        if !rsv.is_empty() {
            return Err(FrameError::ReservedBits { rsv, opcode: header.opcode });
        }
        Ok(Some((header, len)))
    }

    /// Looks for a whole frame that alone is a message, of less than 64 KiB, at the front of `input`. Judges nothing.
    #[inline]
    pub(crate) fn peek_single(&self, input: &[u8]) -> Option<Single> {
        let (&[first, second], rest) = input.split_first_chunk::<2>()?;
        let kind = match first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        let masked = second & 0x80 != 0;
        if masked != (self.role == Role::Server) {
            return None;
        }
        let (len, mut at) = match second & 0x7f {
            126 => match u16::from_be_bytes(*rest.first_chunk()?) {
                0..126 => return None,
                len => (usize::from(len), 4),
            },
            127 => return None,
            len => (usize::from(len), 2),
        };
        let mut key = [0; 4];
        if masked {
            key = *input.get(at..)?.first_chunk()?;
            at += 4;
        }
        (at + len <= input.len()).then_some(Single { kind, key, payload: at..at + len })
    }

    /// Starts on the payload of `header`'s frame.
    pub(crate) const fn begin(&mut self, header: &Header) {
        self.key = header.mask;
        self.remaining = header.payload_len;
        self.clear = 0;
    }

    /// Unmasks what `input` has of the current payload, and tells how many bytes that is. Bytes that were
    /// unmasked by an earlier call and not taken since must be at the front again.
    #[inline]
    pub(crate) fn unmask(&mut self, input: &mut [u8]) -> usize {
        let there =
            usize::try_from(self.remaining).map_or(input.len(), |left| left.min(input.len()));
        if let Some(key) = self.key.filter(|_| self.clear < there) {
            mask(&mut input[self.clear..there], key, self.clear as u64);
            self.clear = there;
        }
        there
    }

    /// Takes `len` bytes that were unmasked.
    pub(crate) const fn take(&mut self, len: usize) {
        self.remaining -= len as u64;
        if let Some(key) = &mut self.key {
            let turn = [0, 8, 16, 24][len % 4];
            *key = u32::from_le_bytes(*key).rotate_right(turn).to_le_bytes();
        }
        self.clear = self.clear.saturating_sub(len);
    }

    /// Whether bytes at the front of the input are unmasked and not taken.
    pub(crate) const fn is_ahead(&self) -> bool {
        self.clear > 0
    }

    /// Payload bytes of the current frame that have not been taken.
    pub(crate) const fn remaining(&self) -> u64 {
        self.remaining
    }
}
