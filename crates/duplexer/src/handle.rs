//! A connection as its users hold it: a driver behind a lock, with the tasks that wait for it. The last user to go says
//! goodbye, or leaves that to the server that hosts the handler.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

#[cfg(feature = "blocking")]
use duplexer_proto::State;
use duplexer_proto::{CloseCode, CloseReason};
use parking_lot::{Mutex, MutexGuard};

use crate::cork::{self, Kept};
use crate::driver::Driver;
use crate::local::{Borrowed, Local};
use crate::waiters::{Joined, Waiters, Waiting};

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
        // One call of `act`, which is compiled in place then.
        let mut held = self.hold();
        let (driver, local) = held.parts();
        let result = act(driver, local);
        held.let_go();
        result
    }

    // In place, as `let_go` is, so that what is held need not go through memory: a sixteenth of a message to a subscriber.
    #[inline(always)]
    fn hold(&self) -> Held<'_> {
        if self.is_corked() {
            return Held::Corked(cork::take_kept().unwrap_or_else(|| self.keep()));
        }
        let local = Local::take();
        let driver = self.driver.try_lock().unwrap_or_else(|| {
            cork::release();
            self.driver.lock()
        });
        Held::Plain(driver, local)
    }

    fn keep(&self) -> Kept {
        Kept { driver: self.driver.lock_arc(), local: Local::take() }
    }

    /// Polls the driver for the task of `cx`.
    #[inline]
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver, &mut Context<'_>, &mut Local) -> Poll<T>,
    ) -> Poll<T> {
        self.now(|driver, local| {
            let joined = driver.waiting.together().map(|waiters| Joined::new(waiters, cx));
            let waker = joined.as_ref().map_or(cx.waker(), Joined::waker);
            let polled = poll(driver, &mut Context::from_waker(waker), local);
            if let Some(joined) = joined
                && polled.is_ready()
            {
                joined.leave(cx);
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

/// A connection that is being used.
enum Held<'s> {
    /// By its own handler, for which it stays locked.
    Corked(Kept),
    Plain(MutexGuard<'s, Driver>, Borrowed),
}

impl Held<'_> {
    #[inline]
    fn parts(&mut self) -> (&mut Driver, &mut Local) {
        match self {
            Self::Corked(Kept { driver, local }) => (driver, local),
            Self::Plain(driver, local) => (driver, local),
        }
    }

    /// Ends the use; those are woken then who wait for what it brought.
    #[inline(always)]
    fn let_go(self) {
        match self {
            Self::Corked(kept) if kept.driver.waiting.together().is_none() => cork::keep(kept),
            Self::Corked(_) | Self::Plain(..) => self.unlock(),
        }
    }

    fn unlock(self) {
        let told = match self {
            Self::Corked(mut kept) => kept.driver.take_told(),
            Self::Plain(mut driver, mut local) => {
                driver.settle_empty(&mut local);
                driver.take_told()
            }
        };
        tell(told);
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
