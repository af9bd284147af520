//! What both directions share: the tail that never travels; and how far one call of the inflater came.

/// What a sender removes from the end of a message and a receiver appends to it (RFC 7692 §7.2.1,
/// §7.2.2): the length fields of an empty stored block.
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// How far one call of the inflater came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Bytes of the input that were taken.
    pub(super) taken: usize,
    /// Bytes of the output that were written.
    pub(super) written: usize,
}

impl Step {
    /// The difference of zlib's totals of input and output, around one call.
    pub(super) fn between(before: (u64, u64), after: (u64, u64)) -> Self {
        let len = |difference| usize::try_from(difference).expect("a part of a slice");
        Self { taken: len(after.0 - before.0), written: len(after.1 - before.1) }
    }
}
