//! The runtime behind all blocking sockets of a process, and waiting for a future in a thread of the user's.

use std::cell::OnceCell;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::coop;

use crate::handle::Shared;

/// The process's runtime, and leave to use it.
#[derive(Clone, Debug)]
pub(super) struct Runtime(Handle);

impl Runtime {
    /// The runtime, which is started where it does not run yet.
    pub(super) fn get() -> io::Result<Self> {
        static RUNNING: Mutex<Option<Handle>> = Mutex::new(None);
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*running {
            return Ok(Self(handle.clone()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name("duplexer-blocking".into());
        thread.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        *running = Some(handle.clone());
        Ok(Self(handle))
    }

    /// Waits for a future.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            let by = Instant::now() + LONG;
            if let Some(output) = self.wait_until(future.as_mut(), by) {
                return output;
            }
        }
    }

    /// Waits for a future until `deadline`, and drops it then. Polls it at least once.
    pub(super) fn wait_until<F: Future>(&self, future: F, deadline: Instant) -> Option<F::Output> {
        let _inside = self.0.enter();
        // In a task of another runtime its budget would run out, and nothing here renews it.
        let mut future = pin!(coop::unconstrained(future));
        let parker = Parker::of_this_thread();
        let waker = Waker::from(parker.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Some(output);
            }
            if !parker.park_until(deadline) {
                return None;
            }
        }
    }

    /// Does something that may set timers.
    pub(super) fn inside<R>(&self, act: impl FnOnce() -> R) -> R {
        let _inside = self.0.enter();
        act()
    }

    /// Looks at a connection from time to time, as long as anybody holds it and it is not over.
    pub(super) fn attend(&self, shared: Weak<Shared>) {
        self.0.spawn(async move {
            loop {
                tokio::time::sleep(ATTEND_INTERVAL).await;
                match shared.upgrade() {
                    Some(shared) if shared.attend_now() => {}
                    Some(_) | None => return,
                }
            }
        });
    }
}

/// Wakes a thread that waits. One for each thread, so that a connection knows a thread that asks again.
struct Parker {
    woken: AtomicBool,
    thread: Thread,
}

impl Parker {
    fn of_this_thread() -> Arc<Self> {
        thread_local! {
            static PARKER: OnceCell<Arc<Parker>> = const { OnceCell::new() };
        }
        let new = || {
            let thread = std::thread::current();
            Arc::new(Self { woken: AtomicBool::new(false), thread })
        };
        // A thread that is being torn down keeps none.
        PARKER.try_with(|parker| parker.get_or_init(new).clone()).unwrap_or_else(|_| new())
    }

    /// Waits to be woken; false when the deadline comes first.
    fn park_until(&self, deadline: Instant) -> bool {
        loop {
            if self.woken.swap(false, Ordering::Acquire) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::park_timeout(left);
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// A wait without a deadline begins anew after this time.
const LONG: Duration = Duration::from_secs(24 * 3600);
/// How often a connection is looked at that no thread uses.
const ATTEND_INTERVAL: Duration = Duration::from_secs(1);
