//! Large buffers that go round. What a large message was gathered into comes back here when the last who held it lets go, on
//! whatever thread that is, and the next one is gathered into it: memory that the system has just handed out costs a fault for
//! each of its pages, which is more than all else that is done to the bytes.
//!
//! Bounded in bytes, and what has not been wanted for a while is freed, once a connection of the thread looks at its timer. Small
//! messages never come here.
//!
//! A large buffer of ours is shrunk before it is freed. glibc hands large memory out as pages of its own, which go back to the system when
//! they are freed, but only above a size that grows to whatever such memory was last freed: without that, the second message of
//! 1 MiB would lie in the heap, and leave a hole there that stays resident as long as anything behind it is in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::time::Time;

/// Buffers that wait to be used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recycled(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    /// Their capacities in all.
    bytes: usize,
    /// One was asked for since `judged`.
    wanted: bool,
    judged: Time,
}

/// Bytes of a message, whose buffer comes back when they are dropped.
struct Lent {
    bytes: Vec<u8>,
    home: Recycled,
}

impl Recycled {
    /// An empty buffer with room for `bytes_min`: the smallest that has room for `bytes_likely` without being far larger, else the
    /// largest.
    pub(crate) fn take(&self, bytes_min: usize, bytes_likely: usize) -> Option<Vec<u8>> {
        let likely = bytes_likely.max(bytes_min);
        let fitting = bytes_min..=likely.saturating_mul(SPARE_FACTOR_MAX);
        let mut kept = self.kept();
        kept.wanted = true;
        let found = kept.buffers.iter().map(Vec::capacity).enumerate();
        let found = found.filter(|(_, capacity)| fitting.contains(capacity));
        let best =
            found.min_by_key(|(_, capacity)| (*capacity < likely, capacity.abs_diff(likely)));
        let buffer = best.map(|(at, _)| kept.buffers.swap_remove(at))?;
        kept.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// Makes `bytes` a message's; its buffer comes back, if it is large.
    pub(crate) fn lend(&self, bytes: Vec<u8>) -> Bytes {
        if bytes.capacity() < LARGE_BYTES_MIN {
            return bytes.into();
        }
        Bytes::from_owner(Lent { bytes, home: self.clone() })
    }

    /// Takes a buffer back, or frees it where it is small. Beyond the bound the smallest are freed: large ones save most.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        if !(LARGE_BYTES_MIN..=KEPT_BYTES_MAX).contains(&buffer.capacity()) {
            return free(buffer);
        }
        buffer.clear();
        let mut kept = self.kept();
        kept.bytes += buffer.capacity();
        kept.buffers.push(buffer);
        while kept.bytes > KEPT_BYTES_MAX {
            let sizes = kept.buffers.iter().map(Vec::capacity).enumerate();
            let Some((at, bytes)) = sizes.min_by_key(|(_, bytes)| *bytes) else { return };
            free(kept.buffers.swap_remove(at));
            kept.bytes -= bytes;
        }
    }

    /// Frees what nobody has asked for lately. Tells whether it is time to free what else lies about.
    pub(crate) fn age(&self, now: Time) -> bool {
        let mut kept = self.kept();
        if now.since(kept.judged) < UNWANTED_AFTER {
            return false;
        }
        kept.judged = now;
        if !std::mem::take(&mut kept.wanted) {
            std::mem::take(&mut kept.buffers).into_iter().for_each(free);
            kept.bytes = 0;
        }
        true
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No change to it can be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes `bytes` a message's that come from elsewhere: they are freed when they are dropped.
pub(crate) fn own(bytes: Vec<u8>) -> Bytes {
    if bytes.capacity() < LARGE_BYTES_MIN {
        return bytes.into();
    }
    Bytes::from_owner(Owned(bytes))
}

/// Frees a buffer, so that its memory goes back to the system where it is large.
pub(crate) fn free(mut buffer: Vec<u8>) {
    if buffer.capacity() >= LARGE_BYTES_MIN {
        buffer.clear();
        buffer.shrink_to(1);
    }
}

/// Bytes of a message, whose buffer is freed.
struct Owned(Vec<u8>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        free(std::mem::take(&mut self.0));
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give(std::mem::take(&mut self.bytes));
    }
}

/// Bytes in front of a large message: half a page with the 16 bytes that the system's allocator puts in front of memory of that size.
///
/// The instruction that Linux copies with (`rep movsb`) takes over ten times as long on AMD's Zen 3 and Zen 4 where the destination is 1 to
/// 15 bytes further into its page than the source. In the kernel's pages the first byte of a page is often a frame's first, and its
/// payload 14 bytes behind that; copied to where such memory begins, 16 bytes into a page, it would be 2 bytes further.
pub(crate) const FRONT_BYTES: usize = (2 << 10) - 16;
/// Smallest capacity of a buffer that goes round, in bytes.
pub(crate) const LARGE_BYTES_MIN: usize = 64 << 10;
/// Most bytes that wait to be used again: 32 MiB of messages of whatever size, with what is in front of each.
const KEPT_BYTES_MAX: usize = (32 << 20) / LARGE_BYTES_MIN * (LARGE_BYTES_MIN + FRONT_BYTES);
/// How many times as large as what is likely to be needed a buffer may be.
const SPARE_FACTOR_MAX: usize = 2;
/// Buffers that nobody asked for in this time are freed.
const UNWANTED_AFTER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_the_last_clone_of_its_message_is_dropped() {
        let recycled = Recycled::default();
        let buffer = Vec::with_capacity(LARGE_BYTES_MIN);
        let place = buffer.as_ptr();
        let message = recycled.lend(buffer);
        let clone = message.clone();
        drop(message);
        assert!(recycled.take(1, LARGE_BYTES_MIN).is_none());
        drop(clone);
        let back = recycled.take(1, LARGE_BYTES_MIN).expect("it is back");
        assert_eq!((back.as_ptr(), back.len()), (place, 0));
    }

    #[test]
    fn a_buffer_comes_back_from_another_thread() {
        let recycled = Recycled::default();
        let message = recycled.lend(vec![7; LARGE_BYTES_MIN]);
        std::thread::spawn(move || drop(message)).join().expect("it only drops");
        assert!(recycled.take(1, LARGE_BYTES_MIN).is_some());
    }

    #[test]
    fn small_buffers_and_those_over_the_bound_are_freed() {
        let recycled = Recycled::default();
        drop(recycled.lend(vec![7; LARGE_BYTES_MIN - 1]));
        assert!(recycled.take(1, usize::MAX).is_none());
        recycled.give(Vec::with_capacity(KEPT_BYTES_MAX + 1));
        assert!(recycled.take(1, usize::MAX).is_none());
        recycled.give(Vec::with_capacity(LARGE_BYTES_MIN));
        recycled.give(Vec::with_capacity(KEPT_BYTES_MAX));
        recycled.give(Vec::with_capacity(LARGE_BYTES_MIN));
        let kept = recycled.take(1, 1 + KEPT_BYTES_MAX / 2).map(|buffer| buffer.capacity());
        assert_eq!(kept, Some(KEPT_BYTES_MAX), "the large one stays");
        assert!(recycled.take(1, usize::MAX).is_none());
    }

    #[test]
    fn messages_of_32_mib_come_back_together_with_what_is_in_front_of_them() {
        for count in [1, 2, 32] {
            let recycled = Recycled::default();
            let message = FRONT_BYTES + (32 << 20) / count;
            (0..count).for_each(|_| recycled.give(Vec::with_capacity(message)));
            let back = std::iter::from_fn(|| recycled.take(message, message)).count();
            assert_eq!(back, count);
        }
    }

    #[test]
    fn what_is_likely_to_be_needed_is_taken_and_nothing_far_larger() {
        let recycled = Recycled::default();
        for factor in [8, 2, 4, 1] {
            recycled.give(Vec::with_capacity(factor * LARGE_BYTES_MIN));
        }
        let take = |min: usize, likely: usize| {
            let found = recycled.take(min * LARGE_BYTES_MIN / 8, likely * LARGE_BYTES_MIN / 8);
            found.map(|buffer| buffer.capacity() / LARGE_BYTES_MIN)
        };
        assert_eq!(take(1, 1), None, "all are over twice as large");
        assert_eq!(take(1, 9), Some(2), "the smallest that has room");
        assert_eq!(take(1, 80), Some(8), "else the largest");
        assert_eq!(take(16, 80), Some(4), "but room for what there is");
        assert_eq!(take(16, 80), None);
        assert_eq!(take(8, 8), Some(1));
    }

    #[test]
    fn what_nobody_asks_for_is_freed_after_a_while() {
        let recycled = Recycled::default();
        recycled.give(Vec::with_capacity(LARGE_BYTES_MIN));
        let used = recycled.take(1, LARGE_BYTES_MIN).expect("one is there");
        recycled.give(used);
        let once = Time::ORIGIN + UNWANTED_AFTER;
        recycled.age(once);
        recycled.age(once + UNWANTED_AFTER / 2);
        assert_eq!(recycled.kept().buffers.len(), 1, "it was asked for not long ago");
        recycled.age(once + UNWANTED_AFTER);
        let kept = recycled.kept();
        assert_eq!((kept.buffers.len(), kept.bytes), (0, 0));
    }
}
