//! What few connections have at a time, in one box: to the others it is one empty pointer.

use std::collections::VecDeque;
use std::sync::Arc;

use duplexer_proto::{Message, Time};

use crate::driver::failure::Failure;
use crate::driver::notes::Notes;
use crate::pace::Pace;
use crate::watch::Trace;

/// The box, while there is something to put into it.
#[derive(Default)]
pub(super) struct Seldom(Option<Box<Held>>);

#[derive(Default)]
struct Held {
    /// Who is told of it, where somebody reads.
    trace: Option<Arc<Trace>>,
    /// The first thing that went wrong.
    failure: Option<Box<Failure>>,
    /// Whole messages that arrived while only control frames were waited for.
    inbox: Option<Box<Inbox>>,
    /// What has happened beside messages, for a user who asks for events.
    notes: Option<Notes>,
    /// When an open message writer has been idle for too long.
    writer_by: Option<Time>,
    /// Bytes that were queued and that the transport did not take before it went.
    unsent_bytes: usize,
    /// What it has used of its server's terms.
    used: Used,
}

/// Messages that are held for a receiver.
#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
}

/// What a connection has used of its server's terms.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Used {
    pub(super) messages: Pace,
    pub(super) controls: Pace,
    pub(super) bytes: Pace,
    /// Nothing is read until then.
    pub(super) rests_until: Option<Time>,
    /// Bytes that are borrowed for unfinished messages.
    borrowed: usize,
}

impl Held {
    fn is_empty(&self) -> bool {
        let Self { trace, failure, inbox, notes, writer_by, unsent_bytes, used } = self;
        trace.is_none()
            && failure.is_none()
            && inbox.is_none()
            && notes.is_none()
            && writer_by.is_none()
            && *unsent_bytes == 0
            && *used == Used::default()
    }
}

impl Seldom {
    /// Who is told of the connection.
    pub(super) fn trace(&self) -> Option<&Trace> {
        self.0.as_ref()?.trace.as_deref()
    }

    /// The same, to keep.
    pub(super) fn trace_shared(&self) -> Option<Arc<Trace>> {
        self.0.as_ref()?.trace.clone()
    }

    /// Sets who is.
    pub(super) fn set_trace(&mut self, trace: Option<Arc<Trace>>) {
        if trace.is_some() {
            self.0.get_or_insert_default().trace = trace;
        }
    }

    /// The first thing that went wrong.
    #[inline]
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.0.as_ref()?.failure.as_deref()
    }

    /// Keeps what went wrong, unless something did before.
    pub(super) fn keep_failure(&mut self, failure: Failure) {
        self.0.get_or_insert_default().failure.get_or_insert_with(|| Box::new(failure));
    }

    /// Holds a message back.
    pub(super) fn keep_message(&mut self, message: Message) {
        let inbox = self.0.get_or_insert_default().inbox.get_or_insert_default();
        inbox.bytes += message.len() + MESSAGE_CHARGE_BYTES;
        inbox.messages.push_back(message);
    }

    /// The first of the messages that were held back.
    #[inline]
    pub(super) fn take_message(&mut self) -> Option<Message> {
        let inbox = self.0.as_mut()?.inbox.as_mut()?;
        let message = inbox.messages.pop_front()?;
        inbox.bytes -= message.len() + MESSAGE_CHARGE_BYTES;
        if inbox.messages.is_empty() {
            self.drop_messages();
        }
        Some(message)
    }

    /// Drops those that are left.
    pub(super) fn drop_messages(&mut self) {
        if let Some(held) = &mut self.0 {
            held.inbox = None;
            self.tidy();
        }
    }

    /// How many there are.
    #[inline]
    pub(super) fn messages(&self) -> usize {
        self.inbox().map_or(0, |inbox| inbox.messages.len())
    }

    /// What they take, in bytes.
    pub(super) fn messages_bytes(&self) -> usize {
        self.inbox().map_or(0, |inbox| inbox.bytes)
    }

    #[inline]
    fn inbox(&self) -> Option<&Inbox> {
        self.0.as_ref()?.inbox.as_deref()
    }

    /// The notes, where they are kept.
    pub(super) fn notes(&mut self) -> Option<&mut Notes> {
        self.0.as_mut()?.notes.as_mut()
    }

    /// The notes, which are kept from now on.
    pub(super) fn keep_notes(&mut self) -> &mut Notes {
        self.0.get_or_insert_default().notes.get_or_insert_default()
    }

    /// When the open message writer is idle for too long.
    pub(super) fn writer_by(&self) -> Option<Time> {
        self.0.as_ref()?.writer_by
    }

    /// Sets that time.
    pub(super) fn set_writer_by(&mut self, by: Option<Time>) {
        if self.writer_by() != by {
            self.0.get_or_insert_default().writer_by = by;
            self.tidy();
        }
    }

    /// What was used of the terms, to be counted on.
    pub(super) fn use_some(&mut self) -> &mut Used {
        &mut self.0.get_or_insert_default().used
    }

    /// Forgets what was counted so long ago that it counts no more, such as the pings of a peer that sends few.
    pub(super) fn forget_counted(&mut self, now: Time) {
        let Some(held) = &mut self.0 else { return };
        for pace in [&mut held.used.messages, &mut held.used.controls, &mut held.used.bytes] {
            if pace.is_full(now) {
                *pace = Pace::default();
            }
        }
        self.tidy();
    }

    /// Until when nothing is to be read.
    #[inline]
    pub(super) fn rests_until(&self) -> Option<Time> {
        self.0.as_ref()?.used.rests_until
    }

    /// Reading goes on.
    pub(super) fn rested(&mut self) {
        if let Some(held) = &mut self.0 {
            held.used.rests_until = None;
        }
    }

    /// Bytes that are borrowed for unfinished messages.
    #[inline]
    pub(super) fn borrowed(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.used.borrowed)
    }

    /// Sets how many there are.
    pub(super) fn set_borrowed(&mut self, bytes: usize) {
        self.use_some().borrowed = bytes;
        self.tidy();
    }

    /// Frees the box where nothing is in it.
    fn tidy(&mut self) {
        self.0.take_if(|held| held.is_empty());
    }

    /// Bytes that did not leave.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.unsent_bytes)
    }

    /// Counts some that did not.
    pub(super) fn add_unsent(&mut self, bytes: usize) {
        if bytes > 0 {
            self.0.get_or_insert_default().unsent_bytes += bytes;
        }
    }
}

/// What a held message costs beside its bytes.
const MESSAGE_CHARGE_BYTES: usize = 64;
