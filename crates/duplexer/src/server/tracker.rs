//! Everything that a server has running, so that it can end: connections, and tasks that are none yet.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use slab::Slab;
use tokio::sync::watch;

use crate::handle::Shared;
use crate::server::caps::Seat;

/// How far a server is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It accepts connections.
    Serving,
    /// It accepts none, and those that are open are being closed.
    Closing,
    /// What is left is dropped.
    Dropping,
}

/// What runs.
pub(crate) struct Tracker {
    phase: watch::Sender<Phase>,
    /// The phase again, to be read at each poll of each handler.
    now: AtomicU8,
    sockets: Mutex<Slab<Tracked>>,
    /// Tasks of connections, whether they are open yet or not.
    tasks: AtomicUsize,
}

impl Tracker {
    pub(crate) fn new() -> Arc<Self> {
        let (phase, sockets) = (watch::Sender::new(Phase::Serving), Mutex::default());
        let now = AtomicU8::new(Phase::Serving as u8);
        Arc::new(Self { phase, now, sockets, tasks: AtomicUsize::new(0) })
    }

    /// Counts a task until the guard is dropped. Who looks at the phase after that sees a shutdown that does not wait for the task: counts
    /// and phases are in one order for all threads.
    pub(crate) fn task(self: &Arc<Self>) -> TaskGuard {
        self.tasks.fetch_add(1, Ordering::SeqCst);
        TaskGuard(self.clone())
    }

    /// Knows the open connection of a task until the guard is dropped. Its host is woken when the phase changes.
    pub(crate) fn socket(
        task: TaskGuard,
        shared: &Arc<Shared>,
        seat: Option<Box<Seat>>,
        traced: bool,
    ) -> SocketGuard {
        let key = task.0.lock().insert(Tracked { shared: Arc::downgrade(shared), _seat: seat });
        let key = u32::try_from(key).expect("there are fewer connections");
        SocketGuard { task, key, traced }
    }

    /// How many connections are open.
    pub(crate) fn sockets(&self) -> usize {
        self.lock().len()
    }

    /// Ends when the server is at `phase` or beyond.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.subscribe();
        let dropping = |now: &Phase| *now == phase || *now == Phase::Dropping;
        // The sender lives as long as this.
        let _ = phases.wait_for(dropping).await;
    }

    /// How far the server is on its way out.
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        match self.now.load(Ordering::SeqCst) {
            SERVING => Phase::Serving,
            CLOSING => Phase::Closing,
            _ => Phase::Dropping,
        }
    }

    /// Closes everything with 1001, and drops what is left after `grace`. Dropped, it leaves the closing as it is; another
    /// call counts its own grace.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        self.enter(Phase::Closing);
        if tokio::time::timeout(grace, self.idle()).await.is_ok() {
            return;
        }
        self.enter(Phase::Dropping);
        self.idle().await;
    }

    /// Tells everything that runs what is to be done; there is no way back to an earlier phase. Hosts look when they are woken, in their own polls: from here no
    /// connection is locked.
    fn enter(&self, phase: Phase) {
        self.now.fetch_max(phase as u8, Ordering::SeqCst);
        self.phase.send_if_modified(|now| {
            let later = (*now as u8) < phase as u8;
            if later {
                *now = phase;
            }
            later
        });
        let sockets: Vec<_> =
            self.lock().iter().filter_map(|(_, socket)| socket.shared.upgrade()).collect();
        for socket in sockets {
            socket.wake_host();
        }
    }

    /// Ends when no task runs.
    async fn idle(&self) {
        let mut phases = self.phase.subscribe();
        while self.tasks.load(Ordering::SeqCst) > 0 {
            // Tasks that end say so with a change that changes nothing.
            let _ = phases.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Tracked>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running task.
pub(crate) struct TaskGuard(Arc<Tracker>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        let left = self.0.tasks.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == 0 && *self.0.phase.borrow() != Phase::Serving {
            self.0.phase.send_modify(|_| {});
        }
    }
}

/// An open connection, as the tracker knows it. As large as a free place for one.
struct Tracked {
    shared: Weak<Shared>,
    /// What it is counted as, where its server counts.
    _seat: Option<Box<Seat>>,
}

/// An open connection, until it is dropped.
pub(crate) struct SocketGuard {
    task: TaskGuard,
    /// Where the tracker knows it.
    key: u32,
    /// Somebody is told of it.
    traced: bool,
}

impl SocketGuard {
    /// Whether somebody is told of the connection: its driver knows who.
    #[inline]
    pub(crate) const fn is_traced(&self) -> bool {
        self.traced
    }

    /// How far the server is on its way out.
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        self.task.0.phase()
    }
}

const SERVING: u8 = Phase::Serving as u8;
const CLOSING: u8 = Phase::Closing as u8;

impl Drop for SocketGuard {
    fn drop(&mut self) {
        // Outlives the lock: what is dropped with it takes another one.
        let _left = self.task.0.lock().remove(self.key as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_with_more_patience_does_not_stop_what_is_being_dropped() {
        let tracker = Tracker::new();
        let running = tracker.task();
        let first = tokio::spawn({
            let tracker = tracker.clone();
            async move { tracker.shutdown(Duration::ZERO).await }
        });
        tracker.reached(Phase::Dropping).await;
        let later = tracker.shutdown(Duration::from_secs(60));
        assert!(tokio::time::timeout(Duration::from_secs(1), later).await.is_err());
        assert_eq!(*tracker.phase.borrow(), Phase::Dropping);
        assert_eq!(tracker.now.load(Ordering::Acquire), Phase::Dropping as u8);
        drop(running);
        first.await.expect("no panic");
    }
}
