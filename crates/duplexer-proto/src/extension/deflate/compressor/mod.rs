//! A compressor of raw DEFLATE (RFC 1951) for messages, most of which are small: bytes in, blocks out, and after a
//! flush nothing is left inside. zlib keeps some 300 KB for each stream and clears 128 KB of them before each that
//! begins afresh; this one keeps half, clears nothing, and leaves what is needed only while it works to the thread.
//!
//! - `effort`: what the levels mean;
//! - `window`: what was said, and where it began alike;
//! - `block`: literals and matches as bits, in the shortest form;
//! - `huffman`, `bits`: what that takes.

mod bits;
mod block;
mod effort;
mod huffman;
mod window;

pub(super) use block::Block;

use bits::Held;
use effort::Effort;
use window::{CHUNK_BYTES, Window};

/// One stream. Never ended: a message ends with a flush.
pub(super) struct Compressor {
    window: Window,
    /// 0 to 9.
    level: u8,
    /// Bits that do not fill a byte, of blocks that were put out.
    held: Held,
}

impl Compressor {
    /// Refers at most 2 to the power of `window_bits` bytes back, from 8 to 15, with an effort from 0 to 9.
    pub(super) fn new(window_bits: u8, level: u8) -> Self {
        Self { window: Window::new(window_bits), level, held: Held::default() }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.window.clear();
        self.held = Held::default();
    }

    /// Takes all of `input`. With `flush`, puts out all that was taken, and behind it an empty stored block, which
    /// ends a byte with `00 00 ff ff`.
    pub(super) fn compress(
        &mut self,
        mut input: &[u8],
        flush: bool,
        block: &mut Block,
        output: &mut Vec<u8>,
    ) {
        debug_assert!(block.is_empty(), "a block is written by the call that begins it");
        let mut begun = self.window.position();
        while !input.is_empty() {
            let taken = self.window.extend(input);
            input = &input[taken..];
            if self.window.waiting() >= CHUNK_BYTES {
                self.read(&mut begun, block, output);
            }
        }
        if flush && self.window.waiting() > 0 {
            self.read(&mut begun, block, output);
        }
        self.write(&mut begun, block, output);
        if flush {
            self.held = block::end_byte(self.held, output);
        }
    }

    /// Makes literals and matches of all that waits, and blocks where they get too many.
    fn read(&mut self, begun: &mut u32, block: &mut Block, output: &mut Vec<u8>) {
        if self.level == 0 {
            self.held = block::store(self.window.skip(), self.held, output);
            return;
        }
        self.window.warm();
        let end = self.window.end();
        let effort = Effort::of(self.level);
        while self.window.next < end {
            self.token(effort, block);
            if block.is_full() {
                self.write(begun, block, output);
            }
        }
    }

    /// Says the next bytes: a literal, or a match, if need be behind literals that let it be longer.
    #[inline]
    fn token(&mut self, effort: Effort, block: &mut Block) {
        let window = &mut self.window;
        let mut at = window.next;
        let mut best = window.find(at, MATCH_LONGER_THAN, effort);
        if best.distance == 0 {
            block.literal(window.byte(at));
            window.next += 1;
            return;
        }
        while best.len < effort.lazy_below {
            let later = window.find(at + 1, best.len, effort.later(best.len));
            if later.distance == 0 {
                break;
            }
            block.literal(window.byte(at));
            at += 1;
            best = later;
        }
        let (len, distance) = (u32::try_from(best.len), u32::try_from(best.distance));
        block.refer(len.expect("at most 258"), distance.expect("at most 32 KiB"));
        window.next = at + best.len;
    }

    /// Puts out the block that has begun at a position.
    fn write(&mut self, begun: &mut u32, block: &mut Block, output: &mut Vec<u8>) {
        if !block.is_empty() {
            self.held = block.write(self.window.since(*begun), self.held, output);
        }
        *begun = self.window.position();
    }
}

/// Matches of three bytes are not looked for: they gain little, and cost searches.
const MATCH_LONGER_THAN: usize = 3;
