//! The sending direction (RFC 7692 §7.2.1): a message in, in pieces; raw DEFLATE out, without the
//! tail `00 00 ff ff`. Knows no frames and decides nothing about what is compressed.

use std::fmt;

use zlib_rs::DeflateFlush;

use super::pool::{CompressorKind, DeflatePool};
use super::step::{Step, TAIL};
use crate::extension::Boundary;

/// Compresses the messages of one direction of one connection.
pub(super) struct Encoder {
    takeover: bool,
    kind: CompressorKind,
    /// With takeover, from the first message on; without, lent by the pool while a message is
    /// unfinished.
    compressor: Option<Box<zlib_rs::Deflate>>,
    /// Whether everything so far has been put out up to the end of a block that ends a byte.
    aligned: bool,
}

impl Encoder {
    /// An encoder with a window of 2 to the power of `window_bits`, from 8 to 15.
    ///
    /// zlib has no compressor for a window of 256 bytes. With 9 bits the furthest match it takes is
    /// 512 − 262 = 250 bytes back, so its output is legal in a window of 8 bits.
    pub(super) fn new(takeover: bool, window_bits: u8, level: u8) -> Self {
        let kind = CompressorKind { window_bits: window_bits.max(9), level };
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
            Boundary::Within => DeflateFlush::NoFlush,
            Boundary::Flush | Boundary::End => DeflateFlush::SyncFlush,
        };
        let idle = input.is_empty() && (self.aligned || boundary == Boundary::Within);
        if !idle {
            let mut compressor =
                self.compressor.take().unwrap_or_else(|| pool.take_compressor(self.kind));
            compress(&mut compressor, input, flush, &mut pool.stage, output);
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

/// Compresses all of `input`, and with a flush puts out all that it stands for.
fn compress(
    compressor: &mut zlib_rs::Deflate,
    mut input: &[u8],
    flush: DeflateFlush,
    stage: &mut [u8],
    output: &mut Vec<u8>,
) {
    loop {
        let before = (compressor.total_in(), compressor.total_out());
        compressor
            .compress(input, stage, flush)
            .expect("zlib refuses only what follows `Finish`, which is never used");
        let step = Step::between(before, (compressor.total_in(), compressor.total_out()));
        input = &input[step.taken..];
        output.extend_from_slice(&stage[..step.written]);
        // A full stage may have left something behind.
        if input.is_empty() && step.written < stage.len() {
            return;
        }
    }
}
