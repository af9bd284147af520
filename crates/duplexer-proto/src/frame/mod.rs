//! The wire format (RFC 6455 §5.2): headers, and the frames of one direction each way. Knows nothing of messages.

mod decoder;
mod encoder;
mod header;

pub(crate) use decoder::{Decoder, Single};
pub(crate) use encoder::{Frame, frame_bytes, write_frame, write_frame_with};
pub use header::{FrameError, Header, Opcode, Rsv};
