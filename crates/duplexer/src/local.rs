//! What all connections on a thread share while they work: read buffers, and the core's scratch with its masking keys.
//! Taken for the length of one poll and put back, so that a waiting connection holds none of it.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread::LocalKey;
use std::time::Duration;

use bytes::Bytes;
use duplexer_proto::{Scratch, Time};
use parking_lot::Mutex;
use rand::RngExt;

/// One thread's buffers.
pub(crate) struct Local {
    pub(crate) scratch: Scratch,
    buffers: Vec<Box<[u8]>>,
    /// Read buffers that were lent out and came back.
    returned: Arc<Returned>,
    /// When buffers were last freed.
    rested: Time,
}

type Returned = Mutex<Vec<Box<[u8]>>>;

/// A read buffer that pieces of messages point into. It comes back when the last of them is dropped, on whatever thread.
struct Lent {
    buffer: Box<[u8]>,
    home: Arc<Returned>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut returned = self.home.lock();
        if self.buffer.len() == BUFFER_BYTES && returned.len() < LENT_KEPT_MAX {
            returned.push(std::mem::take(&mut self.buffer));
        } else {
            free(std::mem::take(&mut self.buffer));
        }
    }
}

impl Local {
    /// Takes this thread's. While it is taken already (by a handler that now uses a second connection, or for a transport that is
    /// itself a WebSocket) this is another one.
    pub(crate) fn take() -> Borrowed {
        // Nothing is there, either, while the thread is being torn down.
        let taken = |slot: &'static LocalKey<Slot>| slot.try_with(Cell::take).ok().flatten();
        let local = taken(&LOCAL).or_else(|| taken(&SPARE));
        Borrowed(Some(local.unwrap_or_else(|| Box::new(Self::new()))))
    }

    fn new() -> Self {
        // A ChaCha generator seeded by the system: keys must not be predictable (RFC 6455 §10.3).
        let scratch = Scratch::new(|| rand::rng().random());
        Self { scratch, buffers: Vec::new(), returned: Arc::default(), rested: Time::ORIGIN }
    }

    /// A buffer to read into; its bytes are left over from other reads.
    pub(crate) fn take_buffer(&mut self) -> Box<[u8]> {
        let kept = self.buffers.pop().or_else(|| self.returned.lock().pop());
        kept.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice())
    }

    /// Makes a read buffer the pieces' that are in it.
    pub(crate) fn lend_buffer(&self, buffer: Box<[u8]>) -> Bytes {
        Bytes::from_owner(Lent { buffer, home: self.returned.clone() })
    }

    /// Frees read buffers, now and then: whoever has a deadline to look after calls this. Most of the next one stays untouched until a
    /// large message comes.
    pub(crate) fn rest(&mut self, now: Time) {
        if now.since(self.rested) >= REST_EVERY {
            self.rested = now;
            let returned = std::mem::take(&mut *self.returned.lock());
            std::mem::take(&mut self.buffers).into_iter().chain(returned).for_each(free);
        }
    }

    /// Takes a read buffer back, or frees one of another length.
    #[inline]
    pub(crate) fn give_buffer(&mut self, buffer: Box<[u8]>) {
        if buffer.len() == BUFFER_BYTES && self.buffers.len() < BUFFERS_KEPT_MAX {
            self.buffers.push(buffer);
        } else {
            free(buffer);
        }
    }
}

/// Frees a buffer, shrunk before: the core says of its own large ones why (`recycle`).
fn free(buffer: Box<[u8]>) {
    let mut buffer = buffer.into_vec();
    buffer.clear();
    buffer.shrink_to(1);
}

/// A thread's [`Local`], put back when dropped.
pub(crate) struct Borrowed(Option<Box<Local>>);

impl Deref for Borrowed {
    type Target = Local;

    #[inline]
    fn deref(&self) -> &Local {
        self.0.as_ref().expect("only `drop` empties it")
    }
}

impl DerefMut for Borrowed {
    #[inline]
    fn deref_mut(&mut self) -> &mut Local {
        self.0.as_mut().expect("only `drop` empties it")
    }
}

impl Drop for Borrowed {
    #[inline]
    fn drop(&mut self) {
        let local = self.0.take();
        // A thread that is being torn down keeps nothing.
        if let Ok(Some(other)) = LOCAL.try_with(|slot| slot.replace(local)) {
            let _ = SPARE.try_with(|slot| slot.set(Some(other)));
        }
    }
}

type Slot = Cell<Option<Box<Local>>>;

thread_local! {
    static LOCAL: Slot = const { Cell::new(None) };
    /// For the second connection that is used while a first one is still in use.
    static SPARE: Slot = const { Cell::new(None) };
}

/// Size of a read: large messages want few system calls, and streams a few large pieces. A little more than a power of two, since most
/// large messages are that long beside their header: a read for its fourteen bytes, and their write, cost some hundredths of a stream
/// of 1 MiB. Whole pages, for what is said of those below.
pub(crate) const READ_BYTES: usize = 520 << 10;
/// Bytes of a read buffer in front of what is read: half a page with the 16 bytes that the system's allocator puts in front of such
/// memory. What a kernel copies from and to is then unlikely to be at nearly the same place of a page, which is slow on AMD's Zen 3
/// and Zen 4; the core says more, of its own large buffers (`recycle`). Reads of whole pages keep it so for what is written on.
pub(crate) const FRONT_BYTES: usize = (2 << 10) - 16;
/// Length of a read buffer.
pub(crate) const BUFFER_BYTES: usize = FRONT_BYTES + READ_BYTES;
/// Most read buffers kept per thread.
const BUFFERS_KEPT_MAX: usize = 4;
/// The same of those that were lent out: a message that is passed on piece by piece has one or two of them under way.
const LENT_KEPT_MAX: usize = 8;
/// How often read buffers that lie about are freed.
const REST_EVERY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lent_buffer_comes_back_when_the_last_piece_in_it_is_dropped() {
        let mut local = Local::new();
        let buffer = local.take_buffer();
        let place = buffer.as_ptr();
        let lent = local.lend_buffer(buffer);
        let piece = lent.slice(5..10);
        drop(lent);
        assert!(local.returned.lock().is_empty(), "a piece is still there");
        std::thread::spawn(move || drop(piece)).join().expect("it only drops");
        let back = local.take_buffer();
        assert_eq!(back.as_ptr(), place);
    }

    #[test]
    fn only_so_many_read_buffers_are_kept_and_none_of_another_length() {
        let mut local = Local::new();
        let buffers: Vec<_> = (0..LENT_KEPT_MAX + 2).map(|_| local.take_buffer()).collect();
        let lent: Vec<_> = buffers.into_iter().map(|buffer| local.lend_buffer(buffer)).collect();
        drop(lent);
        assert_eq!(local.returned.lock().len(), LENT_KEPT_MAX);
        local.returned.lock().clear();
        drop(local.lend_buffer(vec![0; BUFFER_BYTES - 1].into()));
        assert!(local.returned.lock().is_empty());
    }

    #[test]
    fn buffers_that_lie_about_are_freed_after_a_while() {
        let mut local = Local::new();
        let buffers = [local.take_buffer(), local.take_buffer(), local.take_buffer()];
        let [lent, first, second] = buffers;
        drop(local.lend_buffer(lent));
        local.give_buffer(first);
        local.give_buffer(second);
        local.rest(Time::ORIGIN + REST_EVERY / 2);
        assert_eq!((local.returned.lock().len(), local.buffers.len()), (1, 2));
        local.rest(Time::ORIGIN + REST_EVERY);
        assert_eq!((local.returned.lock().len(), local.buffers.len()), (0, 0));
    }
}
