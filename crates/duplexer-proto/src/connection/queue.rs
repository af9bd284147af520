//! What waits to be written (RFC 6455 §5.4, §5.5): whole frames in order, control frames ahead of data that has
//! not begun. Small frames share a buffer, large payloads are held by reference, and all leave in one vectored write.
//!
//! Holds no capacity while empty. Knows no state of the connection and refuses nothing.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::frame::{Frame, Header, frame_bytes, write_frame};
use crate::mask::{mask, masked};
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
    /// The last segment that was written whole was a header: its payload is at the front.
    inside_frame: bool,
    /// Bytes that wait, the written ones left out.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Segments(VecDeque<Segment>);

/// Bytes that leave one after another.
#[derive(Debug)]
struct Segment {
    bytes: Bytes,
    /// A frame ends with it: other frames may follow.
    ends_frame: bool,
    /// A control frame that was put ahead.
    control: bool,
}

impl Queue {
    /// Bytes that wait to be written.
    pub(crate) const fn len(&self) -> usize {
        self.bytes
    }

    /// Appends a frame whose payload is copied.
    #[inline]
    pub(crate) fn push_copied(&mut self, frame: Frame, payload: &[u8], scratch: &mut Scratch) {
        self.tail_with(scratch, |tail| write_frame(tail, frame, payload));
    }

    /// Appends a frame whose payload is held by reference where it is large.
    pub(crate) fn push(&mut self, frame: Frame, payload: Bytes, scratch: &mut Scratch) {
        if payload.len() < REFERENCE_BYTES_MIN {
            return self.push_copied(frame, &payload, scratch);
        }
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
        self.seal_tail();
        let mut header = scratch.take_buffer();
        frame.header(payload.len()).write(&mut header);
        self.push_segment(Bytes::copy_from_slice(&header), false);
        scratch.give_buffer(header);
        self.push_segment(payload, true);
    }

    /// Appends a frame that was encoded elsewhere.
    pub(crate) fn push_encoded(&mut self, frame: Bytes, scratch: &mut Scratch) {
        if frame.len() < REFERENCE_BYTES_MIN {
            return self.tail_with(scratch, |tail| tail.extend_from_slice(&frame));
        }
        self.seal_tail();
        self.push_segment(frame, true);
    }

    /// Puts a control frame ahead of the data that has not begun.
    pub(crate) fn push_control(&mut self, frame: Frame, payload: &[u8], scratch: &mut Scratch) {
        if self.bytes < JUMP_BYTES_MIN {
            return self.push_copied(frame, payload, scratch);
        }
        self.seal_tail();
        let data = self.boundary();
        let segments = &mut self.segments.get_or_insert_default().0;
        let at = data + segments.range(data..).take_while(|segment| segment.control).count();
        let bytes = Bytes::from(frame_bytes(frame, payload));
        self.bytes += bytes.len();
        segments.insert(at, Segment { bytes, ends_frame: true, control: true });
    }

    /// How many control frames wait that were put ahead of data.
    pub(crate) fn controls_ahead(&self) -> usize {
        let segments = self.segments.iter().flat_map(|segments| &segments.0);
        segments
            .skip_while(|segment| !segment.control)
            .take_while(|segment| segment.control)
            .count()
    }

    /// Drops everything, for a transport that is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Fills `slices` from the front with what waits, and tells how many were filled.
    pub(crate) fn slices<'q>(&'q self, slices: &mut [IoSlice<'q>]) -> usize {
        let segments = self.segments.iter().flat_map(|segments| &segments.0);
        let segments = segments.map(|segment| &segment.bytes[..]);
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
        self.bytes -= len;
        self.written += len;
        while let Some(Segments(segments)) = self.segments.as_deref_mut() {
            let Some(first) = segments.front() else {
                self.segments = None;
                break;
            };
            if self.written < first.bytes.len() {
                return;
            }
            self.written -= first.bytes.len();
            self.inside_frame = !first.ends_frame;
            segments.pop_front();
        }
        if self.written == self.tail.len() {
            self.written = 0;
            scratch.give_buffer(std::mem::take(&mut self.tail));
        } else if self.written >= CUT_BYTES_MIN && self.written * 2 >= self.tail.len() {
            // A queue that is never quite empty must not keep what has left.
            let start = frame_start(&self.tail, self.written);
            self.tail.drain(..start);
            self.written -= start;
        }
    }

    /// The index of the first segment whose frame has not begun, after cutting the front one between its frames.
    fn boundary(&mut self) -> usize {
        if self.written == 0 && !self.inside_frame {
            return 0;
        }
        let Some(Segments(segments)) = self.segments.as_deref_mut() else { return 0 };
        if !self.inside_frame
            && let Some(first) = segments.front_mut()
            && let Some(end) = frame_end(&first.bytes, self.written)
        {
            let (bytes, control) = (first.bytes.split_to(end), first.control);
            segments.push_front(Segment { bytes, ends_frame: true, control });
            return 1;
        }
        let ends = segments.iter().position(|segment| segment.ends_frame);
        ends.map_or(segments.len(), |at| at + 1)
    }

    fn tail_with(&mut self, scratch: &mut Scratch, write: impl FnOnce(&mut Vec<u8>)) {
        if self.tail.capacity() == 0 {
            self.tail = scratch.take_buffer();
        }
        let before = self.tail.len();
        write(&mut self.tail);
        self.bytes += self.tail.len() - before;
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.tail));
            let segment = Segment { bytes, ends_frame: true, control: false };
            self.segments.get_or_insert_default().0.push_back(segment);
        }
    }

    fn push_segment(&mut self, bytes: Bytes, ends_frame: bool) {
        self.bytes += bytes.len();
        let segment = Segment { bytes, ends_frame, control: false };
        self.segments.get_or_insert_default().0.push_back(segment);
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
/// From this many written bytes on the buffer of small frames is cut at its front.
const CUT_BYTES_MIN: usize = 16 << 10;
/// From this many waiting bytes on a control frame is put ahead; less leaves soon anyway.
const JUMP_BYTES_MIN: usize = 16 << 10;
