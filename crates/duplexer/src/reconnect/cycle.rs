//! The cycle of connections: connect, be open, lose, wait, connect. Whoever polls any future of a `Reconnect` drives it; no task runs
//! beside. All transitions are here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use duplexer_proto::{CloseReason, Message};
use parking_lot::{Mutex, MutexGuard};
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::reconnect::calls::{Call, Calls};
use crate::reconnect::judge::Decision;
use crate::reconnect::loss::{Loss, LossCause};
use crate::reconnect::outcome::ReconnectError;
use crate::reconnect::settings::{Attempt, Opening, Settings};
use crate::reconnect::state::ReconnectState;
use crate::socket::{Receiver, RecvError, Sender, WebSocket};

/// What all users of one `Reconnect` share.
pub(super) struct Cycle {
    settings: Settings,
    core: Mutex<Core>,
    /// The calls that wait, each also for a change of the phase.
    calls: Arc<Calls>,
    state: watch::Sender<ReconnectState>,
}

struct Core {
    phase: Phase,
    /// Failed attempts since a connection was open for long enough.
    failures: u32,
    /// Connections opened.
    connections: u64,
    /// The last one; `None` before the first.
    loss: Option<Arc<Loss>>,
    /// Messages of a lost connection that were not received yet.
    unread: VecDeque<Message>,
    unread_bytes: usize,
}

impl Core {
    const fn next_attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }
}

/// ```text
/// Due ──► Working ──► Trying ◄──► Working ──► Open ──► Working ──► Waiting ──► Due
///                                   └──► Working ──► Waiting         └──► Ended
/// Open ──► Closing ──► Ended            any but Closing, when stopped ──► Ended
/// ```
enum Phase {
    /// An attempt is to begin.
    Due,
    /// One of our futures runs code of the user's, without the lock.
    Working {
        /// Another one came by meanwhile.
        knocked: bool,
    },
    /// An attempt runs.
    Trying(Opening),
    /// The next attempt is not due yet.
    Waiting(Pin<Box<Sleep>>),
    Open {
        sender: Sender,
        receiver: Receiver,
        since: Instant,
    },
    /// The closing handshake runs.
    Closing(Pin<Box<dyn Future<Output = ()> + Send>>),
    Ended(Result<(), ReconnectError>),
}

/// There is no connection to send on.
pub(super) enum NoSender {
    Ended,
    /// More than is held has to be received first.
    Unread,
}

type Received = Result<Option<Message>, ReconnectError>;

impl Cycle {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        let core = Core {
            phase: Phase::Due,
            failures: 0,
            connections: 0,
            loss: None,
            unread: VecDeque::new(),
            unread_bytes: 0,
        };
        let state = watch::Sender::new(ReconnectState::Connecting { attempt: 1 });
        Arc::new(Self { settings, core: Mutex::new(core), calls: Arc::default(), state })
    }

    pub(super) fn state(&self) -> &watch::Sender<ReconnectState> {
        &self.state
    }

    /// A call to poll with.
    pub(super) fn call(&self) -> Call<'_> {
        self.calls.call()
    }

    /// The next message of whichever connection is open; `None` at a clean end of all.
    pub(super) fn poll_recv(&self, call: &mut Call<'_>, cx: &mut Context<'_>) -> Poll<Received> {
        loop {
            let mut core = self.core.lock();
            if let Some(message) = core.unread.pop_front() {
                core.unread_bytes -= message.len();
                return Poll::Ready(Ok(Some(message)));
            }
            match &mut core.phase {
                Phase::Ended(outcome) => return Poll::Ready(outcome.clone().map(|()| None)),
                Phase::Open { receiver, .. } => match receiver.poll_recv(cx) {
                    Poll::Ready(Ok(Some(message))) => return Poll::Ready(Ok(Some(message))),
                    Poll::Ready(Ok(None)) => self.lose_open(core, None),
                    Poll::Ready(Err(error)) => self.lose_open(core, Some(error)),
                    Poll::Pending => return wait(core, call, cx),
                },
                Phase::Due
                | Phase::Working { .. }
                | Phase::Trying(_)
                | Phase::Waiting(_)
                | Phase::Closing(_) => {
                    drop(core);
                    ready!(self.poll_settled(call, cx));
                }
            }
        }
    }

    /// The sender of a connection later than `after`, with its number. What a lost connection has still to give is held for the
    /// receiver.
    pub(super) fn poll_sender(
        &self,
        after: u64,
        call: &mut Call<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Sender, u64), NoSender>> {
        loop {
            let mut core = self.core.lock();
            let (connections, unread_bytes) = (core.connections, core.unread_bytes);
            match &mut core.phase {
                Phase::Ended(_) => return Poll::Ready(Err(NoSender::Ended)),
                Phase::Open { sender, .. } if connections > after => {
                    return Poll::Ready(Ok((sender.clone(), connections)));
                }
                Phase::Open { receiver, .. } => {
                    if unread_bytes > UNREAD_BYTES_MAX {
                        return Poll::Ready(Err(NoSender::Unread));
                    }
                    match receiver.poll_recv(cx) {
                        Poll::Ready(Ok(Some(message))) => {
                            core.unread_bytes += message.len();
                            core.unread.push_back(message);
                            self.calls.wake_all();
                        }
                        Poll::Ready(Ok(None)) => self.lose_open(core, None),
                        Poll::Ready(Err(error)) => self.lose_open(core, Some(error)),
                        Poll::Pending => return wait(core, call, cx),
                    }
                }
                Phase::Due
                | Phase::Working { .. }
                | Phase::Trying(_)
                | Phase::Waiting(_)
                | Phase::Closing(_) => {
                    drop(core);
                    ready!(self.poll_settled(call, cx));
                }
            }
        }
    }

    /// Drives until a connection is open or all is over.
    pub(super) fn poll_settled(&self, call: &mut Call<'_>, cx: &mut Context<'_>) -> Poll<()> {
        drop(call.waits(cx));
        let waker = Waker::from(self.calls.clone());
        let cx = &mut Context::from_waker(&waker);
        loop {
            let mut core = self.core.lock();
            match std::mem::replace(&mut core.phase, Phase::Working { knocked: true }) {
                settled @ (Phase::Open { .. } | Phase::Ended(_)) => {
                    core.phase = settled;
                    return Poll::Ready(());
                }
                Phase::Working { .. } => return Poll::Pending,
                Phase::Waiting(mut timer) => match timer.as_mut().poll(cx) {
                    Poll::Ready(()) => self.due(&mut core),
                    Poll::Pending => {
                        core.phase = Phase::Waiting(timer);
                        return Poll::Pending;
                    }
                },
                Phase::Closing(mut closing) => match closing.as_mut().poll(cx) {
                    Poll::Ready(()) => self.end(&mut core, Ok(())),
                    Poll::Pending => {
                        core.phase = Phase::Closing(closing);
                        return Poll::Pending;
                    }
                },
                Phase::Due => {
                    let attempt = Attempt { number: core.next_attempt(), loss: core.loss.clone() };
                    let begun = self.work(core, || self.settings.attempt(attempt));
                    if let Some((mut core, opening)) = begun {
                        core.phase = Phase::Trying(opening);
                    }
                }
                Phase::Trying(mut opening) => {
                    let polled = self.work(core, || opening.as_mut().poll(cx));
                    match polled {
                        Some((mut core, Poll::Pending)) => {
                            core.phase = Phase::Trying(opening);
                            return Poll::Pending;
                        }
                        Some((mut core, Poll::Ready(Ok(socket)))) => self.open(&mut core, socket),
                        Some((core, Poll::Ready(Err(cause)))) => {
                            self.lose(core, Loss { cause, lived: None, unsent_bytes: 0 });
                        }
                        // Stopped meanwhile: what was being opened goes.
                        None => {}
                    }
                }
            }
        }
    }

    /// Ends the cycle: an open connection with a closing handshake that says `reason`, all else at once.
    pub(super) fn stop(&self, reason: &CloseReason) {
        let mut core = self.core.lock();
        let (code, text) = (reason.code(), reason.text().to_owned());
        let before = match std::mem::replace(&mut core.phase, Phase::Ended(Ok(()))) {
            before @ (Phase::Ended(_) | Phase::Closing(_)) => {
                core.phase = before;
                return;
            }
            Phase::Open { sender, .. } => {
                // The Close leaves now, even if nobody polls from here on, and outside of a runtime too.
                sender.begin_close(reason);
                core.phase = Phase::Closing(Box::pin(async move {
                    // The reason was checked when it was made.
                    let _ = sender.close(code, &text).await;
                }));
                None
            }
            before => Some(before),
        };
        core.unread = VecDeque::new();
        core.unread_bytes = 0;
        if matches!(core.phase, Phase::Ended(_)) {
            self.tell(ReconnectState::Ended);
        }
        drop(core);
        self.calls.wake_all();
        // With it goes what the user's opener holds.
        drop(before);
    }

    /// Ends the cycle and drops what is open.
    pub(super) fn abandon(&self) {
        let mut core = self.core.lock();
        let before = std::mem::replace(&mut core.phase, Phase::Ended(Ok(())));
        if matches!(before, Phase::Ended(_)) {
            core.phase = before;
            return;
        }
        self.tell(ReconnectState::Ended);
        drop(core);
        self.calls.wake_all();
        drop(before);
    }

    /// The sender of the open connection.
    pub(super) fn current(&self) -> Option<Sender> {
        match &self.core.lock().phase {
            Phase::Open { sender, .. } => Some(sender.clone()),
            Phase::Due
            | Phase::Working { .. }
            | Phase::Trying(_)
            | Phase::Waiting(_)
            | Phase::Closing(_)
            | Phase::Ended(_) => None,
        }
    }

    /// Runs code of the user's without the lock; `None` when the cycle was stopped meanwhile.
    fn work<'a, R>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        work: impl FnOnce() -> R,
    ) -> Option<(MutexGuard<'a, Core>, R)> {
        core.phase = Phase::Working { knocked: false };
        drop(core);
        let unwound = Unwound(self);
        let result = work();
        std::mem::forget(unwound);
        let core = self.core.lock();
        let Phase::Working { knocked } = core.phase else { return None };
        if knocked {
            self.calls.wake_all();
        }
        Some((core, result))
    }

    fn due(&self, core: &mut Core) {
        self.tell(ReconnectState::Connecting { attempt: core.next_attempt() });
        core.phase = Phase::Due;
    }

    fn open(&self, core: &mut Core, socket: WebSocket) {
        let (sender, receiver) = socket.split();
        core.connections += 1;
        core.phase = Phase::Open { sender, receiver, since: Instant::now() };
        self.tell(ReconnectState::Open { connection: core.connections });
        self.calls.wake_all();
    }

    fn end(&self, core: &mut Core, outcome: Result<(), ReconnectError>) {
        core.phase = Phase::Ended(outcome);
        self.tell(ReconnectState::Ended);
        self.calls.wake_all();
    }

    /// The open connection has ended, cleanly where there is no error.
    fn lose_open(&self, core: MutexGuard<'_, Core>, error: Option<RecvError>) {
        let Phase::Open { sender, since, .. } = &core.phase else { return };
        let cause = match (error, sender.close_info()) {
            (Some(error), _) => LossCause::Failed(error),
            (None, Some(info)) => LossCause::Closed(info),
            (None, None) => LossCause::Failed(RecvError::EndOfStream),
        };
        let (lived, unsent_bytes) = (Some(since.elapsed()), sender.unsent_bytes());
        self.lose(core, Loss { cause, lived, unsent_bytes });
    }

    /// Asks whether there is another attempt, and when.
    fn lose(&self, mut core: MutexGuard<'_, Core>, loss: Loss) {
        core.failures = match loss.lived {
            Some(lived) if lived >= self.settings.reset_after => 0,
            Some(_) | None => core.failures.saturating_add(1),
        };
        let loss = Arc::new(loss);
        core.loss = Some(loss.clone());
        let Some((mut core, decision)) = self.work(core, || self.settings.decide(&loss)) else {
            return;
        };
        let more = match decision {
            Decision::Retry => Duration::ZERO,
            Decision::RetryAfter(time) => time.min(self.settings.retry_after_max),
            Decision::Stop if loss.is_clean() => return self.end(&mut core, Ok(())),
            Decision::Stop => return self.end(&mut core, Err(ReconnectError::Final(loss))),
        };
        let attempts_max = self.settings.attempts_max;
        if core.failures >= attempts_max {
            let error = ReconnectError::AttemptsExhausted { attempts_max, loss };
            return self.end(&mut core, Err(error));
        }
        let backoff = self.settings.backoff.delay(core.failures, rand::rng().random());
        let (attempt, delay) = (core.next_attempt(), more.saturating_add(backoff));
        tracing::debug!(%loss, attempt, ?delay, "no connection");
        core.phase = Phase::Waiting(Box::pin(tokio::time::sleep(delay)));
        self.tell(ReconnectState::Waiting { attempt, delay, loss });
        self.calls.wake_all();
    }

    fn tell(&self, state: ReconnectState) {
        self.state.send_replace(state);
    }
}

/// Has a call wait while the phase is as it is: who changes it finds the call.
fn wait<T>(core: MutexGuard<'_, Core>, call: &mut Call<'_>, cx: &Context<'_>) -> Poll<T> {
    let replaced = call.waits(cx);
    drop(core);
    drop(replaced);
    Poll::Pending
}

/// Dropped when code of the user's panics: whoever polls next begins a new attempt, and nobody waits for the one who is gone.
struct Unwound<'a>(&'a Cycle);

impl Drop for Unwound<'_> {
    fn drop(&mut self) {
        let mut core = self.0.core.lock();
        if matches!(core.phase, Phase::Working { .. }) {
            self.0.due(&mut core);
        }
        drop(core);
        self.0.calls.wake_all();
    }
}

/// Most bytes of messages held for the receiver, but for the last one, when a connection was lost while sending.
const UNREAD_BYTES_MAX: usize = 1 << 20;
