//! Who waits for one connection. A transport remembers one waker for each direction; once several tasks use a connection, it is
//! given a waker that wakes them all, so that none is lost when another has asked last or has gone away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// The tasks that wait for a connection.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<Vec<Waker>>);

impl Waiters {
    /// Adds the task of `cx`, once; tells whether it was not there yet.
    pub(crate) fn add(&self, cx: &Context<'_>) -> bool {
        let mut waiting = self.lock();
        let new = !waiting.iter().any(|waker| waker.will_wake(cx.waker()));
        if new {
            waiting.push(cx.waker().clone());
        }
        new
    }

    /// Forgets the task of `cx`, which no longer waits.
    pub(crate) fn remove(&self, cx: &Context<'_>) {
        self.lock().retain(|waker| !waker.will_wake(cx.waker()));
    }

    /// Wakes all, and forgets them.
    pub(crate) fn wake_all(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        for waker in waiting {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
