//! Runs a handler with its connection: after each poll of the handler all that it has sent is written at once, and what it leaves
//! open is closed.

use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use duplexer_proto::{CloseCode, CloseReason, State};
use pin_project_lite::pin_project;

use crate::coop;
use crate::cork::Corked;
use crate::driver::Driver;
use crate::handle::Shared;
use crate::later::Turn;
use crate::local::Local;
use crate::server::tracker::{Phase, SocketGuard};
use crate::watch::Trace;

/// What a handler may return: nothing, or a `Result` whose error closes the connection with 1011 and is logged.
///
/// ```
/// use duplexer::HandlerOutcome;
/// assert!(().outcome().is_ok());
/// let failed: Result<(), std::io::Error> = Err(std::io::Error::other("no room"));
/// assert_eq!(failed.outcome().unwrap_err().to_string(), "no room");
/// ```
pub trait HandlerOutcome {
    /// The error, as the server logs it.
    ///
    /// # Errors
    /// The handler failed.
    fn outcome(self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl HandlerOutcome for () {
    fn outcome(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> HandlerOutcome for Result<(), E> {
    fn outcome(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}

pin_project! {
    /// A handler's future and the connection that was given to it. Every byte of it is in the task of every connection.
    pub(crate) struct Hosted<F> {
        #[pin]
        handler: Handler<F>,
        shared: Arc<Shared>,
        tracked: SocketGuard,
    }
}

pin_project! {
    /// A handler's future.
    #[project = Projected]
    enum Handler<F> {
        Runs {
            #[pin]
            future: F,
            // It was woken since the connection is over.
            woken: bool,
        },
        Ended,
    }
}

impl<F> Hosted<F>
where
    F: Future<Output: HandlerOutcome>,
{
    /// Calls the handler; it may panic before there is a future.
    pub(crate) fn new(
        handler: impl FnOnce() -> F,
        shared: Arc<Shared>,
        tracked: SocketGuard,
    ) -> Self {
        let called = || std::panic::catch_unwind(AssertUnwindSafe(handler));
        let trace = told(&tracked, &shared);
        let called = match &trace {
            Some(trace) => trace.in_span(called),
            None => called(),
        };
        let (handler, panic) = match called {
            Ok(future) => (Handler::Runs { future, woken: false }, None),
            Err(panic) => (Handler::Ended, Some(panic)),
        };
        let hosted = Self { handler, shared, tracked };
        if let Some(panic) = panic {
            let (code, reason) = panicked(&*panic, trace.as_deref());
            hosted.close(code, reason);
        }
        hosted
    }

    /// Polls the handler.
    fn poll_handler(mut self: Pin<&mut Self>, cx: &mut Context<'_>, trace: Option<&Trace>) {
        let mut this = self.as_mut().project();
        let Projected::Runs { future, .. } = this.handler.as_mut().project() else { return };
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx)));
        let (code, reason) = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(outcome)) => match outcome.outcome() {
                Ok(()) => (CloseCode::NORMAL, ""),
                Err(error) => {
                    match trace {
                        Some(trace) => trace.handler_failed(&error),
                        None => tracing::info!(%error, "handler failed"),
                    }
                    (CloseCode::INTERNAL_ERROR, "internal error")
                }
            },
            Err(panic) => panicked(&*panic, trace),
        };
        this.handler.set(Handler::Ended);
        // A handler that ended well may have given its socket away; one that failed may not keep it.
        if code == CloseCode::INTERNAL_ERROR || self.shared.is_released() {
            self.close(code, reason);
        }
    }

    fn close(&self, code: CloseCode, reason: &str) {
        self.shared.now(|driver, local| {
            // A connection that is over, as most are when their handlers return, needs no reason.
            if driver.conn.state() == State::Open {
                let reason = CloseReason::new(code, reason).ok();
                driver.start_close(reason.as_ref(), local);
            }
        });
    }

    /// Writes what the handler has sent, attends to control frames and deadlines where the handler does not, and gives
    /// buffers back.
    fn poll_written(&self, cx: &mut Context<'_>) -> State {
        let (state, alone) = self.look(cx);
        if alone {
            return state;
        }
        // Something in the handler may wait with a waker of its own: from now on all are woken.
        self.shared.share();
        self.look(cx).0
    }

    /// The same; tells also whether nobody else can be waiting for the connection.
    fn look(&self, cx: &mut Context<'_>) -> (State, bool) {
        let mut looked = (State::Open, true);
        let _ = self.shared.poll(cx, |driver, cx, local| {
            let written = driver.poll_write_out(cx, local).is_ready();
            let awaited = driver.is_unattended_but_awaited(cx);
            let waits = !awaited && attend(driver, cx, local);
            driver.settle(local);
            looked = (driver.conn.state(), written && !awaited);
            if written && !waits { Poll::Ready(()) } else { Poll::Pending }
        });
        looked
    }
}

/// Attends to what the handler has not. One that sends without ever having to wait uses up what tokio lets one poll do, and
/// nothing would be read if that held here. Here alone: this is done once for each poll, and what is done for each message is to have an end.
fn attend(driver: &mut Driver, cx: &mut Context<'_>, local: &mut Local) -> bool {
    if driver.is_attended() {
        return driver.attend(cx, local);
    }
    coop::unconstrained(|| driver.attend(cx, local))
}

/// Who is told of a connection, where somebody reads.
#[inline]
fn told(tracked: &SocketGuard, shared: &Shared) -> Option<Arc<Trace>> {
    if tracked.is_traced() { shared.now(|driver, _| driver.told()) } else { None }
}

/// Reports a panic; tells what to close with.
fn panicked(panic: &(dyn Any + Send), trace: Option<&Trace>) -> (CloseCode, &'static str) {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or("no message");
    match trace {
        Some(trace) => trace.handler_panicked(said),
        None => tracing::error!(panic = said, "handler panicked"),
    }
    (CloseCode::INTERNAL_ERROR, "internal error")
}

impl<F> Future for Hosted<F>
where
    F: Future<Output: HandlerOutcome>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match told(&self.tracked, &self.shared) {
            Some(trace) => trace.in_span(|| self.poll_hosted(cx, Some(&trace))),
            None => self.poll_hosted(cx, None),
        }
    }
}

impl<F> Hosted<F>
where
    F: Future<Output: HandlerOutcome>,
{
    fn poll_hosted(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        trace: Option<&Trace>,
    ) -> Poll<()> {
        self.shared.host(cx);
        // What is sent to others from here on is written when all else is done.
        let _turn = Turn;
        // What is sent on this connection stays in the queue, until `poll_written`.
        let _corked = Corked::enter(self.shared.id());
        match self.tracked.phase() {
            Phase::Serving => {}
            Phase::Closing => self.close(CloseCode::GOING_AWAY, "the server is shutting down"),
            Phase::Dropping => self.shared.now(|driver, _| driver.abort()),
        }
        self.as_mut().poll_handler(cx, trace);
        if self.shared.is_released() {
            self.close(CloseCode::NORMAL, "");
        }
        if self.poll_written(cx) == State::Open {
            return Poll::Pending;
        }
        if !matches!(self.handler, Handler::Ended) || !self.shared.is_released() {
            // The handler may wait with a waker of its own, or another task have its socket: from now on all are woken.
            self.shared.share();
        }
        ready!(self.shared.poll(cx, |driver, cx, local| driver.poll_finish(cx, local)));
        // The connection is gone, but the handler may have more to do; not when the server has run out of patience.
        let dropping = self.tracked.phase() == Phase::Dropping;
        let this = self.project();
        match this.handler.project() {
            Projected::Runs { woken, .. } if !dropping => {
                if !std::mem::replace(woken, true) {
                    this.shared.wake_waiting();
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Projected::Runs { .. } | Projected::Ended => Poll::Ready(()),
        }
    }
}
