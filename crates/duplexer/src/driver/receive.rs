//! The incoming side of a driver: messages whole or in pieces for a receiver, or held back for one while somebody else
//! waits for control frames.

use std::mem::take;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use duplexer_proto::{Delivery, Event, Fault, Message, MessageKind, State};

use crate::clock;
use crate::driver::failure::Failure;
use crate::driver::io::{Driver, Reading};
use crate::driver::notes::Note;
use crate::local::{Local, READ_BYTES};

/// A piece of a message.
pub(crate) struct Piece {
    pub(crate) kind: MessageKind,
    pub(crate) bytes: Bytes,
    pub(crate) last: bool,
}

/// What the bytes at hand hold.
pub(super) enum Parsed {
    Message(Message),
    Piece(Piece),
    /// A control frame, which was attended to, or a message that is skipped.
    Noted,
    Nothing,
}

impl Driver {
    /// The next whole message; `None` once the connection is over and the transport closed.
    // In place wherever it is used: calls of it, and of what it does, are a twentieth of what a small message costs.
    #[inline(always)]
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<Option<Message>> {
        if let Some(message) = self.take_held(local) {
            return Poll::Ready(Some(message));
        }
        self.attended = true;
        self.hold_full = false;
        loop {
            if self.has_unparsed() && !self.is_resting() {
                if let Some((len, message)) = self.conn.receive_single(self.input.unread()) {
                    self.input.take(len);
                    self.watch.message_received();
                    if self.account.counts() {
                        let counted = self.account.message(&mut self.seldom);
                        if !self.abide(counted, local) {
                            continue;
                        }
                    }
                    return Poll::Ready(Some(message));
                }
                if let Parsed::Message(message) = self.parse(Delivery::Whole, local) {
                    return Poll::Ready(Some(message));
                }
            }
            if !ready!(self.poll_arrival(Reading::Whole, cx, local)) {
                return Poll::Ready(None);
            }
        }
    }

    /// A message that is there already, whole: held, or in one frame that was read. Looks at nothing behind it, so that an end which has
    /// arrived as well does not come before what is done with the messages before it.
    pub(crate) fn take_arrived(&mut self, local: &mut Local) -> Option<Message> {
        if let Some(message) = self.take_held(local) {
            return Some(message);
        }
        if !self.conn.begins_with_message(self.input.unread()) {
            return None;
        }
        let parsed = self.parse_next(Delivery::Whole, local);
        self.weigh(local);
        match parsed {
            Parsed::Message(message) => Some(message),
            Parsed::Piece(_) | Parsed::Noted | Parsed::Nothing => None,
        }
    }

    /// The next piece of a message; `None` as above.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<Option<Piece>> {
        if let Some(message) = self.take_held(local) {
            let kind = message.kind();
            return Poll::Ready(Some(Piece { kind, bytes: message.into_bytes(), last: true }));
        }
        self.attended = true;
        self.hold_full = false;
        loop {
            if let Parsed::Piece(piece) = self.parse(Delivery::Chunks, local) {
                return Poll::Ready(Some(piece));
            }
            if !ready!(self.poll_arrival(Reading::Pieces, cx, local)) {
                return Poll::Ready(None);
            }
        }
    }

    /// Drops what is left of the message that a reader has begun.
    pub(crate) fn discard_rest(&mut self, local: &mut Local) {
        // It may have been held while somebody else waited for control frames, and is the first then.
        if self.take_held(local).is_none() {
            self.conn.discard_rest();
            self.weigh(local);
        }
    }

    /// Drops messages that were held back, and those to come.
    pub(crate) fn discard_messages(&mut self, local: &mut Local) {
        self.receiver_gone = true;
        self.seldom.drop_messages();
        self.weigh(local);
    }

    /// Checks and drops the bytes at hand.
    pub(super) fn discard_input(&mut self, local: &mut Local) {
        while !matches!(self.parse(Delivery::Discard, local), Parsed::Nothing) {}
    }

    #[inline]
    pub(super) fn take_held(&mut self, local: &mut Local) -> Option<Message> {
        if self.seldom.messages() == 0 { None } else { self.take_first_held(local) }
    }

    #[cold]
    fn take_first_held(&mut self, local: &mut Local) -> Option<Message> {
        let message = self.seldom.take_message()?;
        self.weigh(local);
        if let Some(notes) = self.seldom.notes() {
            notes.message_taken();
        }
        Some(message)
    }

    /// Waits for bytes, once those at hand were parsed; false when the connection is over and the transport closed.
    // With the reads in it, and these in place, a twentieth of what a small message costs.
    #[inline(always)]
    pub(super) fn poll_arrival(
        &mut self,
        reading: Reading,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<bool> {
        loop {
            if self.conn.state() != State::Open {
                return self.poll_finish(cx, local).map(|()| false);
            }
            if self.poll_read(reading, cx, local).is_ready() {
                return Poll::Ready(true);
            }
            // Answers to pings, and what an earlier send was cancelled with.
            let _ = self.poll_write_out(cx, local);
            if !self.poll_timer(cx, local) && self.conn.state() == State::Open {
                self.rest(cx, local);
                return Poll::Pending;
            }
        }
    }

    /// Reads on for the control frames behind waiting messages, which are held in bounded memory. Returns when nothing
    /// more has arrived, with true, or when no more may be held. What lies behind a message that is not held stays with
    /// the transport, the end of the stream too.
    pub(super) fn read_held(&mut self, cx: &mut Context<'_>, local: &mut Local) -> bool {
        loop {
            let held = self.seldom.messages_bytes();
            let delivery = if self.receiver_gone {
                Delivery::Discard
            } else {
                Delivery::Hold { bytes_max: HELD_BYTES_MAX.saturating_sub(held) }
            };
            if let Parsed::Message(message) = self.parse(delivery, local) {
                self.seldom.keep_message(message);
                self.weigh(local);
                self.news = true;
                continue;
            }
            if self.conn.state() != State::Open {
                return true;
            }
            let stalled = self.conn.is_stalled(self.input.unread().len());
            if stalled || self.input.is_full() || held >= HELD_BYTES_MAX {
                self.rest(cx, local);
                return false;
            }
            if self.poll_read(Reading::Held, cx, local).is_pending() {
                self.rest(cx, local);
                return true;
            }
        }
    }

    /// Whether something may come of what is at hand.
    #[inline]
    fn has_unparsed(&self) -> bool {
        !self.input.is_empty() || self.conn.is_inside_message()
    }

    /// Takes the bytes at hand up to the next thing that is for a receiver.
    #[inline]
    fn parse(&mut self, delivery: Delivery, local: &mut Local) -> Parsed {
        let parsed = loop {
            match self.parse_next(delivery, local) {
                Parsed::Noted => {}
                parsed => break parsed,
            }
        };
        self.weigh(local);
        parsed
    }

    /// The same, up to the next control frame or skipped message at most; the caller weighs what that leaves unfinished.
    pub(super) fn parse_next(&mut self, delivery: Delivery, local: &mut Local) -> Parsed {
        while self.has_unparsed() && !self.is_resting() {
            let unread = self.input.unread();
            let place = unread.as_ptr_range();
            let received = match self.conn.receive(unread, delivery, &mut local.scratch) {
                Ok(received) => received,
                Err(fault) => return self.broke(fault, local),
            };
            let mut consumed = received.consumed;
            let mut counted = Ok(());
            let held = self.seldom.messages();
            let parsed = match received.event {
                None => Some(Parsed::Nothing),
                Some(Event::Message(message)) => {
                    counted = self.account.message(&mut self.seldom);
                    self.watch.message_received();
                    Some(Parsed::Message(message))
                }
                Some(Event::Chunk(chunk)) => {
                    if chunk.first {
                        counted = self.account.message(&mut self.seldom);
                    }
                    if chunk.last {
                        self.watch.message_received();
                    }
                    let (kind, last) = (chunk.kind, chunk.last);
                    let bytes = match large_within(chunk.bytes, &place) {
                        Some(range) => self.input.lend(range, take(&mut consumed), local),
                        None => Bytes::copy_from_slice(chunk.bytes),
                    };
                    Some(Parsed::Piece(Piece { kind, bytes, last }))
                }
                Some(Event::Skipped { kind, bytes_max }) => {
                    counted = self.account.message(&mut self.seldom);
                    self.watch.message_skipped(kind, bytes_max, self.seldom.trace());
                    if let Some(notes) = self.seldom.notes() {
                        notes.keep(held, Note::Skipped { kind, bytes_max });
                    }
                    Some(Parsed::Noted)
                }
                Some(Event::Ping(payload)) => {
                    counted = self.account.control(&mut self.seldom);
                    self.watch.ping_received();
                    if let Some(notes) = self.seldom.notes() {
                        notes.keep(held, Note::Ping(Bytes::copy_from_slice(payload)));
                    }
                    Some(Parsed::Noted)
                }
                Some(Event::Pong(payload)) => {
                    let answered = self.conn.pong_arrived(payload, clock::now());
                    if answered.is_none() {
                        counted = self.account.control(&mut self.seldom);
                    }
                    let newest = answered.is_some_and(|number| number == self.conn.pinged());
                    let rtt = self.conn.rtt().filter(|_| newest);
                    if let Some(rtt) = rtt {
                        self.watch.answered(rtt, self.seldom.trace());
                    }
                    if let Some(notes) = self.seldom.notes() {
                        let payload = Bytes::copy_from_slice(payload);
                        notes.keep(held, Note::Pong { payload, rtt });
                    }
                    self.news = true;
                    Some(Parsed::Noted)
                }
                Some(Event::Close(_)) => {
                    if let Some(notes) = self.seldom.notes() {
                        notes.keep_closing(held, self.conn.close_info());
                    }
                    self.news = true;
                    Some(Parsed::Noted)
                }
                Some(_) => None,
            };
            self.input.take(consumed);
            if !self.abide(counted, local) {
                continue;
            }
            if let Some(parsed) = parsed {
                return parsed;
            }
        }
        Parsed::Nothing
    }

    /// The peer broke a rule: it is heard no more.
    fn broke(&mut self, fault: Fault, local: &mut Local) -> Parsed {
        self.seldom.keep_failure(Failure::Fault(fault));
        self.input.clear(local);
        self.news = true;
        self.note_closing();
        Parsed::Noted
    }
}

/// Where in the input at `place` a piece of a message is, if it is there and large.
fn large_within(piece: &[u8], place: &Range<*const u8>) -> Option<Range<usize>> {
    let at = piece.as_ptr();
    if piece.len() < LENT_BYTES_MIN || !place.contains(&at) {
        return None;
    }
    let start = at.addr() - place.start.addr();
    Some(start..start + piece.len())
}

/// From this length on a piece of a message takes the read buffer that it is in along.
const LENT_BYTES_MIN: usize = READ_BYTES / 4;
/// Most bytes of messages that are held for a receiver while others wait for control frames.
const HELD_BYTES_MAX: usize = 1 << 20;
