//! The sending direction (RFC 7692 §7.2.1): a message in, in pieces; raw DEFLATE out, without the
//! tail `00 00 ff ff`. Knows no frames and decides nothing about what is compressed.

use std::fmt;

use super::compressor::Compressor;
use super::pool::{CompressorKind, DeflatePool};
use super::step::TAIL;
use crate::extension::Boundary;

/// Compresses the messages of one direction of one connection.
pub(super) struct Encoder {
    takeover: bool,
    kind: CompressorKind,
    /// With takeover, from the first message on; without, lent by the pool while a message is
    /// unfinished.
    compressor: Option<Box<Compressor>>,
    /// Whether everything so far has been put out up to the end of a block that ends a byte.
    aligned: bool,
}

impl Encoder {
    /// An encoder with a window of 2 to the power of `window_bits`, from 8 to 15.
    pub(super) fn new(takeover: bool, window_bits: u8, level: u8) -> Self {
        let kind = CompressorKind { window_bits, level };
        Self { takeover, kind, compressor: None, aligned: true }
    }

    /// Takes all of `input` and appends to `output`.
    pub(super) fn encode(
        &mut self,
        input: &[u8],
        boundary: Boundary,
        pool: &mut DeflatePool,
        output: &mut Vec<u8>,
    ) {
        let flush = match boundary {
            Boundary::Within => false,
            Boundary::Flush | Boundary::End => true,
        };
        let idle = input.is_empty() && (self.aligned || boundary == Boundary::Within);
        if !idle {
            let mut compressor =
                self.compressor.take().unwrap_or_else(|| pool.take_compressor(self.kind));
            compressor.compress(input, flush, &mut pool.block, output);
            self.aligned = boundary != Boundary::Within;
            self.compressor = Some(compressor);
        }
        if boundary == Boundary::End {
            if idle {
                // The header of the empty stored block whose length fields are the tail (§7.2.3.6).
                output.push(0);
            } else {
                debug_assert!(output.ends_with(&TAIL), "a sync flush ends so");
                output.truncate(output.len() - TAIL.len());
            }
            if !self.takeover
                && let Some(compressor) = self.compressor.take()
            {
                pool.give_compressor(self.kind, compressor);
            }
        }
    }

    /// Says what the bytes of a message depend on, where that is the message and the settings
    /// alone.
    pub(super) fn share_class(&self) -> Option<u32> {
        let CompressorKind { window_bits, level } = self.kind;
        (!self.takeover).then_some(u32::from_be_bytes([b'p', b'd', window_bits, level]))
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("takeover", &self.takeover)
            .field("kind", &self.kind)
            .field("holds_compressor", &self.compressor.is_some())
            .finish_non_exhaustive()
    }
}
