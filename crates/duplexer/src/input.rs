//! Bytes that were read and not yet understood. Reads go to a buffer borrowed from the thread; before waiting, the
//! little that an unfinished header or control frame leaves is copied out and the buffer given back.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::local::{BUFFER_BYTES, FRONT_BYTES, Local, READ_BYTES};
use crate::transport::Transport;

/// The unread bytes of one connection.
#[derive(Default)]
pub(crate) struct Input {
    bytes: Box<[u8]>,
    /// Where the unread bytes begin and end, in half the room: no buffer is of 4 GiB.
    start: u32,
    end: u32,
}

impl Input {
    /// Bytes that arrived before the connection was open.
    pub(crate) fn starting_with(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), start: 0, end: place(bytes.len()) }
    }

    /// The bytes that wait to be understood.
    #[inline]
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        let range = self.range();
        &mut self.bytes[range]
    }

    #[inline]
    const fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether `bytes` belongs to the thread, whose buffers alone are that long; what is copied out is far shorter.
    #[inline]
    const fn is_borrowed(&self) -> bool {
        self.bytes.len() == BUFFER_BYTES
    }

    /// Whether there are none.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The bytes at `range` of those that wait, by reference: they leave with the thread's buffer that they are in, and what
    /// stands from `rest` on is copied out. To be used where the range is most of that buffer.
    pub(crate) fn lend(&mut self, range: Range<usize>, rest: usize, local: &Local) -> Bytes {
        let unread = self.range();
        let kept = Self::starting_with(&self.bytes[unread.start + rest..unread.end]);
        let lent = local.lend_buffer(std::mem::replace(self, kept).bytes);
        lent.slice(unread.start + range.start..unread.start + range.end)
    }

    /// Takes `len` bytes from the front.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) {
        self.start += place(len);
    }

    /// Drops everything, for a connection that reads no more.
    pub(crate) fn clear(&mut self, local: &mut Local) {
        self.start = self.end;
        self.settle(local);
    }

    /// Reads at most `bytes_max` more behind what is there; zero bytes are the end of the stream. Not to be called while full.
    pub(crate) fn poll_fill(
        &mut self,
        bytes_max: usize,
        transport: &mut Transport,
        local: &mut Local,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room(local);
        let room = &mut self.bytes[self.end as usize..];
        let len = room.len().min(bytes_max);
        let mut buffer = ReadBuf::new(&mut room[..len]);
        ready!(Pin::new(transport).poll_read(cx, &mut buffer))?;
        let len = buffer.filled().len();
        self.end += place(len);
        Poll::Ready(Ok(len))
    }

    /// Whether there is no room for more.
    pub(crate) const fn is_full(&self) -> bool {
        self.range().end - self.range().start >= READ_BYTES
    }

    /// Gives the thread's buffer back, and keeps only what is unread.
    #[inline]
    pub(crate) fn settle(&mut self, local: &mut Local) {
        if !self.bytes.is_empty() {
            self.settle_some(local);
        }
    }

    fn settle_some(&mut self, local: &mut Local) {
        if self.is_empty() {
            let Self { bytes, .. } = std::mem::take(self);
            local.give_buffer(bytes);
        } else if self.is_borrowed() {
            self.give_back(local);
        }
    }

    fn give_back(&mut self, local: &mut Local) {
        let kept = Self::starting_with(&self.bytes[self.range()]);
        local.give_buffer(std::mem::replace(self, kept).bytes);
    }

    /// Sees to it that the thread's buffer is in use, with what is unread as far to its front as it is to be.
    fn make_room(&mut self, local: &mut Local) {
        if !self.is_borrowed() {
            self.borrow(local);
        } else if self.start as usize > FRONT_BYTES {
            self.compact();
        }
    }

    fn borrow(&mut self, local: &mut Local) {
        let mut bytes = local.take_buffer();
        let unread = &self.bytes[self.range()];
        let end = FRONT_BYTES + unread.len();
        if !unread.is_empty() {
            bytes[FRONT_BYTES..end].copy_from_slice(unread);
        }
        *self = Self { start: place(FRONT_BYTES), end: place(end), bytes };
    }

    fn compact(&mut self) {
        self.bytes.copy_within(self.range(), FRONT_BYTES);
        self.end -= self.start - place(FRONT_BYTES);
        self.start = place(FRONT_BYTES);
    }
}

/// An index into a buffer, as it is kept.
#[inline]
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a buffer is one read, or what fits beside an opening head")
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_read_comes_behind_what_is_unread_at_one_place_of_the_buffer() {
        let (mut theirs, ours) = tokio::io::duplex(64);
        let (mut transport, mut local) = (Transport::other(ours), Local::take());
        let mut input = Input::starting_with(b"ab");
        for (read, unread, taken) in
            [("cdef", "abcdef", 4), ("gh", "efgh", 4), ("i", "i", 0), ("j", "ij", 1)]
        {
            theirs.write_all(read.as_bytes()).await.expect("there is room");
            let fill =
                |cx: &mut Context<'_>| input.poll_fill(READ_BYTES, &mut transport, &mut local, cx);
            assert_eq!(poll_fn(fill).await.expect("it is open"), read.len());
            assert_eq!((input.start as usize, &*input.unread()), (FRONT_BYTES, unread.as_bytes()));
            input.take(taken);
        }
        input.settle(&mut local);
        assert_eq!(input.unread(), b"j");
        assert!(!input.is_borrowed());
    }
}
