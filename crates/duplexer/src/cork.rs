//! Whether the code that runs now is a handler of ours, whose connection is written out after each of its polls.
//! Knows connections by a number and nothing else.

use std::cell::Cell;

thread_local! {
    static CORKED: Cell<usize> = const { Cell::new(0) };
}

/// While it lives, sends on the connection `id` are left in its queue.
pub(crate) struct Corked {
    outer: usize,
}

impl Corked {
    /// Corks connection `id` (not zero) on this thread.
    pub(crate) fn enter(id: usize) -> Self {
        Self { outer: CORKED.replace(id) }
    }
}

impl Drop for Corked {
    fn drop(&mut self) {
        CORKED.set(self.outer);
    }
}

/// Whether connection `id` is corked on this thread.
#[inline]
pub(crate) fn is_corked(id: usize) -> bool {
    CORKED.get() == id
}
