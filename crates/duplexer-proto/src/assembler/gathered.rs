//! The bytes of a message that is gathered: copied from the input, or received straight to their place. Grows with what arrives.

use bytes::buf::Limit;
use bytes::{Buf as _, BufMut as _, Bytes};

use crate::recycle::{FRONT_BYTES, LARGE_BYTES_MIN, free};
use crate::scratch::Scratch;

/// What was gathered.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Behind `front` bytes that mean nothing.
    bytes: Vec<u8>,
    front: usize,
    /// Up to where they are unmasked and checked. Those behind were received straight to their place.
    settled: usize,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.front
    }

    /// Bytes that they take. Of a buffer that was used before, and is larger than what has come explains, only what does: the rest is
    /// the thread's.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes
            .capacity()
            .min(self.bytes.len().saturating_add(DIRECT_BYTES_MIN).saturating_mul(2))
    }

    /// Drops what is settled, unless something behind it is not: then all waits for that.
    pub(super) fn drop_settled(&mut self) {
        if self.settled == self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Takes all bytes.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.settled = 0;
        self.bytes.drain(..std::mem::take(&mut self.front));
        std::mem::take(&mut self.bytes)
    }

    /// Takes all bytes as those of a message.
    pub(super) fn lend(&mut self, scratch: &Scratch) -> Bytes {
        self.settled = 0;
        let mut bytes = scratch.large.lend(std::mem::take(&mut self.bytes));
        bytes.advance(std::mem::take(&mut self.front));
        bytes
    }

    /// Puts bytes, all of them settled, in the place of those that were taken.
    pub(super) fn put(&mut self, bytes: Vec<u8>) {
        self.settled = bytes.len();
        self.bytes = bytes;
    }

    /// All are unmasked and checked.
    pub(super) fn settle(&mut self) {
        self.settled = self.bytes.len();
    }

    /// Appends settled bytes of a frame of which `left` more follow; `fin`, of the message's last frame.
    pub(super) fn push(&mut self, taken: &[u8], left: u64, fin: bool, scratch: &Scratch) {
        if self.bytes.capacity() - self.bytes.len() < taken.len() {
            self.grow(taken.len(), usize::try_from(left).unwrap_or(usize::MAX), fin, scratch);
        }
        self.bytes.extend_from_slice(taken);
        self.settled = self.bytes.len();
    }

    /// Room for some of the `left` bytes of the frame that are to come, where that is worth its while: none is unsettled, many have come
    /// and many are to come.
    pub(super) fn room(
        &mut self,
        left: usize,
        fin: bool,
        scratch: &Scratch,
    ) -> Option<Limit<&mut Vec<u8>>> {
        let settled = self.settled == self.bytes.len();
        if !settled || self.len() < DIRECT_BYTES_MIN || left < DIRECT_BYTES_MIN {
            return None;
        }
        if self.bytes.len() == self.bytes.capacity() {
            self.grow(DIRECT_BYTES_MIN, left - DIRECT_BYTES_MIN, fin, scratch);
        }
        let spare = self.bytes.capacity() - self.bytes.len();
        Some((&mut self.bytes).limit(spare.min(left)))
    }

    /// The bytes that are not settled; none where all are.
    pub(super) fn unsettled(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.bytes[self.settled..]).filter(|bytes| !bytes.is_empty())
    }

    /// Makes room for `len` more bytes, which `left` of the same frame follow: with a large buffer that is used again, or with room for
    /// as many bytes as have come. What was declared only bounds that.
    fn grow(&mut self, len: usize, left: usize, fin: bool, scratch: &Scratch) {
        let needed = self.len() + len;
        let likely = needed.saturating_add(left);
        let large = likely >= LARGE_BYTES_MIN && needed >= REUSE_BYTES_MIN;
        if large
            && let Some(buffer) =
                scratch.large.take(FRONT_BYTES + needed, likely.saturating_add(FRONT_BYTES))
        {
            return self.move_to(buffer);
        }
        // Many small frames must not move the message each time; the last frame's end is known.
        let held = self.bytes.capacity() - self.front;
        let often = if fin { 0 } else { held.saturating_add(held / 2) };
        let capacity = needed.saturating_add(left.min(needed)).max(often);
        if large && self.front == 0 {
            self.move_to(Vec::with_capacity(FRONT_BYTES + capacity));
        } else {
            self.bytes.reserve_exact(self.front + capacity - self.bytes.len());
        }
    }

    /// Goes on in a buffer that is empty and has room, with a front. All bytes are settled.
    fn move_to(&mut self, mut buffer: Vec<u8>) {
        buffer.resize(FRONT_BYTES, 0);
        buffer.extend_from_slice(&self.bytes[self.front..]);
        free(std::mem::replace(&mut self.bytes, buffer));
        self.front = FRONT_BYTES;
        self.settled = self.bytes.len();
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        free(std::mem::take(&mut self.bytes));
    }
}

/// Bytes of a message that have come, and of its frame that are to come, from which on it is worth its while to receive straight into
/// the message.
const DIRECT_BYTES_MIN: usize = 32 << 10;
/// Bytes of a message from which on it may be gathered in a large buffer that was used before.
const REUSE_BYTES_MIN: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 100_000;

    #[test]
    fn a_large_message_lies_behind_the_front_of_its_buffer_however_it_began() {
        let bytes: Vec<u8> = (0..=250).cycle().take(LEN).collect();
        for begun in [100, 1_434, 5_000, 50_000] {
            let scratch = Scratch::new(|| [0; 4]);
            for used_before in [false, true] {
                let (mut gathered, (mut rest, mut piece)) =
                    (Gathered::default(), (&bytes[..], begun));
                while let Some((taken, left)) = rest.split_at_checked(piece.min(rest.len()))
                    && !taken.is_empty()
                {
                    gathered.push(taken, left.len() as u64, true, &scratch);
                    (rest, piece) = (left, 30_000);
                }
                let message = gathered.lend(&scratch);
                assert!(message == bytes, "{begun}, {used_before}");
                let place = message.as_ptr().addr();
                drop(message);
                let buffer = scratch.large.take(LEN, LEN).expect("it is back");
                assert_eq!(place - buffer.as_ptr().addr(), FRONT_BYTES, "{begun}, {used_before}");
                scratch.large.give(buffer);
            }
        }
    }

    #[test]
    fn what_was_declared_and_has_not_come_takes_no_room() {
        let (mut gathered, scratch) = (Gathered::default(), Scratch::new(|| [0; 4]));
        gathered.push(&[7; 100], 1 << 30, true, &scratch);
        assert!(gathered.held_bytes() <= 200);
        assert_eq!(gathered.take(), [7; 100]);
    }

    #[test]
    fn what_is_taken_out_of_its_buffer_has_no_front() {
        let (mut gathered, scratch) = (Gathered::default(), Scratch::new(|| [0; 4]));
        gathered.push(&[7; LEN], LEN as u64, true, &scratch);
        assert_eq!(gathered.len(), LEN);
        assert!(gathered.take() == [7; LEN]);
        assert!(gathered.is_empty());
    }
}
