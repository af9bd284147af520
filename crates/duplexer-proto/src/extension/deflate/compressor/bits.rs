//! Bits into bytes, the lowest first (RFC 1951 §3.1.1). Knows no blocks.

/// What does not fill a byte yet: fewer than eight bits between two blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    bits: u64,
    count: u32,
}

impl Held {
    /// Whether all bits so far have been put out.
    pub(super) const fn is_empty(self) -> bool {
        self.count == 0
    }

    /// How many bits there are.
    pub(super) const fn count(self) -> usize {
        self.count as usize
    }
}

/// Puts bits behind what is held, into bytes that exist already.
pub(super) struct Bits<'a> {
    held: Held,
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// Writes into `bytes`, of which [`SPARE_BYTES`] more are needed than will be filled.
    pub(super) const fn new(held: Held, bytes: &'a mut [u8]) -> Self {
        Self { held, bytes, at: 0 }
    }

    /// Puts the lowest `count` bits of `bits`, of which the others are zero. Between two calls of [`spill`](Self::spill)
    /// at most 56 bits go in.
    #[inline]
    pub(super) const fn put(&mut self, bits: u64, count: u32) {
        self.held.bits |= bits << self.held.count;
        self.held.count += count;
    }

    /// Puts out the bytes that are full.
    #[inline]
    pub(super) fn spill(&mut self) {
        self.bytes[self.at..][..SPARE_BYTES].copy_from_slice(&self.held.bits.to_le_bytes());
        let full = self.held.count / 8;
        self.at += full as usize;
        self.held.bits >>= full * 8;
        self.held.count %= 8;
    }

    /// Fills the last byte with zeros.
    pub(super) fn align(&mut self) {
        self.held.count = self.held.count.next_multiple_of(8);
        self.spill();
    }

    /// Copies bytes; what is held must be put out.
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        debug_assert!(self.held.is_empty(), "aligned before");
        self.bytes[self.at..][..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// What is left, and how many bytes were filled.
    pub(super) fn finish(mut self) -> (Held, usize) {
        self.spill();
        (self.held, self.at)
    }
}

/// A spill writes so many bytes, whether or not they are full.
pub(super) const SPARE_BYTES: usize = 8;
