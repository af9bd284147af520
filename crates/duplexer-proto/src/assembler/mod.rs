//! Makes messages of frames (RFC 6455 §5.4): the order of frames, the extensions' decoding, UTF-8 and size, for a
//! message of any length. Hands out pieces as they arrive, or the whole message when asked.
//!
//! Holds bytes of an unfinished message only, and takes no more memory for them than twice what was received, but for buffers that are there
//! already. Knows no control frames.

mod assemble;
mod bound;
mod delivery;
mod gathered;
mod single;

pub(crate) use assemble::{Assembler, Context};
pub use bound::MessageError;
pub use delivery::Delivery;
pub(crate) use delivery::{Piece, Place};
pub(crate) use single::single_frame;
