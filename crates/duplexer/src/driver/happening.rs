//! Everything that happens on a connection, in its order: messages, and the notes of what is beside them.

use std::task::{Context, Poll, ready};

use duplexer_proto::{Delivery, Message};

use crate::driver::io::{Driver, Reading};
use crate::driver::notes::Note;
use crate::driver::receive::Parsed;
use crate::local::Local;

/// What happens next.
pub(crate) enum Happening {
    Open,
    Message(Message),
    Note(Note),
    /// The last thing.
    Closed,
}

impl Driver {
    /// Begins to keep notes.
    pub(crate) fn keep_notes(&mut self) {
        self.seldom.keep_notes();
    }

    /// The next thing that happens; `None` behind the end.
    pub(crate) fn poll_happening(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut Local,
    ) -> Poll<Option<Happening>> {
        if !std::mem::replace(&mut self.seldom.keep_notes().told_open, true) {
            return Poll::Ready(Some(Happening::Open));
        }
        self.attended = true;
        self.hold_full = false;
        loop {
            if let Some(note) = self.take_note() {
                return Poll::Ready(Some(Happening::Note(note)));
            }
            if let Some(message) = self.take_held(local) {
                return Poll::Ready(Some(Happening::Message(message)));
            }
            let parsed = self.parse_next(Delivery::Whole, local);
            self.weigh(local);
            match parsed {
                Parsed::Message(message) => {
                    return Poll::Ready(Some(Happening::Message(message)));
                }
                Parsed::Noted => continue,
                Parsed::Piece(_) | Parsed::Nothing => {}
            }
            if !ready!(self.poll_arrival(Reading::Whole, cx, local)) {
                break;
            }
        }
        if let Some(note) = self.take_note() {
            return Poll::Ready(Some(Happening::Note(note)));
        }
        let told = self.seldom.notes().map(|notes| std::mem::replace(&mut notes.told_closed, true));
        Poll::Ready((told != Some(true)).then_some(Happening::Closed))
    }

    fn take_note(&mut self) -> Option<Note> {
        let holds = self.seldom.messages() > 0;
        self.seldom.notes()?.take(holds)
    }
}
