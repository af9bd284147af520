//! What happens on a connection beside its messages, kept in order for a user who has asked for events. Nothing is kept for
//! others.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use duplexer_proto::{CloseInfo, MessageKind};

/// Something beside messages.
pub(crate) enum Note {
    Ping(Bytes),
    Pong { payload: Bytes, rtt: Option<Duration> },
    Skipped { kind: MessageKind, bytes_max: u64 },
    Closing(CloseInfo),
}

/// The notes of one connection that nobody has taken yet.
#[derive(Default)]
pub(super) struct Notes {
    /// Each with the number of the message that it came before.
    waiting: VecDeque<(u64, Note)>,
    /// Messages that were taken from those that are held.
    taken: u64,
    pub(super) told_open: bool,
    noted_closing: bool,
    pub(super) told_closed: bool,
}

impl Notes {
    /// Keeps what came behind `held` messages that nobody has taken yet. Where too many wait, the oldest is
    /// forgotten.
    pub(super) fn keep(&mut self, held: usize, note: Note) {
        if self.waiting.len() >= NOTES_MAX {
            match self.waiting.front() {
                Some((_, Note::Closing(_))) => return,
                Some((_, Note::Ping(_) | Note::Pong { .. } | Note::Skipped { .. })) | None => {
                    self.waiting.pop_front()
                }
            };
        }
        self.waiting.push_back((self.taken + held as u64, note));
    }

    /// Keeps that the connection has begun to close, once.
    pub(super) fn keep_closing(&mut self, held: usize, info: Option<&CloseInfo>) {
        if let (Some(info), false) = (info, self.noted_closing) {
            self.noted_closing = true;
            self.keep(held, Note::Closing(info.clone()));
        }
    }

    /// A held message was taken.
    pub(super) const fn message_taken(&mut self) {
        self.taken += 1;
    }

    /// The next note that no held message comes before.
    pub(super) fn take(&mut self, holds: bool) -> Option<Note> {
        let (behind, _) = self.waiting.front()?;
        if holds && *behind > self.taken {
            return None;
        }
        self.waiting.pop_front().map(|(_, note)| note)
    }
}

/// Most notes that wait to be asked for.
const NOTES_MAX: usize = 64;
