//! Connections that a running handler sends to beside its own: those of a room, say. What one poll of it has sent to one of them leaves
//! together when the poll ends, as what it sends on its own does (see `cork`); what it has given together leaves at once.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::coop;
use crate::cork;
use crate::driver::Driver;
use crate::handle::Shared;

thread_local! {
    static LISTED: Cell<Vec<Arc<Shared>>> = const { Cell::new(Vec::new()) };
    /// Connections that were written to at once.
    static AT_ONCE: Cell<usize> = const { Cell::new(0) };
    /// Something is in either of them.
    static USED: Cell<bool> = const { Cell::new(false) };
    static THREAD: Cell<Option<NonZeroU32>> = const { Cell::new(None) };
}

/// A poll of a handler, at whose end all is written that was put off until then.
pub(crate) struct Turn;

impl Drop for Turn {
    // Most handlers never send to others.
    #[inline(always)]
    fn drop(&mut self) {
        if USED.get() {
            end();
        }
    }
}

/// Ends a poll that has sent to others. One within another handler's poll ends that one's as well, and what it may write at once
/// begins anew.
fn end() {
    USED.set(false);
    let listed = LISTED.with(Cell::take);
    if !listed.is_empty() {
        write_out(listed);
    }
    AT_ONCE.set(0);
}

/// Leaves what waits on `shared`, whose driver is in use, to be written when the running handler's poll ends. False where none runs, or much
/// waits: then it is to be written now.
#[inline]
pub(crate) fn put_off(shared: &Arc<Shared>, driver: &mut Driver) -> bool {
    let bytes_max = LATER_BYTES_MAX.min(driver.conn.limits().queue_bytes_max);
    if !cork::runs_handler() || driver.conn.queued_bytes() >= bytes_max {
        return false;
    }
    let thread = THREAD.get().unwrap_or_else(number);
    if driver.put_off_by.replace(thread) != Some(thread) {
        let mut listed = LISTED.take();
        listed.push(shared.clone());
        LISTED.set(listed);
        USED.set(true);
    }
    true
}

/// When what was given to a connection together leaves.
pub(crate) enum Leaves {
    /// At the end of the running poll.
    Later,
    /// Now, whatever tokio's budget for the running poll says.
    AtOnce,
    /// Now, as far as that budget goes.
    Now,
}

/// When that is, where all was queued, for another connection than the handler's own, whose driver is in use: at once where it is
/// little, since it is in the cache now and its sender has nothing to add.
pub(crate) fn leaves(shared: &Arc<Shared>, driver: &mut Driver) -> Leaves {
    let little = driver.conn.queued_bytes() < LATER_BYTES_MAX;
    if cork::runs_handler() && little && AT_ONCE.get() < AT_ONCE_MAX {
        AT_ONCE.set(AT_ONCE.get() + 1);
        USED.set(true);
        return Leaves::AtOnce;
    }
    if put_off(shared, driver) { Leaves::Later } else { Leaves::Now }
}

/// Lets it leave then; its driver is not in use any more.
pub(crate) fn leave(shared: &Shared, leaves: Leaves) {
    match leaves {
        Leaves::Later => {}
        Leaves::Now => write_now(shared),
        Leaves::AtOnce => coop::unconstrained(|| write_now(shared)),
    }
}

/// Writes what waits on one connection, as far as tokio's budget for the running poll goes.
pub(crate) fn write_now(shared: &Shared) {
    if cork::runs_handler() { write(shared) } else { shared.write_now() }
}

fn write_out(mut listed: Vec<Arc<Shared>>) {
    let at_once = listed.len().min(AT_ONCE_MAX);
    // tokio lets one poll of a task do 128 things, and then has it wait: a thousand tasks that are woken to write for themselves cost
    // more than a thousand writes.
    coop::unconstrained(|| listed.drain(..at_once).for_each(|shared| write(&shared)));
    // So many would keep the thread from others. Who cannot be written to now is woken.
    listed.drain(..).for_each(|shared| write(&shared));
    if listed.capacity() <= AT_ONCE_MAX {
        // What the writing itself has put off, by a transport that is a connection, comes behind.
        listed.append(&mut LISTED.take());
        LISTED.set(listed);
    }
}

/// Writes what waits on one connection. One whose transport panics does not keep the others from being written to: it ends.
fn write(shared: &Shared) {
    let written = std::panic::catch_unwind(AssertUnwindSafe(|| shared.write_now()));
    if written.is_err() {
        tracing::error!("a transport panicked");
        shared.now(|driver, _| driver.abort());
        shared.wake_waiting();
    }
}

#[cold]
fn number() -> NonZeroU32 {
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    let number = NonZeroU32::MIN.saturating_add(NUMBERS.fetch_add(1, Ordering::Relaxed));
    THREAD.set(Some(number));
    number
}

/// From this many bytes on what is sent to another connection than the running handler's is neither put off nor written beside the
/// budget.
const LATER_BYTES_MAX: usize = 16 << 10;
/// Connections that are written to in one poll, and as many at its end, whatever else the thread has to do.
const AT_ONCE_MAX: usize = 1024;
