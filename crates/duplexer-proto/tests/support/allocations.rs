//! Counts the heap bytes of the current thread, for tests that bound memory.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Passes everything to the system's allocator, and counts.
#[derive(Debug)]
pub(crate) struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static FREED_MAX: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

#[allow(unsafe_code, reason = "the trait of allocators is unsafe; all work is the system's")]
// SAFETY: every call is passed on as it is; counting touches no memory but three thread-local numbers
// that need no allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        FREED_MAX.set(FREED_MAX.get().max(layout.size()));
        // SAFETY: `place` came from `System` with this layout.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: `place` came from `System` with this layout.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Heap bytes that this thread has allocated and not freed.
pub(crate) fn live() -> isize {
    LIVE.get()
}

/// The most heap bytes that `work` held at a time beyond what was held before, and what came of it.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (isize, T) {
    let before = live();
    PEAK.set(before);
    let result = work();
    (PEAK.get() - before, result)
}

/// The largest piece of memory that `work` freed as large as it was.
pub(crate) fn freed_max_of(work: impl FnOnce()) -> usize {
    FREED_MAX.set(0);
    work();
    FREED_MAX.get()
}
