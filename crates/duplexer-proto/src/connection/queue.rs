//! What waits to be written (RFC 6455 §5.4, §5.5): whole frames in order, control frames ahead of data that has
//! not begun. Small frames share a buffer, large payloads are held by reference, and all leave in one vectored write.
//!
//! Holds no capacity while empty. Knows no state of the connection and refuses nothing.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::frame::{Frame, Header, frame_bytes, write_frame, write_frame_with};
use crate::mask::{mask, masked};
use crate::message::Message;
use crate::payload::Payload;
use crate::scratch::Scratch;

/// The outgoing frames of one connection.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// What is not in the tail: large payloads, and what stands before them. Boxed, since few connections have any.
    segments: Option<Box<Segments>>,
    /// Small frames behind the segments, each whole.
    tail: Vec<u8>,
    /// Bytes of the first segment (or of the tail) that were written.
    written: usize,
}

/// The segments that have not left; there is one, at least.
#[derive(Debug, Default)]
struct Segments {
    waiting: VecDeque<Segment>,
    /// The last segment that was written whole was a header: its payload is at the front.
    inside_frame: bool,
    /// Bytes of those that wait, the written ones of the first included.
    bytes: usize,
    /// What the last ping carried that is to be answered once fewer control frames wait.
    pong_due: Option<Box<[u8]>>,
}

/// Bytes that leave one after another.
#[derive(Debug)]
struct Segment {
    bytes: Payload,
    /// A frame ends with it: other frames may follow.
    ends_frame: bool,
    /// A control frame that was put ahead.
    control: bool,
}

/// Empty segments of queues that have been written out, for the next one that holds a large payload.
#[allow(clippy::vec_box, reason = "the boxes themselves are used again")]
#[derive(Debug, Default)]
struct Spare(Vec<Box<Segments>>);

impl Segments {
    /// How many control frames wait that were put ahead of data.
    fn controls_ahead(&self) -> usize {
        self.waiting
            .iter()
            .skip_while(|segment| !segment.control)
            .take_while(|segment| segment.control)
            .count()
    }
}

impl Queue {
    /// Bytes that wait to be written.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        let ahead = match &self.segments {
            None => 0,
            Some(segments) => segments.bytes,
        };
        ahead + self.tail.len() - self.written
    }

    /// Appends a frame whose payload is copied.
    #[inline]
    pub(crate) fn push_copied(&mut self, frame: Frame, payload: &[u8], scratch: &mut Scratch) {
        write_frame(self.tail_with_room(scratch), frame, payload);
    }

    /// Appends a frame whose payload is held by reference where it is large.
    #[inline]
    pub(crate) fn push(&mut self, frame: Frame, payload: Bytes, scratch: &mut Scratch) {
        if payload.len() < REFERENCE_BYTES_MIN {
            return self.push_copied(frame, &payload, scratch);
        }
        self.push_referenced(frame, payload, scratch);
    }

    /// The same with a message for its payload.
    #[inline]
    pub(crate) fn push_message(&mut self, frame: Frame, message: Message, scratch: &mut Scratch) {
        if message.len() < REFERENCE_BYTES_MIN {
            let (tail, payload) = (self.tail_with_room(scratch), message.payload());
            return write_frame_with(tail, frame, payload.len(), |tail| payload.append_to(tail));
        }
        self.push_referenced(frame, message.into_bytes(), scratch);
    }

    fn push_referenced(&mut self, frame: Frame, payload: Bytes, scratch: &mut Scratch) {
        let payload = match frame.mask {
            None => payload,
            Some(key) => {
                // Masked where it lies when nobody else holds it.
                match payload.try_into_mut() {
                    Ok(mut owned) => {
                        mask(&mut owned, key, 0);
                        owned.freeze()
                    }
                    Err(shared) => masked(&shared, key).into(),
                }
            }
        };
        self.seal_tail(scratch);
        self.push_segment(frame.header(payload.len()).to_payload(), false, scratch);
        self.push_segment(payload.into(), true, scratch);
    }

    /// Appends a frame that was encoded elsewhere.
    pub(crate) fn push_encoded(&mut self, frame: &Bytes, scratch: &mut Scratch) {
        if frame.len() < REFERENCE_BYTES_MIN {
            return self.tail_with_room(scratch).extend_from_slice(frame);
        }
        self.seal_tail(scratch);
        self.push_segment(frame.clone().into(), true, scratch);
    }

    /// Puts a control frame ahead of the data that has not begun.
    pub(crate) fn push_control(&mut self, frame: Frame, payload: &[u8], scratch: &mut Scratch) {
        if self.len() < JUMP_BYTES_MIN {
            return self.push_copied(frame, payload, scratch);
        }
        self.seal_tail(scratch);
        let data = self.boundary();
        let Segments { waiting, bytes: ahead, .. } = self.segments_with(scratch);
        let at = data + waiting.range(data..).take_while(|segment| segment.control).count();
        let bytes = Payload::from(Bytes::from(frame_bytes(frame, payload)));
        *ahead += bytes.len();
        waiting.insert(at, Segment { bytes, ends_frame: true, control: true });
    }

    /// Keeps the payload of a pong for later, if so many control frames wait ahead of data that it is not to join them.
    pub(crate) fn defer_pong(&mut self, payload: &[u8]) -> bool {
        let Some(segments) = &mut self.segments else { return false };
        let defers = segments.controls_ahead() >= CONTROLS_AHEAD_MAX;
        if defers {
            segments.pong_due = Some(payload.into());
        }
        defers
    }

    /// The payload of the pong that was deferred, once fewer control frames wait.
    #[inline]
    pub(crate) fn take_due_pong(&mut self) -> Option<Box<[u8]>> {
        let segments = self.segments.as_mut()?;
        if segments.pong_due.is_none() || segments.controls_ahead() >= CONTROLS_AHEAD_MAX {
            return None;
        }
        let due = segments.pong_due.take();
        self.segments.take_if(|segments| segments.waiting.is_empty());
        due
    }

    /// Drops the pong that was deferred.
    pub(crate) fn forget_due_pong(&mut self) {
        if let Some(segments) = &mut self.segments {
            segments.pong_due = None;
        }
    }

    /// Drops everything, for a transport that is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Fills `slices` from the front with what waits, and tells how many were filled.
    pub(crate) fn slices<'q>(&'q self, slices: &mut [IoSlice<'q>]) -> usize {
        let segments = self.segments.iter().flat_map(|segments| &segments.waiting);
        let segments = segments.map(|segment| segment.bytes.as_slice());
        let tail = std::iter::once(&self.tail[..]).filter(|tail| !tail.is_empty());
        let mut skip = self.written;
        let mut filled = 0;
        for (slot, bytes) in slices.iter_mut().zip(segments.chain(tail)) {
            *slot = IoSlice::new(&bytes[std::mem::take(&mut skip)..]);
            filled += 1;
        }
        filled
    }

    /// The bytes that wait, where they are all in one place.
    #[inline]
    pub(crate) fn single(&self) -> Option<&[u8]> {
        self.segments.is_none().then(|| &self.tail[self.written..])
    }

    /// Takes note that `len` bytes from the front have been written.
    #[inline]
    pub(crate) fn wrote(&mut self, len: usize, scratch: &mut Scratch) {
        self.written += len;
        while let Some(segments) = &mut self.segments {
            let Some(first) = segments.waiting.front() else {
                // A pong that is due is asked for next.
                if let Some(empty) = self.segments.take_if(|it| it.pong_due.is_none()) {
                    give_segments(empty, scratch);
                }
                break;
            };
            let bytes = first.bytes.len();
            if self.written < bytes {
                return;
            }
            self.written -= bytes;
            segments.bytes -= bytes;
            segments.inside_frame = !first.ends_frame;
            segments.waiting.pop_front();
        }
        if self.written == self.tail.len() {
            self.written = 0;
            if self.tail.capacity() > 0 {
                scratch.give_buffer(std::mem::take(&mut self.tail));
            }
        } else if self.written >= CUT_BYTES_MIN && self.written * 2 >= self.tail.len() {
            // A queue that is never quite empty must not keep what has left.
            let start = frame_start(&self.tail, self.written);
            self.tail.drain(..start);
            self.written -= start;
        }
    }

    /// The index of the first segment whose frame has not begun, after cutting the front one between its frames.
    fn boundary(&mut self) -> usize {
        let Some(segments) = &mut self.segments else { return 0 };
        let Segments { waiting, inside_frame, .. } = &mut **segments;
        if self.written == 0 && !*inside_frame {
            return 0;
        }
        if !*inside_frame
            && let Some(first) = waiting.front_mut()
            && let Some(end) = frame_end(first.bytes.as_slice(), self.written)
        {
            let mut rest = std::mem::take(&mut first.bytes).into_bytes();
            let (bytes, control) = (rest.split_to(end).into(), first.control);
            first.bytes = rest.into();
            waiting.push_front(Segment { bytes, ends_frame: true, control });
            return 1;
        }
        let ends = waiting.iter().position(|segment| segment.ends_frame);
        ends.map_or(waiting.len(), |at| at + 1)
    }

    /// The tail; with capacity for some frames, where it was empty.
    #[inline]
    fn tail_with_room(&mut self, scratch: &mut Scratch) -> &mut Vec<u8> {
        if self.tail.capacity() == 0 {
            self.tail = scratch.take_buffer();
        }
        &mut self.tail
    }

    fn seal_tail(&mut self, scratch: &mut Scratch) {
        if !self.tail.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.tail));
            self.push_segment(bytes.into(), true, scratch);
        }
    }

    fn push_segment(&mut self, bytes: Payload, ends_frame: bool, scratch: &mut Scratch) {
        let segments = self.segments_with(scratch);
        segments.bytes += bytes.len();
        segments.waiting.push_back(Segment { bytes, ends_frame, control: false });
    }

    fn segments_with(&mut self, scratch: &mut Scratch) -> &mut Segments {
        self.segments.get_or_insert_with(|| scratch.part::<Spare>().0.pop().unwrap_or_default())
    }
}

/// Keeps empty segments for another queue.
fn give_segments(mut empty: Box<Segments>, scratch: &mut Scratch) {
    debug_assert!(empty.waiting.is_empty() && empty.bytes == 0 && empty.pong_due.is_none());
    let Spare(spare) = scratch.part();
    if spare.len() < SPARE_MAX && empty.waiting.capacity() <= SPARE_CAPACITY_MAX {
        empty.inside_frame = false;
        spare.push(empty);
    }
}

/// Where the frame starts that the byte at `written` belongs to.
fn frame_start(bytes: &[u8], written: usize) -> usize {
    let mut start = 0;
    while let Ok(Some((header, len))) = Header::parse(&bytes[start..]) {
        let end = usize::try_from(header.payload_len)
            .ok()
            .and_then(|payload| payload.checked_add(start + len));
        match end {
            Some(end) if end <= written => start = end,
            _ => break,
        }
    }
    start
}

/// Where the frame ends that has begun when `written` bytes are gone, if `bytes` go on behind it.
fn frame_end(bytes: &[u8], written: usize) -> Option<usize> {
    let mut end = 0;
    while end < written {
        let (header, len) = Header::parse(&bytes[end..]).ok()??;
        end = usize::try_from(header.payload_len).ok()?.checked_add(end + len)?;
        if end >= bytes.len() {
            return None;
        }
    }
    Some(end)
}

/// From this many bytes on a payload is held by reference instead of copied.
const REFERENCE_BYTES_MIN: usize = 4 << 10;
/// Most empty segments that a thread keeps, and the most places of one of them.
const SPARE_MAX: usize = 16;
const SPARE_CAPACITY_MAX: usize = 16;
/// From this many written bytes on the buffer of small frames is cut at its front.
const CUT_BYTES_MIN: usize = 16 << 10;
/// From this many waiting bytes on a control frame is put ahead; less leaves soon anyway.
const JUMP_BYTES_MIN: usize = 16 << 10;
/// Control frames that wait ahead of data, from which on pings are no longer answered one by one.
const CONTROLS_AHEAD_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Opcode, Rsv};

    const FRAME: Frame = Frame { fin: true, rsv: Rsv::EMPTY, opcode: Opcode::Binary, mask: None };

    fn large(queue: &mut Queue, messages: usize, scratch: &mut Scratch) {
        for _ in 0..messages {
            queue.push(FRAME, vec![7; REFERENCE_BYTES_MIN].into(), scratch);
        }
    }

    fn written(queue: &mut Queue, scratch: &mut Scratch) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = queue.slices(&mut slices);
        let bytes =
            slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<u8>>();
        queue.wrote(bytes.len(), scratch);
        bytes
    }

    #[test]
    fn segments_that_were_used_before_are_as_new() {
        let mut scratch = Scratch::new(|| [0; 4]);
        let mut first = Queue::default();
        large(&mut first, 2, &mut scratch);
        // Inside the second frame, of which the header is gone.
        first.wrote(REFERENCE_BYTES_MIN + 4 + 4, &mut scratch);
        assert_eq!(first.len(), REFERENCE_BYTES_MIN);
        written(&mut first, &mut scratch);
        assert_eq!(scratch.part::<Spare>().0.len(), 1);

        let (mut again, mut new) = (Queue::default(), Queue::default());
        large(&mut again, 8, &mut scratch);
        assert_eq!(scratch.part::<Spare>().0.len(), 0);
        large(&mut new, 8, &mut Scratch::new(|| [0; 4]));
        for queue in [&mut again, &mut new] {
            queue.push_control(Frame { opcode: Opcode::Ping, ..FRAME }, b"ahead", &mut scratch);
        }
        assert_eq!(written(&mut again, &mut scratch), written(&mut new, &mut scratch));
    }

    #[test]
    fn so_many_empty_segments_are_kept_and_none_that_have_grown() {
        let mut scratch = Scratch::new(|| [0; 4]);
        let mut queues: Vec<_> = (0..=SPARE_MAX).map(|_| Queue::default()).collect();
        for queue in &mut queues {
            large(queue, 1, &mut scratch);
        }
        for queue in &mut queues {
            written(queue, &mut scratch);
        }
        assert_eq!(scratch.part::<Spare>().0.len(), SPARE_MAX);
        scratch.part::<Spare>().0.clear();
        for (messages, kept) in [(SPARE_CAPACITY_MAX / 2, 1), (SPARE_CAPACITY_MAX / 2 + 1, 0)] {
            large(&mut queues[0], messages, &mut scratch);
            written(&mut queues[0], &mut scratch);
            assert_eq!(scratch.part::<Spare>().0.drain(..).count(), kept);
        }
    }
}
