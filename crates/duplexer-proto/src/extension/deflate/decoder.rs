//! The receiving direction (RFC 7692 §7.2.2): payloads of frames in, a message out, never more of
//! it than there is room for. Knows no frames, no limits and no text.

use std::fmt;

use super::inflater::{Fault, Inflater, Span};
use super::pool::DeflatePool;
use crate::extension::Decoded;

/// Inflates the messages of one direction of one connection.
pub(super) struct Decoder {
    takeover: bool,
    /// The peer's window, in bytes.
    window_bytes: usize,
    /// Whether a byte of the current message has come. A message without one never reaches the
    /// inflater: the tail alone would leave it inside a block (§7.2.3.6 has one byte for an
    /// empty message).
    begun: bool,
    /// With takeover, from the first message on; without, lent by the pool while a message is
    /// unfinished.
    inflater: Option<Box<Inflater>>,
}

impl Decoder {
    /// A decoder for a peer whose window is 2 to the power of `window_bits`.
    pub(super) fn new(takeover: bool, window_bits: u8) -> Self {
        Self { takeover, window_bytes: 1 << window_bits, begun: false, inflater: None }
    }

    /// Takes a prefix of `input` and appends at most `room` bytes to `output`.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        end: bool,
        room: usize,
        pool: &mut DeflatePool,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, Fault> {
        if !self.begun && input.is_empty() {
            return Ok(Decoded { consumed: 0, done: true });
        }
        // A fault drops the inflater: its state is of no use.
        self.begun = false;
        let mut inflater = self.inflater.take().unwrap_or_else(|| pool.take_inflater());
        let mut span = Span::new(input, room, output);
        let drained = inflater.inflate(&mut span, self.window_bytes, &mut pool.stage)?;
        let ended = drained && end;
        if ended {
            inflater.end_message()?;
        }
        self.begun = !ended;
        let consumed = span.consumed();
        if ended && !self.takeover {
            pool.give_inflater(inflater);
        } else {
            inflater.remember(&mut span, self.window_bytes);
            self.inflater = Some(inflater);
        }
        Ok(Decoded { consumed, done: drained })
    }

    /// Gives up the current message, unless the window is taken over: then what follows may refer to it. Tells which.
    pub(super) fn abandon(&mut self, pool: &mut DeflatePool) -> bool {
        if !self.takeover {
            self.begun = false;
            self.inflater.take().into_iter().for_each(|inflater| pool.give_inflater(inflater));
        }
        !self.takeover
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("takeover", &self.takeover)
            .field("window_bytes", &self.window_bytes)
            .field("begun", &self.begun)
            .field("holds_inflater", &self.inflater.is_some())
            .finish_non_exhaustive()
    }
}
