//! A connection as its users hold it: a driver behind a lock, with the tasks that wait for it. The last user to go says
//! goodbye, or leaves that to the server that hosts the handler.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};

use duplexer_proto::{CloseCode, CloseReason, State};

use crate::cork;
use crate::driver::Driver;
use crate::local::Local;

/// A connection and who waits for it.
pub(crate) struct Shared {
    driver: Mutex<Driver>,
    users: AtomicUsize,
    /// A handler of our server runs it, and its wrapper closes what the handler leaves open.
    hosted: bool,
    /// The task of that wrapper.
    host: OnceLock<Waker>,
}

impl Shared {
    pub(crate) fn new(driver: Driver, hosted: bool) -> Arc<Self> {
        Arc::new(Self {
            driver: Mutex::new(driver),
            users: AtomicUsize::new(0),
            hosted,
            host: OnceLock::new(),
        })
    }

    /// The driver. No code but ours, and the transport's, runs while it is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Driver> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the driver for the task of `cx`.
    #[inline]
    pub(crate) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver, &mut Context<'_>, &mut Local) -> R,
    ) -> R {
        let mut local = Local::take();
        let mut driver = self.lock();
        let Some(waiters) = driver.waiters.clone() else {
            return poll(&mut driver, cx, &mut local);
        };
        waiters.add(cx);
        let all = Waker::from(waiters);
        let result = poll(&mut driver, &mut Context::from_waker(&all), &mut local);
        tell_news(driver);
        result
    }

    /// Does something at once, and wakes those who wait for it.
    pub(crate) fn now<R>(&self, act: impl FnOnce(&mut Driver, &mut Local) -> R) -> R {
        let mut local = Local::take();
        let mut driver = self.lock();
        let result = act(&mut driver, &mut local);
        tell_news(driver);
        result
    }

    /// Writes what the transport takes at once. What it does not take, those who wait for the connection write later.
    pub(crate) fn write_now(&self) {
        let mut local = Local::take();
        let mut driver = self.lock();
        let waiters = driver.waiters.clone();
        let waker = waiters.map_or_else(|| Waker::noop().clone(), Waker::from);
        let _ = driver.poll_write_out(&mut Context::from_waker(&waker), &mut local);
        tell_news(driver);
    }

    /// Lets several tasks wait for the connection at once. Who has waited alone is woken, to wait with the others.
    pub(crate) fn share(&self) {
        let mut driver = self.lock();
        if driver.waiters.is_some() {
            return;
        }
        driver.waiters = Some(Arc::default());
        let alone = driver.last_waiting.take();
        drop(driver);
        if let Some(alone) = alone {
            alone.wake();
        }
    }

    /// Remembers the task of `cx` as the one that hosts the handler.
    pub(crate) fn host(&self, cx: &Context<'_>) {
        self.host.get_or_init(|| cx.waker().clone());
    }

    /// Wakes the task that hosts the handler.
    pub(crate) fn wake_host(&self) {
        if let Some(host) = self.host.get() {
            host.wake_by_ref();
        }
    }

    /// Wakes everyone who waits for the connection.
    pub(crate) fn wake_waiting(&self) {
        let mut driver = self.lock();
        let (waiters, last) = (driver.waiters.clone(), driver.last_waiting.take());
        drop(driver);
        if let Some(waiters) = waiters {
            waiters.wake_all();
        }
        if let Some(last) = last {
            last.wake();
        }
    }

    /// Whether nobody holds a handle.
    pub(crate) fn is_released(&self) -> bool {
        self.users.load(Ordering::Acquire) == 0
    }
}

/// Wakes everyone who waits, if the driver has news.
fn tell_news(mut driver: MutexGuard<'_, Driver>) {
    if std::mem::take(&mut driver.news) {
        let waiters = driver.waiters.clone();
        drop(driver);
        if let Some(waiters) = waiters {
            waiters.wake_all();
        }
    }
}

/// One user's hold of a connection.
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.users.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }

    /// The number that the connection is corked under.
    #[inline]
    fn id(&self) -> usize {
        id(&self.0)
    }

    /// Whether what is queued now is written after the running poll of a handler.
    #[inline]
    pub(crate) fn is_corked(&self) -> bool {
        cork::is_corked(self.id())
    }
}

/// The number of a connection: its place in memory, which no other has while it lives.
pub(crate) fn id(shared: &Arc<Shared>) -> usize {
    Arc::as_ptr(shared).addr()
}

impl std::ops::Deref for Handle {
    type Target = Shared;

    #[inline]
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0.users.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        if self.0.hosted {
            self.0.wake_host();
            return;
        }
        // Nobody is left to wait for an answer: say that we go, as far as that can be done at once.
        self.0.now(|driver, local| {
            if driver.conn.state() == State::Open {
                let going = CloseReason::new(CloseCode::GOING_AWAY, "").ok();
                driver.start_close(going.as_ref(), local);
                let _ = driver.poll_write_out(&mut Context::from_waker(Waker::noop()), local);
            }
        });
    }
}
