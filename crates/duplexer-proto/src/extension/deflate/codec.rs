//! permessage-deflate on one connection: joins the two directions to the [`Extension`] that the
//! connection knows.

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::params::NAME;
use super::pool::DeflatePool;
use crate::extension::{Boundary, DecodeError, Decoded, Extension};
use crate::frame::Rsv;
use crate::message::MessageKind;
use crate::scratch::Scratch;

/// Both directions of permessage-deflate on a connection.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    /// Shorter messages are sent plain.
    pub(super) min_bytes: u64,
}

impl Extension for Codec {
    fn rsv(&self) -> Rsv {
        Rsv::RSV1
    }

    fn wants(&self, _kind: MessageKind, len: Option<u64>) -> bool {
        len.is_none_or(|len| len >= self.min_bytes)
    }

    fn encode(
        &mut self,
        input: &[u8],
        boundary: Boundary,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) {
        self.encoder.encode(input, boundary, scratch.part::<DeflatePool>(), output);
    }

    fn share_class(&self) -> Option<u32> {
        self.encoder.share_class()
    }

    fn decode(
        &mut self,
        input: &[u8],
        end: bool,
        room: usize,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError> {
        self.decoder
            .decode(input, end, room, scratch.part::<DeflatePool>(), output)
            .map_err(|fault| DecodeError { extension: NAME, fault })
    }

    fn abandon(&mut self, scratch: &mut Scratch) -> bool {
        self.decoder.abandon(scratch.part::<DeflatePool>())
    }
}
