//! What a connection borrows while it works and gives back before it waits: buffers, compression contexts and
//! masking keys. One per thread serves any number of connections, so that an idle connection holds nothing.
//!
//! The masking keys come from a source that the caller supplies: the core itself reads no randomness.

use std::any::Any;
use std::fmt;

use crate::recycle::{Recycled, free};
use crate::segments::Spare;
use crate::time::Time;

/// Buffers, contexts and masking keys that connections of one thread share.
///
/// ```
/// // A server never masks; a client's source must be unpredictable (RFC 6455 §10.3).
/// let mut scratch = duplexer_proto::Scratch::new(|| [0x37, 0xfa, 0x21, 0x3d]);
/// let buffer = scratch.take_buffer();
/// scratch.give_buffer(buffer);
/// ```
pub struct Scratch {
    buffers: Vec<Vec<u8>>,
    /// Their capacities in all.
    buffers_bytes: usize,
    parts: Vec<Box<dyn Any + Send>>,
    /// One of them was asked for since [`age`](Self::age) last judged.
    parts_wanted: bool,
    /// For queues that hold something by reference.
    pub(crate) segments: Spare,
    mask_key: Box<dyn FnMut() -> [u8; 4] + Send>,
    /// What large messages are gathered into.
    pub(crate) large: Recycled,
    /// Holds decoded bytes that an event points into.
    pub(crate) output: Vec<u8>,
}

impl Scratch {
    /// An empty scratch that takes its masking keys from `mask_key`, one per masked frame.
    pub fn new(mask_key: impl FnMut() -> [u8; 4] + Send + 'static) -> Self {
        Self {
            buffers: Vec::new(),
            buffers_bytes: 0,
            parts: Vec::new(),
            parts_wanted: false,
            segments: Spare::default(),
            mask_key: Box::new(mask_key),
            large: Recycled::default(),
            output: Vec::new(),
        }
    }

    /// An empty buffer, with the capacity of one given back earlier where there is one.
    #[must_use]
    pub fn take_buffer(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.buffers_bytes -= buffer.capacity();
        buffer
    }

    /// Takes a buffer back for later use, or frees it when enough are kept or it has grown large.
    pub fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if (1..=BUFFER_BYTES_KEPT_MAX).contains(&bytes)
            && self.buffers.len() < BUFFERS_KEPT_MAX
            && self.buffers_bytes + bytes <= BUFFERS_BYTES_KEPT_MAX
        {
            buffer.clear();
            self.buffers.push(buffer);
            self.buffers_bytes += bytes;
        } else {
            free(buffer);
        }
    }

    /// The next masking key.
    pub(crate) fn mask_key(&mut self) -> [u8; 4] {
        (self.mask_key)()
    }

    /// The part of this scratch that belongs to type `T`, made on first use: an extension's pool of contexts. It may be freed between
    /// any two calls of an extension, so it holds nothing of a message that has begun, and only what can be made anew.
    pub fn part<T: Any + Send + Default>(&mut self) -> &mut T {
        self.parts_wanted = true;
        let at = self.parts.iter().position(|part| part.is::<T>()).unwrap_or_else(|| {
            self.parts.push(Box::new(T::default()));
            self.parts.len() - 1
        });
        self.parts[at].downcast_mut().expect("the part at this place was found or made as a T")
    }

    /// Frees large buffers and parts that have not been needed for a while, and most of the other buffers now and then.
    pub(crate) fn age(&mut self, now: Time) {
        if !self.large.age(now) {
            return;
        }
        for buffer in
            self.buffers.extract_if(.., |buffer| buffer.capacity() > BUFFER_BYTES_IDLE_MAX)
        {
            free(buffer);
        }
        self.buffers.truncate(BUFFERS_RESTED_MAX);
        self.buffers_bytes = self.buffers.iter().map(Vec::capacity).sum();
        if self.output.capacity() > BUFFER_BYTES_IDLE_MAX {
            free(std::mem::take(&mut self.output));
        }
        if !std::mem::take(&mut self.parts_wanted) {
            self.parts.clear();
        }
    }

    /// The output buffer, emptied, and not larger than what is kept.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        let mut output = std::mem::take(&mut self.output);
        if output.capacity() > BUFFER_BYTES_KEPT_MAX {
            free(output);
            return Vec::new();
        }
        output.clear();
        output
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch")
            .field("buffers", &self.buffers.len())
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

/// Largest capacity of a buffer that is kept, in bytes.
const BUFFER_BYTES_KEPT_MAX: usize = 256 << 10;
/// Most buffers kept at a time: as many as one handler may be sending to, in a room, say.
const BUFFERS_KEPT_MAX: usize = 4096;
/// How many of them are kept for more than a few seconds, and of what capacity.
const BUFFERS_RESTED_MAX: usize = 16;
const BUFFER_BYTES_IDLE_MAX: usize = 4 << 10;
/// Most bytes of capacity that are kept.
const BUFFERS_BYTES_KEPT_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_buffers_are_kept_and_so_many_bytes() {
        let mut scratch = Scratch::new(|| [0; 4]);
        let held = |scratch: &Scratch| (scratch.buffers.len(), scratch.buffers_bytes);
        for _ in 0..BUFFERS_KEPT_MAX + 1 {
            scratch.give_buffer(Vec::with_capacity(100));
        }
        assert_eq!(held(&scratch), (BUFFERS_KEPT_MAX, BUFFERS_KEPT_MAX * 100));
        for _ in 0..BUFFERS_KEPT_MAX {
            assert_eq!(scratch.take_buffer().capacity(), 100);
        }
        assert_eq!((held(&scratch), scratch.take_buffer().capacity()), ((0, 0), 0));
        for _ in 0..=BUFFERS_BYTES_KEPT_MAX / BUFFER_BYTES_KEPT_MAX {
            scratch.give_buffer(Vec::with_capacity(BUFFER_BYTES_KEPT_MAX));
        }
        scratch.give_buffer(Vec::with_capacity(BUFFER_BYTES_KEPT_MAX + 1));
        assert_eq!(held(&scratch).1, BUFFERS_BYTES_KEPT_MAX);
    }

    #[test]
    fn buffers_that_lie_about_are_freed_after_a_while() {
        let mut scratch = Scratch::new(|| [0; 4]);
        for _ in 0..100 {
            scratch.give_buffer(Vec::with_capacity(100));
        }
        scratch.give_buffer(Vec::with_capacity(BUFFER_BYTES_IDLE_MAX + 1));
        scratch.age(Time::ORIGIN + Duration::from_millis(10));
        assert_eq!(scratch.buffers.len(), 101);
        scratch.age(Time::ORIGIN + Duration::from_mins(1));
        assert_eq!((scratch.buffers.len(), scratch.buffers_bytes), (16, 1600));
    }

    #[test]
    fn parts_that_nobody_asks_for_are_freed_after_a_while() {
        let mut scratch = Scratch::new(|| [0; 4]);
        *scratch.part() = 7_u64;
        scratch.age(Time::ORIGIN + Duration::from_mins(1));
        assert_eq!(*scratch.part::<u64>(), 7, "it was asked for not long ago");
        scratch.age(Time::ORIGIN + Duration::from_mins(2));
        scratch.age(Time::ORIGIN + Duration::from_mins(3));
        assert_eq!(*scratch.part::<u64>(), 0);
    }
}
