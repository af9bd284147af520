//! One raw inflater: bytes in, at most so many bytes out, across final blocks (RFC 7692 §7.2.3.4).
//! Knows no messages beyond where they end.

use zlib_rs::{InflateFlush, Status};

use super::step::{Step, TAIL};

/// What is wrong with a stream.
pub(super) type Fault = &'static str;

/// The bytes of one call.
pub(super) struct Span<'a> {
    input: &'a [u8],
    consumed: usize,
    /// How many bytes may still be put out.
    room: usize,
    output: &'a mut Vec<u8>,
    /// Output up to here is in the history, or is of an earlier call.
    remembered: usize,
}

impl<'a> Span<'a> {
    /// All of `input`, `room` bytes of output, and nothing done.
    pub(super) fn new(input: &'a [u8], room: usize, output: &'a mut Vec<u8>) -> Self {
        let remembered = output.len();
        Self { input, consumed: 0, room, output, remembered }
    }

    /// How many bytes of the input were taken.
    pub(super) const fn consumed(&self) -> usize {
        self.consumed
    }
}

/// A raw inflater that goes on after a final block.
pub(super) struct Inflater {
    /// Always with a window of 32 KiB: a larger one than negotiated is as good.
    zlib: zlib_rs::Inflate,
    history: History,
    /// A byte that came out when there was no room left: it proves that the message goes on.
    held: Option<u8>,
    /// What is wrong with the stream right behind the byte that is held.
    fault: Option<Fault>,
    /// A final block (BFINAL = 1) ended the stream; what follows is a new one with the old window
    /// (§7.2.3.4).
    stream_ended: bool,
    /// What the current message may still spend on new streams, in bytes: [`RESTART_BYTES`] for each.
    credit: u64,
}

impl Inflater {
    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.zlib.reset(false);
        self.history.clear();
        self.held = None;
        self.fault = None;
        self.stream_ended = false;
        self.credit = CREDIT_BYTES;
    }

    /// Inflates until the input is used up and nothing waits (`true`), or until a byte waits for
    /// room.
    pub(super) fn inflate(
        &mut self,
        span: &mut Span<'_>,
        window_bytes: usize,
        stage: &mut [u8],
    ) -> Result<bool, Fault> {
        if let Some(byte) = self.held {
            if span.room == 0 {
                return Ok(false);
            }
            span.output.push(byte);
            span.room -= 1;
            self.credit = self.credit.saturating_add(1);
            self.held = None;
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        loop {
            if self.stream_ended {
                if span.consumed == span.input.len() {
                    return Ok(true);
                }
                self.remember(span, window_bytes);
                self.restart()?;
            }
            // One byte beyond the room tells whether there is more.
            let space = span.room.min(stage.len()).max(1);
            let input = &span.input[span.consumed..];
            let (step, status) = self.step(input, &mut stage[..space], InflateFlush::NoFlush);
            span.consumed += step.taken;
            if span.room == 0 && step.written == 1 {
                self.held = Some(stage[0]);
                self.fault = status.err();
                return Ok(false);
            }
            // What came before a fault counts, or the result would depend on how the input was cut.
            span.output.extend_from_slice(&stage[..step.written]);
            span.room -= step.written;
            self.credit = self.credit.saturating_add(step.written as u64);
            status?;
            if step.written < space && !self.stream_ended {
                if span.consumed == span.input.len() {
                    return Ok(true);
                }
                if step.taken == 0 {
                    return Err("the inflater stands still");
                }
            }
        }
    }

    /// Appends the tail to a message that is used up. The stream must then be between two blocks.
    pub(super) fn end_message(&mut self) -> Result<(), Fault> {
        self.credit = CREDIT_BYTES;
        if self.stream_ended {
            // A final block was the last of the message: nothing is open.
            return Ok(());
        }
        // zlib stops at the end of a block if it is asked to, and before the byte behind the tail.
        let mut nothing = [0];
        let [a, b, c, d] = TAIL;
        let (step, status) = self.step(&[a, b, c, d, 0], &mut nothing, InflateFlush::Block);
        if status.is_ok() && step.written == 0 && step.taken == TAIL.len() && !self.stream_ended {
            Ok(())
        } else {
            Err("the message ends inside a block")
        }
    }

    /// Notes the output of this call for what comes after a final block.
    pub(super) fn remember(&mut self, span: &mut Span<'_>, window_bytes: usize) {
        self.history.record(&span.output[span.remembered..], window_bytes);
        span.remembered = span.output.len();
    }

    /// Calls zlib once. Its own words for a fault depend on how the input was cut, so ours are always the same.
    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: InflateFlush,
    ) -> (Step, Result<(), Fault>) {
        let before = (self.zlib.total_in(), self.zlib.total_out());
        let status = match self.zlib.decompress(input, output, flush) {
            Ok(Status::StreamEnd) => {
                self.stream_ended = true;
                Ok(())
            }
            Ok(Status::Ok | Status::BufError) => Ok(()),
            Err(_) => Err("not a DEFLATE stream"),
        };
        (Step::between(before, (self.zlib.total_in(), self.zlib.total_out())), status)
    }

    /// Begins a new stream with the window of the old one. That copies the window, for two bytes of input, so a message
    /// has to earn it with output, which its limit bounds.
    fn restart(&mut self) -> Result<(), Fault> {
        self.credit = self
            .credit
            .checked_sub(RESTART_BYTES)
            .ok_or("too many final blocks with too little between them")?;
        self.stream_ended = false;
        self.zlib.reset(false);
        match self.zlib.set_dictionary(self.history.in_order()) {
            Ok(_) => Ok(()),
            Err(_) => Err("the window cannot be restored"),
        }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            zlib: zlib_rs::Inflate::new(false, 15),
            history: History::default(),
            held: None,
            fault: None,
            stream_ended: false,
            credit: CREDIT_BYTES,
        }
    }
}

/// The last bytes put out. zlib has them too, but does not give them out after a final block.
#[derive(Default)]
struct History {
    /// A ring once it is full.
    bytes: Vec<u8>,
    /// Where the oldest byte of a full ring is; 0 before.
    oldest: usize,
}

impl History {
    /// Appends `output` and forgets what is more than `window_bytes` back.
    fn record(&mut self, output: &[u8], window_bytes: usize) {
        if output.len() >= window_bytes {
            self.clear();
            self.bytes.extend_from_slice(&output[output.len() - window_bytes..]);
            return;
        }
        let growth = output.len().min(window_bytes - self.bytes.len());
        self.bytes.extend_from_slice(&output[..growth]);
        let over = &output[growth..];
        let before_wrap = over.len().min(self.bytes.len() - self.oldest);
        let (front, back) = over.split_at(before_wrap);
        self.bytes[self.oldest..][..front.len()].copy_from_slice(front);
        self.bytes[..back.len()].copy_from_slice(back);
        self.oldest = match self.oldest + over.len() {
            next if next >= window_bytes => next - window_bytes,
            next => next,
        };
    }

    fn in_order(&mut self) -> &[u8] {
        self.bytes.rotate_left(self.oldest);
        self.oldest = 0;
        &self.bytes
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.oldest = 0;
    }
}

/// Bytes of output that earn a stream behind a final block: as many as a tiny fragment counts for.
const RESTART_BYTES: u64 = 64;
/// What each message may spend without output: enough for 1024 streams behind the first.
const CREDIT_BYTES: u64 = 1024 * RESTART_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_the_end_of_all_output() {
        for window in [1, 7, 16] {
            let all: Vec<u8> = (0..200).collect();
            let mut history = History::default();
            let mut end = 0;
            for piece in [0, 1, 3, 5, 6, 7, 1, 16, 2, 17, 0, 15, 40, 4, 9] {
                history.record(&all[end..end + piece], window);
                end += piece;
                assert_eq!(history.in_order(), &all[end.saturating_sub(window)..end]);
                assert!(history.bytes.len() <= window);
            }
            // Without putting it in order in between.
            (end..200).for_each(|at| history.record(&all[at..=at], window));
            assert_eq!(history.in_order(), &all[200 - window..]);
        }
    }
}
