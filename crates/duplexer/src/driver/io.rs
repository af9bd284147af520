//! The state of a running connection, and its dealings with the transport and the clock.

use std::io::{self, IoSlice};
use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::BufMut as _;
use duplexer_proto::{CloseCode, Connection, End, Fault, State, Time, Timeout};
use tokio::io::AsyncWrite;
use tokio::task::coop;
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use crate::clock;
use crate::driver::account::Account;
use crate::driver::failure::Failure;
use crate::driver::seldom::Seldom;
use crate::input::Input;
use crate::local::{Local, READ_BYTES};
use crate::terms::Terms;
use crate::transport::Transport;
use crate::waiters::{Waiters, Waiting};
use crate::watch::{Trace, Watch};

/// A connection and what it runs on.
pub(crate) struct Driver {
    pub(crate) conn: Connection,
    /// `None` once it is closed.
    pub(super) transport: Option<Transport>,
    pub(super) input: Input,
    /// Nobody will take messages any more.
    pub(crate) receiver_gone: bool,
    /// The send queue has been over its high mark and not yet under its low one.
    pub(super) stuffed: bool,
    /// Somebody waits for the queue to empty.
    pub(super) queue_awaited: bool,
    /// The last poll changed something that another task may wait for.
    pub(crate) news: bool,
    /// Somebody has asked for messages since this was last cleared.
    pub(super) attended: bool,
    /// Unread messages keep the control frames behind them from being read.
    pub(super) hold_full: bool,
    /// The transport's writing side has been shut down.
    pub(super) shut: bool,
    /// Bytes were written that the transport may still hold.
    unflushed: bool,
    /// Bytes read since the transport last had none.
    turn_bytes: u32,
    /// The connection has had its turn: more may have arrived than was read.
    turn_over: bool,
    /// The thread whose running handler has what waits written when its poll ends.
    pub(crate) put_off_by: Option<NonZeroU32>,
    /// The end of the connection was told to those who run the program.
    told_over: bool,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timer knows who is `waiting`.
    timer_polled: bool,
    /// A task has waited, and was not told of anything since.
    pub(super) awaited: bool,
    pub(crate) waiting: Waiting,
    /// What its server's terms let it use.
    pub(super) account: Account,
    /// What few connections have.
    pub(super) seldom: Seldom,
    /// What is told to those who run the program.
    pub(crate) watch: Watch,
}

impl Driver {
    pub(crate) fn new(conn: Connection, transport: Transport, mut input: Input) -> Self {
        let watch = Watch::new(conn.role());
        watch.read(input.unread().len());
        Self {
            watch,
            conn,
            transport: Some(transport),
            input,
            receiver_gone: false,
            stuffed: false,
            queue_awaited: false,
            news: false,
            attended: false,
            hold_full: false,
            shut: false,
            unflushed: false,
            turn_bytes: 0,
            turn_over: false,
            put_off_by: None,
            told_over: false,
            timer: None,
            timer_polled: false,
            seldom: Seldom::default(),
            awaited: false,
            waiting: Waiting::nobody(),
            account: Account::default(),
        }
    }

    /// The same, held to the terms of its server.
    pub(crate) fn on_terms(mut self, terms: Option<Arc<Terms>>) -> Self {
        self.account = Account::on(terms);
        self
    }

    /// Says who is told of the connection.
    pub(crate) fn trace(&mut self, trace: Option<Arc<Trace>>) {
        self.seldom.set_trace(trace);
    }

    /// Who that is.
    pub(crate) fn told(&self) -> Option<Arc<Trace>> {
        self.seldom.trace_shared()
    }

    /// Writes what waits. Ready when nothing does, or when nothing can be written any more.
    #[inline]
    pub(crate) fn poll_write_out(&mut self, cx: &mut Context<'_>, local: &mut Local) -> Poll<()> {
        if self.conn.queued_bytes() == 0 && !self.unflushed {
            return Poll::Ready(());
        }
        self.poll_write_waiting(cx, local)
    }

    fn poll_write_waiting(&mut self, cx: &mut Context<'_>, local: &mut Local) -> Poll<()> {
        while self.conn.queued_bytes() > 0 {
            let Some(transport) = &mut self.transport else { break };
            let written = match self.conn.single_slice() {
                Some(bytes) => Pin::new(transport).poll_write(cx, bytes),
                None => {
                    // Nearly always a header and a payload, and many slices cost something even empty.
                    let mut few = [IoSlice::new(&[]); SLICES_FEW];
                    let filled = self.conn.slices(&mut few);
                    if filled < SLICES_FEW {
                        Pin::new(transport).poll_write_vectored(cx, &few[..filled])
                    } else {
                        poll_write_many(&self.conn, transport, cx)
                    }
                }
            };
            match ready!(written) {
                Ok(0) => self.write_failed(io::ErrorKind::WriteZero.into(), local),
                Ok(len) => self.wrote(len, local),
                Err(error) => self.write_failed(error, local),
            }
        }
        if self.unflushed {
            if let Some(Transport::Other(io)) = &mut self.transport
                && let Err(error) = ready!(Pin::new(io).poll_flush(cx))
            {
                self.write_failed(error, local);
            }
            self.unflushed = false;
        }
        Poll::Ready(())
    }

    /// Takes note that `len` bytes have left.
    #[inline]
    fn wrote(&mut self, len: usize, local: &mut Local) {
        self.conn.wrote(len, &mut local.scratch);
        self.watch.wrote(len);
        self.unflushed = true;
        if self.hold_full {
            // What it says cannot be read, but it takes what is said to it.
            self.conn.heard();
        }
        let low = self.conn.queued_bytes() <= self.conn.limits().queue_bytes_low;
        if self.conn.state() != State::Open || (self.queue_awaited && low) {
            self.queue_awaited = false;
            self.news = true;
        }
    }

    /// Reads once. Ready when bytes came, or when the stream has ended; not to be called with a full input. Pending, and
    /// woken at once, also when the connection has had its turn.
    #[inline(always)]
    pub(super) fn poll_read(
        &mut self,
        reading: Reading,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<()> {
        self.turn_over = false;
        if self.is_resting() {
            return Poll::Pending;
        }
        let Some(transport) = &mut self.transport else { return Poll::Ready(()) };
        let gathers = reading != Reading::Held && self.input.is_empty();
        let room = if gathers { self.conn.room(&local.scratch) } else { None };
        // Where bytes are counted, a read is to be small enough to be paid for soon.
        let counts = self.account.counts();
        let at_once = room.is_some() && !counts;
        let turn_bytes_max = if at_once { TURN_BYTES_GATHERED_MAX } else { TURN_BYTES_MAX };
        let read = match (turn_bytes_max.saturating_sub(self.turn_bytes), room) {
            // A peer that never pauses does not keep the thread from others.
            (0, _) => {
                self.turn_bytes = 0;
                self.turn_over = true;
                return pin!(tokio::task::yield_now()).poll(cx);
            }
            (left, Some(room)) => {
                poll_read_buf(Pin::new(transport), cx, &mut room.limit(left as usize))
            }
            (_, None) => {
                let bytes_max = match reading {
                    Reading::Pieces if counts => READ_BYTES / 2,
                    Reading::Pieces => READ_BYTES,
                    Reading::Whole | Reading::Held => WHOLE_BYTES,
                };
                self.input.poll_fill(bytes_max, transport, local, cx)
            }
        };
        match read {
            Poll::Pending => {
                self.turn_bytes = 0;
                return Poll::Pending;
            }
            Poll::Ready(Ok(0)) => self.end(Failure::EndOfStream),
            Poll::Ready(Ok(len)) => {
                self.turn_bytes =
                    self.turn_bytes.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
                if counts {
                    let counted = self.account.bytes(len, &mut self.seldom);
                    self.abide(counted, local);
                }
                self.watch.read(len);
            }
            Poll::Ready(Err(error)) => self.end(Failure::Io(Arc::new(error))),
        }
        Poll::Ready(())
    }

    /// Polls the deadlines. True when one has passed and something is to be done now. To be called when all that
    /// has arrived was received, and before waiting.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>, local: &mut Local) -> bool {
        if self.timer.is_none() || self.conn.timer_is_stale() {
            self.arm(clock::now());
        }
        let known = self.timer_polled && self.waiting.knows(cx);
        let Some(timer) = &mut self.timer else { return false };
        let elapsed = timer.is_elapsed();
        if known && !elapsed {
            return false;
        }
        if std::mem::take(&mut self.turn_over) || coop::poll_proceed(cx).is_pending() {
            // More may have arrived than this connection, or its task, was let read. It is polled again soon.
            return false;
        }
        if !elapsed && timer.as_mut().poll(cx).is_pending() {
            self.remember(cx);
            self.timer_polled = true;
            return false;
        }
        let now = clock::now();
        local.rest(now);
        let (state, waiting) = (self.conn.state(), self.conn.queued_bytes());
        let pinged = self.conn.pinged();
        self.seldom.forget_counted(now);
        if self.seldom.rests_until().is_some() {
            // What the peer has said is not read now.
            self.conn.heard();
        }
        let timed_out = self.conn.handle_timeout(now, &mut local.scratch);
        if timed_out.is_some() {
            self.seldom.add_unsent(waiting.saturating_sub(self.conn.queued_bytes()));
        }
        match timed_out {
            None if self.conn.pinged() > pinged => self.watch.ping_sent(),
            None => {}
            Some(Timeout::PeerLost) => self.end_from(state, Failure::PeerLost),
            Some(_) => self.end_from(state, Failure::CloseOverdue),
        }
        if self.seldom.writer_by().is_some_and(|by| by <= now) {
            self.fail(CloseCode::INTERNAL_ERROR, "a message was not finished in time", local);
        }
        self.arm(now);
        true
    }

    /// Whether the peer has talked so fast that nothing is read from it now. Its timer ends that.
    #[inline]
    pub(super) fn is_resting(&mut self) -> bool {
        let Some(until) = self.seldom.rests_until() else { return false };
        let now = clock::now();
        if now >= until || self.conn.state() != State::Open {
            self.seldom.rested();
            return false;
        }
        self.arm(now);
        true
    }

    /// Fails the connection for a fault against its server's terms. Tells whether there is none.
    pub(super) fn abide(&mut self, kept: Result<(), Fault>, local: &mut Local) -> bool {
        let Err(fault) = kept else { return true };
        if self.conn.state() == State::Open {
            self.conn.fail(fault.close_code(), &fault.to_string(), &mut local.scratch);
            if matches!(fault, Fault::OutOfMemory { .. }) {
                self.seldom.drop_messages();
            }
            self.seldom.keep_failure(Failure::Fault(fault));
            self.news = true;
            self.weigh(local);
        }
        false
    }

    /// Accounts for what unfinished and held messages take now.
    pub(super) fn weigh(&mut self, local: &mut Local) {
        if self.account.is_kept()
            && (self.seldom.borrowed() > 0
                || self.conn.is_inside_message()
                || self.seldom.messages() > 0)
        {
            let held = self.seldom.messages_bytes() + self.conn.held_bytes();
            let weighed = self.account.hold(held, &mut self.seldom);
            self.abide(weighed, local);
        }
    }

    /// Sets the timer for the next deadline.
    pub(super) fn arm(&mut self, now: Time) {
        let open = self.conn.state() == State::Open;
        let writer_by = self.seldom.writer_by().filter(|_| open);
        let deadlines = [self.conn.next_timeout(now), writer_by, self.seldom.rests_until()];
        let Some(next) = deadlines.into_iter().flatten().min() else {
            self.timer = None;
            return;
        };
        let at = clock::instant(next);
        self.timer_polled = false;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(at),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }

    /// Those who wait, if there is something to wake them for.
    #[inline]
    pub(crate) fn take_told(&mut self) -> Option<Arc<Waiters>> {
        if std::mem::take(&mut self.news) { self.waiting.together().cloned() } else { None }
    }

    /// Gives buffers back.
    #[inline]
    pub(crate) fn settle(&mut self, local: &mut Local) {
        self.input.settle(local);
    }

    /// Gives the thread's read buffer back if all in it was taken.
    #[inline]
    pub(crate) fn settle_empty(&mut self, local: &mut Local) {
        if self.input.is_empty() {
            self.input.settle(local);
        }
    }

    /// Gives buffers back before the task of `cx` waits.
    #[inline]
    pub(super) fn rest(&mut self, cx: &Context<'_>, local: &mut Local) {
        self.input.settle(local);
        self.remember(cx);
    }

    /// Remembers the task of `cx`, to tell it of an end that comes from elsewhere.
    fn remember(&mut self, cx: &Context<'_>) {
        if !self.waiting.knows(cx) {
            self.timer_polled = false;
            self.waiting = Waiting::Alone(cx.waker().clone());
        }
        self.awaited = true;
    }

    /// From now on several tasks wait together. Who has waited alone is to be woken, to wait with the others.
    pub(crate) fn share(&mut self) -> Option<Waker> {
        let Waiting::Alone(alone) = &mut self.waiting else { return None };
        let alone = std::mem::replace(alone, Waker::noop().clone());
        self.waiting = Waiting::Together(Arc::default());
        self.timer_polled = false;
        Some(alone)
    }

    /// Those who are to be told of something. Who waits alone is forgotten.
    pub(crate) fn take_waiting(&mut self) -> Waiting {
        self.awaited = false;
        match self.waiting.together() {
            Some(waiters) => Waiting::Together(waiters.clone()),
            None => std::mem::replace(&mut self.waiting, Waiting::nobody()),
        }
    }

    /// Fails the connection, if it is open, for a reason of this end's; what was to be written is still written.
    pub(crate) fn fail(&mut self, code: CloseCode, reason: &str, local: &mut Local) {
        if self.conn.state() != State::Open {
            return;
        }
        self.conn.fail(code, reason, &mut local.scratch);
        self.note_closing();
        self.seldom.set_writer_by(None);
        self.news = true;
    }

    /// Ends the connection at once, without a closing handshake.
    pub(crate) fn abort(&mut self) {
        if self.transport.is_some() {
            self.end(Failure::Aborted);
        }
    }

    /// Drops the transport for `failure`, which is why the connection ended unless that was known before.
    pub(super) fn end(&mut self, failure: Failure) {
        self.end_from(self.conn.state(), failure);
    }

    /// The same for a connection that was in `state` until its deadline.
    fn end_from(&mut self, state: State, failure: Failure) {
        let blame = match failure {
            Failure::Aborted => End::Local,
            Failure::Fault(_)
            | Failure::Io(_)
            | Failure::EndOfStream
            | Failure::PeerLost
            | Failure::CloseOverdue => End::Remote,
        };
        if matches!(state, State::Open | State::Closing) {
            self.seldom.keep_failure(failure);
        }
        self.seldom.add_unsent(self.conn.queued_bytes());
        self.conn.transport_ended(blame);
        // Giving back never fails.
        let _ = self.account.hold(self.seldom.messages_bytes(), &mut self.seldom);
        self.over();
        self.timer = None;
        self.seldom.set_writer_by(None);
        self.news = true;
    }

    /// Keeps that the connection has begun to close, where somebody asks.
    pub(super) fn note_closing(&mut self) {
        let held = self.seldom.messages();
        if let Some(notes) = self.seldom.notes() {
            notes.keep_closing(held, self.conn.close_info());
        }
    }

    /// The first thing that went wrong.
    #[inline]
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.seldom.failure()
    }

    /// Bytes that were queued and that the transport did not take before it went.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.seldom.unsent_bytes()
    }

    /// Lets the transport go.
    pub(super) fn over(&mut self) {
        self.transport = None;
        self.tell_over();
    }

    /// Tells those who run the program that the connection is over, once.
    fn tell_over(&mut self) {
        if std::mem::replace(&mut self.told_over, true) {
            return;
        }
        let cause = self.failure().map(|failure| failure as &dyn std::fmt::Display);
        self.watch.over(self.conn.role(), self.conn.close_info(), cause, self.seldom.trace());
    }

    /// Nothing more can be written; what the peer has sent, its Close above all, is still worth reading.
    fn write_failed(&mut self, error: io::Error, local: &mut Local) {
        if self.conn.state() != State::Closed {
            self.seldom.keep_failure(Failure::Io(Arc::new(error)));
        }
        let waiting = self.conn.queued_bytes();
        self.seldom.add_unsent(waiting);
        self.conn.wrote(waiting, &mut local.scratch);
        self.shut = true;
        self.news = true;
    }
}

/// What is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whole messages: a large one comes straight to where it is gathered.
    Whole,
    /// Messages in pieces: the larger, the fewer.
    Pieces,
    /// Control frames behind messages that nobody takes now.
    Held,
}

/// Writes as much of what waits as one call takes.
fn poll_write_many(
    conn: &Connection,
    transport: &mut Transport,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let filled = conn.slices(&mut slices);
    Pin::new(transport).poll_write_vectored(cx, &slices[..filled])
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.account.close(&mut self.seldom);
        self.tell_over();
    }
}

/// Bytes of one read for messages that are taken whole, in whole pages as [`READ_BYTES`]: what of a large one is read before its header
/// was seen is copied.
const WHOLE_BYTES: usize = 132 << 10;
/// Bytes that are read at most before others have their turn: about two such reads.
const TURN_BYTES_MAX: u32 = 256 << 10;
/// The same where they go straight to a large message, which is little work.
const TURN_BYTES_GATHERED_MAX: u32 = 1280 << 10;
/// More pieces than a vectored write nearly always has.
const SLICES_FEW: usize = 4;
/// Most pieces of one vectored write.
const SLICES_MAX: usize = 64;
