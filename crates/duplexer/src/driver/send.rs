//! The outgoing side of a driver: waiting for room in the queue, and for what was queued to leave.

use std::task::{Context, Poll};

use duplexer_proto::extension::Boundary;
use duplexer_proto::{ControlError, Message, Piece, Prepared, SendError, SendOptions, State, Time};

use crate::clock;
use crate::driver::io::Driver;
use crate::local::Local;

impl Driver {
    /// Queues a message.
    #[inline]
    pub(crate) fn send(
        &mut self,
        message: Message,
        options: SendOptions,
        local: &mut Local,
    ) -> Result<(), SendError> {
        self.conn.send(message, options, &mut local.scratch)?;
        self.watch.message_sent();
        Ok(())
    }

    /// Queues a prepared message.
    pub(crate) fn send_prepared(
        &mut self,
        prepared: &Prepared,
        options: SendOptions,
        local: &mut Local,
    ) -> Result<(), SendError> {
        self.conn.send_prepared(prepared, options, &mut local.scratch)?;
        self.watch.message_sent();
        Ok(())
    }

    /// Queues prepared messages as long as there is room, and tells how many: none while another one is being written in pieces. To be
    /// called while messages may be sent.
    pub(crate) fn send_prepared_many(&mut self, prepared: &[Prepared], local: &mut Local) -> usize {
        let sent = self.conn.send_prepared_many(prepared, &mut local.scratch).unwrap_or(0);
        (0..sent).for_each(|_| self.watch.message_sent());
        sent
    }

    /// Queues a piece of a message that was begun.
    pub(crate) fn write_message(
        &mut self,
        piece: Piece<'_>,
        boundary: Boundary,
        local: &mut Local,
    ) -> Result<(), SendError> {
        self.conn.write_message(piece, boundary, &mut local.scratch)?;
        if boundary == Boundary::End {
            self.watch.message_sent();
        }
        Ok(())
    }

    /// Queues a ping, and tells its number.
    pub(crate) fn ping(&mut self, now: Time, local: &mut Local) -> Result<u64, ControlError> {
        let number = self.conn.ping(now, &mut local.scratch)?;
        self.watch.ping_sent();
        Ok(number)
    }

    /// Waits until a message may be queued: the queue is below its high mark, or back below its low one, and no other
    /// message is being written in pieces. False when nothing can be sent any more.
    #[inline]
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>, local: &mut Local) -> Poll<bool> {
        self.poll_capacity(true, cx, local)
    }

    /// The same for the piece writer itself.
    pub(crate) fn poll_ready_writer(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<bool> {
        self.poll_capacity(false, cx, local)
    }

    /// The same for the end of a message, a frame's header and what a compressor has held: behind a large piece it does not wait for that
    /// to leave, and leaves with it.
    pub(crate) fn poll_ready_end(&mut self, cx: &mut Context<'_>, local: &mut Local) -> Poll<bool> {
        if self.may_send() && self.is_below_bound() {
            return Poll::Ready(true);
        }
        self.poll_ready_writer(cx, local)
    }

    // A call of it is a twentieth of what a small message costs that does not wait.
    #[inline(always)]
    fn poll_capacity(
        &mut self,
        exclusive: bool,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<bool> {
        let free = !self.stuffed && self.is_below_mark() && !self.conn.is_writing();
        if free && self.may_send() {
            return Poll::Ready(true);
        }
        self.poll_freed(exclusive, cx, local)
    }

    /// Waits for what most messages find.
    fn poll_freed(
        &mut self,
        exclusive: bool,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<bool> {
        loop {
            if !self.may_send() {
                // The caller may never look again: an answer to the peer's Close leaves now, as far as it can.
                let _ = self.poll_write_out(cx, local);
                return Poll::Ready(false);
            }
            let busy = exclusive && self.conn.is_writing();
            self.stuffed = !self.is_below_mark();
            if !self.stuffed && !busy {
                return Poll::Ready(true);
            }
            if self.poll_write_out(cx, local).is_ready() && !busy {
                continue;
            }
            self.queue_awaited = true;
            if !self.poll_meanwhile(cx, local) {
                return Poll::Pending;
            }
        }
    }

    /// Whether the queue lets another message in.
    #[inline]
    fn is_below_mark(&self) -> bool {
        let limits = self.conn.limits();
        let mark = if self.stuffed { limits.queue_bytes_low } else { limits.queue_bytes_high };
        // Whatever the settings, who was told of room finds some.
        self.conn.queued_bytes() <= mark.min(limits.queue_bytes_max.saturating_sub(1))
    }

    /// Whether a message may be queued at all.
    #[inline]
    pub(crate) fn may_send(&self) -> bool {
        self.conn.state() == State::Open && self.failure().is_none()
    }

    /// Whether a message may be queued without waiting: one may always pass a queue below its hard bound.
    pub(crate) fn has_room(&self) -> bool {
        !self.conn.is_writing() && self.is_below_bound()
    }

    fn is_below_bound(&self) -> bool {
        self.conn.queued_bytes() < self.conn.limits().queue_bytes_max
    }

    /// Waits until all that was queued has been written; false when it could not be.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>, local: &mut Local) -> Poll<bool> {
        loop {
            if self.poll_write_out(cx, local).is_ready() {
                return Poll::Ready(self.failure().is_none());
            }
            self.queue_awaited = true;
            if !self.poll_meanwhile(cx, local) {
                return Poll::Pending;
            }
        }
    }

    /// Waits for the pong to ping `number`; false when it will not come.
    pub(crate) fn poll_answered(
        &mut self,
        number: u64,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<bool> {
        loop {
            if self.conn.answered() >= number {
                return Poll::Ready(true);
            }
            let _ = self.poll_write_out(cx, local);
            if self.conn.state() != State::Open {
                return Poll::Ready(false);
            }
            if !self.poll_meanwhile(cx, local) && self.conn.answered() < number {
                return Poll::Pending;
            }
        }
    }

    /// Attends to control frames and deadlines while something else is waited for. True when that should be looked at again.
    fn poll_meanwhile(&mut self, cx: &mut Context<'_>, local: &mut Local) -> bool {
        let answers = self.conn.queued_bytes();
        let state = self.conn.state();
        let blocked = !self.read_held(cx, local);
        // A peer is judged only when all that it has sent was read. Behind a full hold nothing is read: there it has to take what
        // waits for it, and gets a keepalive's time for that.
        if blocked && (!self.hold_full || answers == 0) {
            self.conn.heard();
        }
        self.hold_full = blocked;
        let timed = self.poll_timer(cx, local);
        timed || self.conn.state() != state || self.conn.queued_bytes() != answers
    }

    /// Whether [`attend`](Driver::attend) has something to do and would replace another task's waker by the one of `cx`.
    pub(crate) fn is_unattended_but_awaited(&self, cx: &Context<'_>) -> bool {
        !self.attended && self.awaited && self.waiting.is_another(cx)
    }

    /// Whether a receiver has seen to everything since the last [`attend`](Driver::attend).
    #[inline]
    pub(crate) const fn is_attended(&self) -> bool {
        self.attended
    }

    /// Attends to control frames and deadlines without waiting, unless a receiver has just done so: for a task that sends and
    /// never has to wait for it. Tells whether that was done; the task is woken then when there is more to attend to.
    pub(crate) fn attend(&mut self, cx: &mut Context<'_>, local: &mut Local) -> bool {
        if std::mem::take(&mut self.attended) || self.conn.state() != State::Open {
            return false;
        }
        let queued = self.conn.queued_bytes();
        // Once more where a deadline has passed, to be woken for the next one.
        let _ =
            self.read_held(cx, local) && self.poll_timer(cx, local) && self.poll_timer(cx, local);
        if self.conn.queued_bytes() > queued {
            let _ = self.poll_write_out(cx, local);
        }
        true
    }

    /// The piece writer waits for the transport: it is not idle.
    pub(crate) fn writer_busy(&mut self) {
        self.seldom.set_writer_by(None);
    }

    /// Counts the time that an open piece writer is idle from now.
    pub(crate) fn writer_active(&mut self, is_open: bool) {
        let now = clock::now();
        self.seldom.set_writer_by(is_open.then(|| now + WRITER_IDLE_MAX));
        self.news = true;
        self.arm(now);
    }
}

/// How long a message writer may be idle while it keeps others from sending.
const WRITER_IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(30);
