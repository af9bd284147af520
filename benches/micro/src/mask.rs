//! Masking in place (RFC 6455 §5.3) at three lengths, wherever in memory the payload begins, and from the midst of a payload on.

use std::hint::black_box;

use crate::case::{Case, OPERATIONS, Work};
use crate::sample;

/// Payloads that begin where a cache line does, and one byte behind; and the rest of one whose first byte was masked before.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, bytes) in [("125B", 125), ("1KiB", 1 << 10), ("16KiB", 16 << 10)] {
        for (place, shift, at) in [("aligned", 0, 0), ("unaligned", 1, 0), ("rest", 1, 1)] {
            let name = format!("mask-{size}-{place}");
            cases.push(Case::new(name, bytes, move || Masked::new(bytes, shift, at)));
        }
    }
    cases
}

struct Masked {
    memory: Vec<u8>,
    /// Where in the memory the bytes begin.
    start: usize,
    /// Where in their frame's payload they begin.
    at: u64,
}

impl Masked {
    fn new(bytes: usize, shift: usize, at: u64) -> Self {
        let mut memory = sample::binary(bytes + 2 * LINE_BYTES);
        let start = memory.as_ptr().align_offset(LINE_BYTES) + shift;
        memory.truncate(start + bytes);
        Self { memory, start, at }
    }
}

impl Work for Masked {
    fn prepare(&mut self) {}

    fn run(&mut self) -> usize {
        let mut handled = 0;
        for _ in 0..OPERATIONS {
            let payload = black_box(&mut self.memory[self.start..]);
            duplexer_proto::mask(payload, black_box(KEY), black_box(self.at));
            handled += payload.len();
        }
        handled
    }
}

const LINE_BYTES: usize = 64;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
