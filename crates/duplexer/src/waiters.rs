//! Who waits for one connection. A transport remembers one waker for each direction; once several tasks use a connection, it is
//! given a waker that wakes them all, so that none is lost when another has asked last or has gone away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// Who is to be told of a connection.
pub(crate) enum Waiting {
    /// The task that waited last; where none has, a waker that does nothing.
    Alone(Waker),
    /// All who wait, once several tasks use the connection.
    Together(Arc<Waiters>),
}

impl Waiting {
    /// Nobody yet.
    pub(crate) fn nobody() -> Self {
        Self::Alone(Waker::noop().clone())
    }

    /// Those who wait together, if they do.
    #[inline]
    pub(crate) const fn together(&self) -> Option<&Arc<Waiters>> {
        match self {
            Self::Alone(_) => None,
            Self::Together(waiters) => Some(waiters),
        }
    }

    /// What wakes all who wait.
    pub(crate) fn waker(&self) -> Waker {
        match self {
            Self::Alone(waker) => waker.clone(),
            Self::Together(waiters) => Waker::from(waiters.clone()),
        }
    }

    /// Whether the task of `cx` is known. Those who wait together are polled with the one waker that wakes them all.
    #[inline]
    pub(crate) fn knows(&self, cx: &Context<'_>) -> bool {
        match self {
            Self::Alone(waker) => waker.will_wake(cx.waker()),
            Self::Together(_) => true,
        }
    }

    /// Whether what waits is one task alone, and not the one of `cx`.
    pub(crate) fn is_another(&self, cx: &Context<'_>) -> bool {
        match self {
            Self::Alone(waker) => !waker.will_wake(cx.waker()),
            Self::Together(_) => false,
        }
    }
}

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
    fn remove(&self, cx: &Context<'_>) {
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

/// A task among those that wait, while it is polled.
pub(crate) struct Joined {
    waiters: Arc<Waiters>,
    /// Wakes them all.
    waker: Waker,
    /// It has not waited before.
    new: bool,
}

impl Joined {
    /// Adds the task of `cx`.
    pub(crate) fn new(waiters: &Arc<Waiters>, cx: &Context<'_>) -> Self {
        let new = waiters.add(cx);
        Self { waiters: waiters.clone(), waker: Waker::from(waiters.clone()), new }
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Forgets the task of `cx` again, which does not wait.
    pub(crate) fn leave(&self, cx: &Context<'_>) {
        if self.new {
            self.waiters.remove(cx);
        }
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
