//! What waits to be written (RFC 6455 §5.4, §5.5): whole frames in order, control frames ahead of data that has
//! not begun. Small frames share a buffer, large payloads are held by reference, and all leave in one write.
//!
//! Holds no capacity while empty. Knows no state of the connection and refuses nothing.

use std::io::IoSlice;

use bytes::Bytes;

use crate::frame::{Frame, Header, frame_bytes, write_frame, write_frame_with};
use crate::mask::{mask, masked};
use crate::message::Message;
use crate::payload::{Own, Payload, REFERENCE_BYTES_MIN, Roomy};
use crate::scratch::Scratch;
use crate::segments::{Segment, Segments};

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
    // In place, as a call would be a hundredth of what 1 KiB costs.
    #[inline(always)]
    pub(crate) fn push(&mut self, frame: Frame, payload: Bytes, scratch: &mut Scratch) {
        if payload.len() < REFERENCE_BYTES_MIN {
            return write_frame(self.tail_with_room(scratch), frame, &payload);
        }
        self.push_referenced(frame, payload, scratch);
    }

    /// The same with a message for its payload.
    #[inline]
    pub(crate) fn push_message(&mut self, frame: Frame, message: Message, scratch: &mut Scratch) {
        match message.into_payload() {
            Payload::Own(Own::Small(small)) => {
                let tail = self.tail_with_room(scratch);
                write_frame_with(tail, frame, small.len(), |tail| small.append_to(tail));
            }
            Payload::Shared(bytes) => self.push(frame, bytes, scratch),
            Payload::Own(Own::Roomy(roomy)) => self.push_roomy(frame, roomy, scratch),
        }
    }

    fn push_roomy(&mut self, frame: Frame, roomy: Roomy, scratch: &mut Scratch) {
        let header = frame.header(roomy.len()).to_payload();
        match roomy.behind(header.as_slice(), frame.mask) {
            Ok(framed) => {
                self.seal_tail(scratch);
                self.push_segment(framed.into(), true, scratch);
            }
            Err(held) => self.push_referenced(frame, held.into_bytes(), scratch),
        }
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
    // In place, since a call is a sixth of what it does for a frame of 64 bytes.
    #[inline(always)]
    pub(crate) fn push_encoded(&mut self, frame: &Bytes, scratch: &mut Scratch) {
        if frame.len() < REFERENCE_BYTES_MIN {
            return self.tail_with_room(scratch).extend_from_slice(frame);
        }
        self.push_encoded_large(frame, scratch);
    }

    fn push_encoded_large(&mut self, frame: &Bytes, scratch: &mut Scratch) {
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
        let Some(segments) = &self.segments else { return Some(&self.tail[self.written..]) };
        let alone = segments.waiting.len() == 1 && self.tail.is_empty();
        alone.then(|| &segments.waiting[0].bytes.as_slice()[self.written..])
    }

    /// Takes note that `len` bytes from the front have been written.
    #[inline]
    pub(crate) fn wrote(&mut self, len: usize, scratch: &mut Scratch) {
        self.written += len;
        while let Some(segments) = &mut self.segments {
            let Some(first) = segments.waiting.front() else {
                // A pong that is due is asked for next.
                if let Some(empty) = self.segments.take_if(|it| it.pong_due.is_none()) {
                    scratch.segments.give(empty);
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
        self.segments.get_or_insert_with(|| scratch.segments.take())
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
    use crate::segments::{SPARE_CAPACITY_MAX, SPARE_MAX, Spare};

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

    /// All that leaves, and in how many pieces.
    fn leaves(queue: &mut Queue, scratch: &mut Scratch) -> (Vec<u8>, usize) {
        let pieces = queue.slices(&mut [IoSlice::new(&[]); 64]);
        assert_eq!(queue.single().is_some(), pieces == 1);
        (written(queue, scratch), pieces)
    }

    #[test]
    fn a_message_made_from_a_slice_leaves_in_one_piece_with_its_header() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for mask in [None, Some(key)] {
            for len in [REFERENCE_BYTES_MIN, 40_000, 70_000] {
                let payload: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
                let (frame, message) = (Frame { mask, ..FRAME }, || Message::from(&payload[..]));
                let (mut scratch, encoded) =
                    (Scratch::new(|| [0; 4]), frame_bytes(frame, &payload));
                let (mut alone, mut held) = (Queue::default(), Queue::default());
                alone.push_message(frame, message(), &mut scratch);
                assert_eq!(alone.len(), encoded.len());
                assert_eq!(leaves(&mut alone, &mut scratch), (encoded.clone(), 1));
                assert_eq!(alone.len(), 0);
                // Somebody else's bytes stay as they are.
                let other = message();
                held.push_message(frame, other.clone(), &mut scratch);
                assert_eq!(leaves(&mut held, &mut scratch), (encoded, 2));
                assert_eq!(other.as_bytes(), payload);
            }
        }
    }

    #[test]
    fn other_frames_stand_ahead_of_and_behind_a_message_that_is_one_piece() {
        let (payload, small) = (vec![7; 40_000], frame_bytes(FRAME, b"small"));
        let (large, ping_frame) =
            (frame_bytes(FRAME, &payload), Frame { opcode: Opcode::Ping, ..FRAME });
        let ping = frame_bytes(ping_frame, b"ahead");
        let message = || Message::from(&payload[..]);
        let mut scratch = Scratch::new(|| [0; 4]);
        let mut queue = Queue::default();

        queue.push_message(FRAME, message(), &mut scratch);
        queue.push_control(ping_frame, b"ahead", &mut scratch);
        let (left, pieces) = leaves(&mut queue, &mut scratch);
        assert_eq!((left, pieces), ([&ping[..], &large].concat(), 2), "it had not begun");

        queue.push_message(FRAME, message(), &mut scratch);
        queue.push_message(FRAME, message(), &mut scratch);
        queue.push_copied(FRAME, b"small", &mut scratch);
        let all = [&large[..], &large, &small].concat();
        assert_eq!(leaves(&mut queue, &mut scratch), (all, 3));

        // What has left of it keeps the rest in front.
        for begun in [0, 1, 3, 4, 5, 30_000, large.len() - 1] {
            queue.push_message(FRAME, message(), &mut scratch);
            queue.wrote(begun, &mut scratch);
            assert_eq!(queue.len(), large.len() - begun);
            let ahead = queue.len() >= JUMP_BYTES_MIN;
            queue.push_copied(FRAME, b"small", &mut scratch);
            queue.push_control(ping_frame, b"ahead", &mut scratch);
            let rest = match (begun, ahead) {
                (0, _) => [&ping, &large[..], &small].concat(),
                (_, true) => [&large[begun..], &ping, &small].concat(),
                (_, false) => [&large[begun..], &small, &ping].concat(),
            };
            assert_eq!(written(&mut queue, &mut scratch), rest, "{begun} of it had left");
        }
        assert_eq!((queue.len(), queue.tail.capacity()), (0, 0));
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
        assert_eq!(scratch.segments.len(), 1);

        let (mut again, mut new) = (Queue::default(), Queue::default());
        large(&mut again, 8, &mut scratch);
        assert_eq!(scratch.segments.len(), 0);
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
        assert_eq!(scratch.segments.len(), SPARE_MAX);
        scratch.segments = Spare::default();
        for (messages, kept) in [(SPARE_CAPACITY_MAX / 2, 1), (SPARE_CAPACITY_MAX / 2 + 1, 0)] {
            large(&mut queues[0], messages, &mut scratch);
            written(&mut queues[0], &mut scratch);
            assert_eq!(std::mem::take(&mut scratch.segments).len(), kept);
        }
    }
}
