//! Counts what the current thread takes from the heap. A test file that measures makes [`Counting`] its allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Passes everything to the system's allocator, and counts the bytes of the current thread.
pub(crate) struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    LIVE.set(LIVE.get() + sign * isize::try_from(bytes).expect("no allocation is that large"));
    PEAK.set(PEAK.get().max(LIVE.get()));
    if sign > 0 {
        TAKEN.set(TAKEN.get() + bytes as u64);
    }
}

#[allow(unsafe_code, reason = "the trait of allocators is unsafe; all work is the system's")]
// SAFETY: every call is passed on as it is; counting touches no memory but three thread-local numbers that need no
// allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `place` came from `System` with this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Heap bytes that this thread holds.
pub(crate) fn live() -> usize {
    usize::try_from(LIVE.get()).expect("more was allocated than freed")
}

/// Heap bytes that this thread has ever taken. A buffer that grows is taken anew, and copied, with each growth.
pub(crate) fn taken() -> u64 {
    TAKEN.get()
}

/// Heap bytes that this thread has held at a time, at most, beyond those held when the peak was last reset.
pub(crate) struct Peak(isize);

impl Peak {
    pub(crate) fn from_here() -> Self {
        PEAK.set(LIVE.get());
        Self(LIVE.get())
    }

    pub(crate) fn bytes(&self) -> usize {
        usize::try_from(PEAK.get() - self.0).expect("a peak is not below")
    }
}
