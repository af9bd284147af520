//! Everything that a server has running, so that it can end: connections, and tasks that are none yet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use duplexer_proto::{CloseCode, CloseReason};
use slab::Slab;
use tokio::sync::watch;

use crate::handle::Shared;

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
    sockets: Mutex<Slab<Weak<Shared>>>,
    /// Tasks of connections, whether they are open yet or not.
    tasks: AtomicUsize,
}

impl Tracker {
    pub(crate) fn new() -> Arc<Self> {
        let (phase, sockets) = (watch::Sender::new(Phase::Serving), Mutex::default());
        Arc::new(Self { phase, sockets, tasks: AtomicUsize::new(0) })
    }

    /// Counts a task until the guard is dropped.
    pub(crate) fn task(self: &Arc<Self>) -> TaskGuard {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        TaskGuard(self.clone())
    }

    /// Knows an open connection until the guard is dropped. One that opens while the server closes is closed at once.
    pub(crate) fn socket(self: &Arc<Self>, shared: &Arc<Shared>) -> SocketGuard {
        let key = self.lock().insert(Arc::downgrade(shared));
        if *self.phase.borrow() != Phase::Serving {
            go_away(shared);
        }
        SocketGuard { tracker: self.clone(), key }
    }

    /// Ends when the server is at `phase` or beyond.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.subscribe();
        let dropping = |now: &Phase| *now == phase || *now == Phase::Dropping;
        // The sender lives as long as this.
        let _ = phases.wait_for(dropping).await;
    }

    /// Closes everything with 1001, and drops what is left after `grace`.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        self.phase.send_replace(Phase::Closing);
        self.each_socket(go_away);
        if tokio::time::timeout(grace, self.idle()).await.is_ok() {
            return;
        }
        self.phase.send_replace(Phase::Dropping);
        self.each_socket(|shared| {
            shared.now(|driver, _| driver.abort());
            shared.wake_host();
        });
        self.idle().await;
    }

    /// Ends when no task runs.
    async fn idle(&self) {
        let mut phases = self.phase.subscribe();
        while self.tasks.load(Ordering::Acquire) > 0 {
            // Tasks that end say so with a change that changes nothing.
            let _ = phases.changed().await;
        }
    }

    fn each_socket(&self, act: impl Fn(&Arc<Shared>)) {
        let sockets: Vec<_> =
            self.lock().iter().filter_map(|(_, socket)| socket.upgrade()).collect();
        sockets.iter().for_each(act);
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Weak<Shared>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts closing one connection because the server goes down.
fn go_away(shared: &Arc<Shared>) {
    let reason = CloseReason::new(CloseCode::GOING_AWAY, "the server is shutting down").ok();
    shared.now(|driver, local| driver.start_close(reason.as_ref(), local));
    shared.wake_host();
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

/// An open connection.
pub(crate) struct SocketGuard {
    tracker: Arc<Tracker>,
    key: usize,
}

impl SocketGuard {
    /// Whether what is left of the server is dropped.
    pub(crate) fn is_dropping(&self) -> bool {
        *self.tracker.phase.borrow() == Phase::Dropping
    }
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        self.tracker.lock().remove(self.key);
    }
}
