//! The compression contexts of one thread, lent to connections for one message at a time, and a
//! buffer to work in. Bounded in number; a context comes back reset.

use std::fmt;

use super::compressor::{Block, Compressor};
use super::inflater::Inflater;

/// The contexts that one thread's connections share. Freed with all that is in it when no message has wanted one for a while: those of
/// messages that have begun are lent out.
pub(super) struct DeflatePool {
    /// [`STAGE_BYTES`] long; the inflater writes here, so that no output is filled with zeros first.
    pub(super) stage: Box<[u8]>,
    /// What a compressor needs only while it works.
    pub(super) block: Box<Block>,
    compressors: Vec<(CompressorKind, Box<Compressor>)>,
    #[expect(clippy::vec_box, reason = "connections borrow them by their pointer")]
    inflaters: Vec<Box<Inflater>>,
}

/// What makes one compressor as good as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CompressorKind {
    /// 8 to 15.
    pub(super) window_bits: u8,
    /// 0 to 9.
    pub(super) level: u8,
}

impl DeflatePool {
    /// A compressor that remembers nothing.
    pub(super) fn take_compressor(&mut self, kind: CompressorKind) -> Box<Compressor> {
        match self.compressors.iter().rposition(|(kept, _)| *kept == kind) {
            Some(at) => self.compressors.remove(at).1,
            None => Box::new(Compressor::new(kind.window_bits, kind.level)),
        }
    }

    /// Takes a compressor back. Where enough are kept, the one that came back first is freed.
    pub(super) fn give_compressor(
        &mut self,
        kind: CompressorKind,
        mut compressor: Box<Compressor>,
    ) {
        compressor.reset();
        if self.compressors.len() == COMPRESSORS_KEPT_MAX {
            self.compressors.remove(0);
        }
        self.compressors.push((kind, compressor));
    }

    /// An inflater that remembers nothing.
    pub(super) fn take_inflater(&mut self) -> Box<Inflater> {
        self.inflaters.pop().unwrap_or_default()
    }

    /// Takes an inflater back, or frees it where enough are kept.
    pub(super) fn give_inflater(&mut self, mut inflater: Box<Inflater>) {
        if self.inflaters.len() < INFLATERS_KEPT_MAX {
            inflater.reset();
            self.inflaters.push(inflater);
        }
    }
}

impl Default for DeflatePool {
    fn default() -> Self {
        Self {
            stage: vec![0; STAGE_BYTES].into(),
            block: Box::default(),
            compressors: Vec::new(),
            inflaters: Vec::new(),
        }
    }
}

impl fmt::Debug for DeflatePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflatePool")
            .field("compressors", &self.compressors.len())
            .field("inflaters", &self.inflaters.len())
            .finish_non_exhaustive()
    }
}

/// The most that the inflater puts out in one call.
const STAGE_BYTES: usize = 32 << 10;
/// Most compressors kept, at up to 150 KB each. More are in use only while as many messages are
/// half sent.
const COMPRESSORS_KEPT_MAX: usize = 4;
/// Most inflaters kept, at up to 80 KB each.
const INFLATERS_KEPT_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_contexts_are_kept() {
        let mut pool = DeflatePool::default();
        let kinds = (9..=15).map(|window_bits| CompressorKind { window_bits, level: 6 });
        for kind in kinds {
            let compressor = pool.take_compressor(kind);
            pool.give_compressor(kind, compressor);
        }
        let kept: Vec<u8> = pool.compressors.iter().map(|(kind, _)| kind.window_bits).collect();
        assert_eq!(kept, [12, 13, 14, 15]);

        let taken: Vec<_> = (0..20).map(|_| pool.take_inflater()).collect();
        taken.into_iter().for_each(|inflater| pool.give_inflater(inflater));
        assert_eq!(pool.inflaters.len(), INFLATERS_KEPT_MAX);
    }
}
