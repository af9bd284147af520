//! A connection as its users hold it: a driver behind a lock, with the tasks that wait for it. The last user to go says
//! goodbye, or leaves that to the server that hosts the handler.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

#[cfg(feature = "blocking")]
use duplexer_proto::State;
use duplexer_proto::{CloseCode, CloseReason};
use parking_lot::Mutex;

use crate::cork::{self, Kept};
use crate::driver::Driver;
use crate::local::Local;
use crate::waiters::{Waiters, Waiting};

/// A connection and who waits for it.
pub(crate) struct Shared {
    driver: Arc<Mutex<Driver>>,
    users: AtomicU32,
    /// A handler of our server runs it, and its wrapper closes what the handler leaves open.
    hosted: bool,
    /// The task of that wrapper.
    host: OnceLock<Waker>,
}

impl Shared {
    /// A connection whose users run it themselves.
    pub(crate) fn new(driver: Driver) -> Arc<Self> {
        Self::run_by(driver, false)
    }

    /// A connection with a handler of our server.
    pub(crate) fn hosted(driver: Driver) -> Arc<Self> {
        Self::run_by(driver, true)
    }

    fn run_by(driver: Driver, hosted: bool) -> Arc<Self> {
        Arc::new(Self {
            driver: Arc::new(Mutex::new(driver)),
            users: AtomicU32::new(0),
            hosted,
            host: OnceLock::new(),
        })
    }

    /// Does something with the driver, and wakes those who wait for what it brought. No code but ours, and the
    /// transport's, runs meanwhile.
    ///
    /// During a poll of its own handler a connection that is not split stays locked from the first use to the end of the
    /// poll, or until the handler waits for another one's lock: locking for each message would cost a tenth of it.
    #[inline]
    pub(crate) fn now<R>(&self, act: impl FnOnce(&mut Driver, &mut Local) -> R) -> R {
        if !self.is_corked() {
            let mut local = Local::take();
            let mut driver = self.driver.try_lock().unwrap_or_else(|| {
                cork::release();
                self.driver.lock()
            });
            let result = act(&mut driver, &mut local);
            driver.settle_empty(&mut local);
            let told = driver.take_told();
            drop(driver);
            tell(told);
            return result;
        }
        let mut kept = cork::take_kept()
            .unwrap_or_else(|| Kept { driver: self.driver.lock_arc(), local: Local::take() });
        let result = act(&mut kept.driver, &mut kept.local);
        if kept.driver.waiting.together().is_none() {
            cork::keep(kept);
            return result;
        }
        let told = kept.driver.take_told();
        drop(kept);
        tell(told);
        result
    }

    /// Polls the driver for the task of `cx`.
    #[inline]
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver, &mut Context<'_>, &mut Local) -> Poll<T>,
    ) -> Poll<T> {
        self.now(|driver, local| {
            let Some(waiters) = driver.waiting.together().cloned() else {
                return poll(driver, cx, local);
            };
            let added = waiters.add(cx);
            let waker = Waker::from(waiters.clone());
            let polled = poll(driver, &mut Context::from_waker(&waker), local);
            if added && polled.is_ready() {
                waiters.remove(cx);
            }
            polled
        })
    }

    /// Looks at the driver.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Driver) -> R) -> R {
        self.now(|driver, _| look(driver))
    }

    /// Writes what the transport takes at once. What it does not take, those who wait for the connection write later.
    pub(crate) fn write_now(&self) {
        self.now(|driver, local| {
            driver.put_off_by = None;
            // Nearly always all is taken at once, and nobody need be named.
            let mut nobody = Context::from_waker(Waker::noop());
            if driver.poll_write_out(&mut nobody, local).is_pending() {
                // The transport wakes whom it was told last: it is not to forget who waits already.
                let waker = driver.waiting.waker();
                let _ = driver.poll_write_out(&mut Context::from_waker(&waker), local);
            }
        });
    }

    /// Attends to the connection without waiting: control frames, deadlines, what waits to be written, and the end. Those who wait for the
    /// connection are woken for what comes. False when it is over.
    #[cfg(feature = "blocking")]
    pub(crate) fn attend_now(&self) -> bool {
        self.now(|driver, local| {
            let waker = driver.waiting.waker();
            let mut cx = Context::from_waker(&waker);
            let _ = driver.poll_write_out(&mut cx, local);
            driver.attend(&mut cx, local);
            driver.settle(local);
            let open = driver.conn.state() == State::Open;
            open || driver.poll_finish(&mut cx, local).is_pending()
        })
    }

    /// Lets several tasks wait for the connection at once. Who has waited alone is woken, to wait with the others.
    pub(crate) fn share(&self) {
        if let Some(alone) = self.now(|driver, _| driver.share()) {
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
        match self.now(|driver, _| driver.take_waiting()) {
            Waiting::Alone(waker) => waker.wake(),
            Waiting::Together(waiters) => waiters.wake_all(),
        }
    }

    /// The number that the connection is corked under: its place in memory, which no other has while it lives.
    #[inline]
    pub(crate) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether what is queued now is written after the running poll of a handler.
    #[inline]
    pub(crate) fn is_corked(&self) -> bool {
        cork::is_corked(self.id())
    }

    /// Whether nobody holds a handle.
    pub(crate) fn is_released(&self) -> bool {
        self.users.load(Ordering::Acquire) == 0
    }
}

fn tell(waiters: Option<Arc<Waiters>>) {
    if let Some(waiters) = waiters {
        waiters.wake_all();
    }
}

/// One user's hold of a connection.
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.users.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }

    /// The connection, without a hold of it.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// The same, without keeping it.
    #[cfg(feature = "blocking")]
    pub(crate) fn weak(&self) -> std::sync::Weak<Shared> {
        Arc::downgrade(&self.0)
    }
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
        // Nobody is left to wait for an answer: say that we go, unless the end has begun already, as far as that and
        // what was queued before can be written at once.
        self.0.now(|driver, local| {
            let going = CloseReason::new(CloseCode::GOING_AWAY, "").ok();
            driver.start_close(going.as_ref(), local);
            let _ = driver.poll_write_out(&mut Context::from_waker(Waker::noop()), local);
        });
    }
}
