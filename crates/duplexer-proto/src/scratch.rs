//! What a connection borrows while it works and gives back before it waits: buffers, compression contexts and
//! masking keys. One per thread serves any number of connections, so that an idle connection holds nothing.
//!
//! The masking keys come from a source that the caller supplies: the core itself reads no randomness.

use std::any::Any;
use std::fmt;

use crate::recycle::{Recycled, free};
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
    parts: Vec<Box<dyn Any + Send>>,
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
            parts: Vec::new(),
            mask_key: Box::new(mask_key),
            large: Recycled::default(),
            output: Vec::new(),
        }
    }

    /// An empty buffer, with the capacity of one given back earlier where there is one.
    #[must_use]
    pub fn take_buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Takes a buffer back for later use, or frees it when enough are kept or it has grown large.
    pub fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        if (1..=BUFFER_BYTES_KEPT_MAX).contains(&buffer.capacity())
            && self.buffers.len() < BUFFERS_KEPT_MAX
        {
            buffer.clear();
            self.buffers.push(buffer);
        } else {
            free(buffer);
        }
    }

    /// The next masking key.
    pub(crate) fn mask_key(&mut self) -> [u8; 4] {
        (self.mask_key)()
    }

    /// The part of this scratch that belongs to type `T`, made on first use: an extension's pool of contexts.
    pub fn part<T: Any + Send + Default>(&mut self) -> &mut T {
        let at = self.parts.iter().position(|part| part.is::<T>()).unwrap_or_else(|| {
            self.parts.push(Box::new(T::default()));
            self.parts.len() - 1
        });
        self.parts[at].downcast_mut().expect("the part at this place was found or made as a T")
    }

    /// Frees large buffers that have not been needed for a while.
    pub(crate) fn age(&mut self, now: Time) {
        if !self.large.age(now) {
            return;
        }
        for buffer in
            self.buffers.extract_if(.., |buffer| buffer.capacity() > BUFFER_BYTES_IDLE_MAX)
        {
            free(buffer);
        }
        if self.output.capacity() > BUFFER_BYTES_IDLE_MAX {
            free(std::mem::take(&mut self.output));
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
/// The same for one that is kept for more than a few seconds.
const BUFFER_BYTES_IDLE_MAX: usize = 4 << 10;
/// Most buffers kept at a time.
const BUFFERS_KEPT_MAX: usize = 16;
