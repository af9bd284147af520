//! The calls that wait for one `Reconnect`: all are woken together, and one that is dropped leaves nothing behind. Two calls of one
//! task are two here, so that the end of one does not leave the other without its waker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use parking_lot::Mutex;

/// The calls that wait.
#[derive(Default)]
pub(super) struct Calls(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    /// The number of the next call.
    next: u64,
}

/// A call, which waits from its first [`waits`](Call::waits) until it is woken or dropped.
pub(super) struct Call<'a> {
    calls: &'a Calls,
    /// Its number, once it has waited.
    number: Option<u64>,
}

impl Calls {
    /// A call that does not wait yet.
    pub(super) const fn call(&self) -> Call<'_> {
        Call { calls: self, number: None }
    }

    /// Wakes all, and forgets them.
    pub(super) fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.0.lock().wakers);
        for waker in wakers.into_values() {
            waker.wake();
        }
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

impl Call<'_> {
    /// Is woken from now on through the task of `cx`. Gives back the waker that this replaces, which is to be dropped without a lock.
    #[must_use]
    pub(super) fn waits(&mut self, cx: &Context<'_>) -> Option<Waker> {
        let mut waiting = self.calls.0.lock();
        let number = *self.number.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        match waiting.wakers.get(&number) {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            Some(_) | None => waiting.wakers.insert(number, cx.waker().clone()),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let waker = self.calls.0.lock().wakers.remove(&number);
        // The last waker of a task may take the task with it, and further calls.
        drop(waker);
    }
}
