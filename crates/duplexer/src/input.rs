//! Bytes that were read and not yet understood. Reads go to a buffer borrowed from the thread; before waiting, the
//! little that an unfinished header or control frame leaves is copied out and the buffer given back.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::local::{Local, READ_BYTES};
use crate::transport::Transport;

/// The unread bytes of one connection.
#[derive(Default)]
pub(crate) struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    /// Bytes that arrived before the connection was open.
    pub(crate) fn starting_with(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), start: 0, end: bytes.len() }
    }

    /// The bytes that wait to be understood.
    #[inline]
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// Whether `bytes` belongs to the thread, whose buffers alone are that long; what is copied out is far shorter.
    #[inline]
    const fn is_borrowed(&self) -> bool {
        self.bytes.len() == READ_BYTES
    }

    /// Whether there are none.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The bytes at `range` of those that wait, by reference: they leave with the thread's buffer that they are in, and what
    /// stands from `rest` on is copied out. To be used where the range is most of that buffer.
    pub(crate) fn lend(&mut self, range: Range<usize>, rest: usize, local: &Local) -> Bytes {
        let unread = self.start;
        let kept = Self::starting_with(&self.bytes[unread + rest..self.end]);
        let lent = local.lend_buffer(std::mem::replace(self, kept).bytes);
        lent.slice(unread + range.start..unread + range.end)
    }

    /// Takes `len` bytes from the front.
    #[inline]
    pub(crate) const fn take(&mut self, len: usize) {
        self.start += len;
    }

    /// Drops everything, for a connection that reads no more.
    pub(crate) fn clear(&mut self, local: &mut Local) {
        self.start = self.end;
        self.settle(local);
    }

    /// Reads more behind what is there; zero bytes are the end of the stream. Not to be called while full.
    pub(crate) fn poll_fill(
        &mut self,
        transport: &mut Transport,
        local: &mut Local,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room(local);
        let mut buffer = ReadBuf::new(&mut self.bytes[self.end..]);
        ready!(Pin::new(transport).poll_read(cx, &mut buffer))?;
        let len = buffer.filled().len();
        self.end += len;
        Poll::Ready(Ok(len))
    }

    /// Whether there is no room for more.
    pub(crate) const fn is_full(&self) -> bool {
        self.end - self.start >= READ_BYTES
    }

    /// Gives the thread's buffer back, and keeps only what is unread.
    #[inline]
    pub(crate) fn settle(&mut self, local: &mut Local) {
        if self.is_borrowed() {
            self.give_back(local);
        } else if self.is_empty() && !self.bytes.is_empty() {
            *self = Self::default();
        }
    }

    fn give_back(&mut self, local: &mut Local) {
        let kept = Self::starting_with(&self.bytes[self.start..self.end]);
        local.give_buffer(std::mem::replace(self, kept).bytes);
    }

    /// Sees to it that the thread's buffer is in use, with what is unread at its front.
    fn make_room(&mut self, local: &mut Local) {
        if !self.is_borrowed() {
            let mut bytes = local.take_buffer();
            let unread = &self.bytes[self.start..self.end];
            bytes[..unread.len()].copy_from_slice(unread);
            *self = Self { start: 0, end: unread.len(), bytes };
        } else if self.start > 0 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }
}
