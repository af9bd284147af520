//! Whether the code that runs now is a handler of ours, whose connection is written out after each of its polls; and that
//! connection, which stays locked until then once the handler has used it.

use std::cell::Cell;

use parking_lot::{ArcMutexGuard, RawMutex};

use crate::driver::Driver;
use crate::local::Borrowed;

/// A connection in use, and what it works with.
pub(crate) struct Kept {
    pub(crate) driver: ArcMutexGuard<RawMutex, Driver>,
    pub(crate) local: Borrowed,
}

thread_local! {
    static CORKED: Cell<usize> = const { Cell::new(0) };
    static KEPT: Cell<Option<Kept>> = const { Cell::new(None) };
}

/// While it lives, sends on the connection `id` are left in its queue.
pub(crate) struct Corked {
    outer: usize,
}

impl Corked {
    /// Corks connection `id` (not zero) on this thread.
    pub(crate) fn enter(id: usize) -> Self {
        // A handler that polls another one finds its connection unlocked, and locks it again when it goes on.
        release();
        Self { outer: CORKED.replace(id) }
    }
}

impl Drop for Corked {
    fn drop(&mut self) {
        release();
        CORKED.set(self.outer);
    }
}

/// Unlocks the connection that the running handler has used. To be called before waiting for another one's lock, whose
/// handler may be waiting for this one's.
pub(crate) fn release() {
    KEPT.set(None);
}

/// Whether connection `id` is corked on this thread.
#[inline]
pub(crate) fn is_corked(id: usize) -> bool {
    CORKED.with(Cell::get) == id
}

/// Whether a handler runs on this thread.
#[inline]
pub(crate) fn runs_handler() -> bool {
    CORKED.with(Cell::get) != 0
}

/// The corked connection, where the handler has used it before. To be asked for by that connection only.
#[inline]
pub(crate) fn take_kept() -> Option<Kept> {
    // `LocalKey::take` and `set` are calls; this is not.
    KEPT.with(Cell::take)
}

/// Leaves the corked connection locked for the next use.
#[inline]
pub(crate) fn keep(kept: Kept) {
    KEPT.with(|slot| slot.set(Some(kept)));
}
