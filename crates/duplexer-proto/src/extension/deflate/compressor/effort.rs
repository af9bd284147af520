//! What the levels of effort mean: how long a match is searched for. As in zlib, higher ones give smaller messages.

/// How hard the compressor tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Most places that are compared for one match.
    pub(super) places_max: u32,
    /// A match so long is good enough, in bytes.
    pub(super) enough: usize,
    /// Behind a match shorter than this, in bytes, a longer one is looked for a byte further on.
    pub(super) lazy_below: usize,
}

impl Effort {
    /// What `level` means, from 1 to 9. (At 0 nothing is searched for.)
    pub(super) const fn of(level: u8) -> Self {
        let (places_max, enough, lazy_below) = match level {
            0..=1 => (2, 16, 0),
            2 => (6, 32, 0),
            3 => (8, 32, 6),
            4 => (12, 32, 12),
            5 => (16, 64, 16),
            6 => (24, 128, 16),
            7 => (128, 128, 32),
            8 => (1024, 258, 128),
            9.. => (4096, 258, 258),
        };
        Self { places_max, enough, lazy_below }
    }

    /// What a match longer than `len` bytes, a byte further on, is worth.
    pub(super) const fn later(self, len: usize) -> Self {
        let share = if len < 8 { 2 } else { 4 };
        Self { places_max: self.places_max / share, ..self }
    }
}
