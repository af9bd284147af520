//! Writes outgoing frames: header, payload, mask. Appends to a buffer and decides nothing.

use crate::frame::header::{HEADER_BYTES_MAX, Header, Opcode, Rsv};
use crate::mask::mask;

/// What a frame says about itself, all but its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) rsv: Rsv,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Option<[u8; 4]>,
}

impl Frame {
    /// The header of this frame over a payload of `len` bytes.
    pub(crate) const fn header(self, len: usize) -> Header {
        let Self { fin, rsv, opcode, mask } = self;
        Header { fin, rsv, opcode, mask, payload_len: len as u64 }
    }
}

/// Appends a frame to `output`.
#[inline]
pub(crate) fn write_frame(output: &mut Vec<u8>, frame: Frame, payload: &[u8]) {
    write_frame_with(output, frame, payload.len(), |output| output.extend_from_slice(payload));
}

/// The same, the `len` bytes of the payload being appended by `write`.
// In place, since `write` is.
#[inline(always)]
pub(crate) fn write_frame_with(
    output: &mut Vec<u8>,
    frame: Frame,
    len: usize,
    write: impl FnOnce(&mut Vec<u8>),
) {
    output.reserve(HEADER_BYTES_MAX + len);
    frame.header(len).write(output);
    let start = output.len();
    write(output);
    if let Some(key) = frame.mask {
        mask(&mut output[start..], key, 0);
    }
}

/// A frame in a buffer of its own.
pub(crate) fn frame_bytes(frame: Frame, payload: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    write_frame(&mut output, frame, payload);
    output
}
