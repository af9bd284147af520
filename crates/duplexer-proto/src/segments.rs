//! What waits to be written by reference: pieces of frames in order, and empty lists of them for the next queue that needs one.

use std::collections::VecDeque;

use crate::payload::Payload;

/// The segments that have not left; there is one, at least.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    pub(crate) waiting: VecDeque<Segment>,
    /// The last segment that was written whole was a header: its payload is at the front.
    pub(crate) inside_frame: bool,
    /// Bytes of those that wait, the written ones of the first included.
    pub(crate) bytes: usize,
    /// What the last ping carried that is to be answered once fewer control frames wait.
    pub(crate) pong_due: Option<Box<[u8]>>,
}

/// Bytes that leave one after another.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) bytes: Payload,
    /// A frame ends with it: other frames may follow.
    pub(crate) ends_frame: bool,
    /// A control frame that was put ahead.
    pub(crate) control: bool,
}

impl Segments {
    /// How many control frames wait that were put ahead of data.
    pub(crate) fn controls_ahead(&self) -> usize {
        self.waiting
            .iter()
            .skip_while(|segment| !segment.control)
            .take_while(|segment| segment.control)
            .count()
    }
}

/// Empty segments of queues that have been written out, for the next one that holds a large payload.
#[allow(clippy::vec_box, reason = "the boxes themselves are used again")]
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<Box<Segments>>);

impl Spare {
    pub(crate) fn take(&mut self) -> Box<Segments> {
        self.0.pop().unwrap_or_default()
    }

    /// Keeps empty segments, unless many are kept or they have grown.
    pub(crate) fn give(&mut self, mut empty: Box<Segments>) {
        debug_assert!(empty.waiting.is_empty() && empty.bytes == 0 && empty.pong_due.is_none());
        if self.0.len() < SPARE_MAX && empty.waiting.capacity() <= SPARE_CAPACITY_MAX {
            empty.inside_frame = false;
            self.0.push(empty);
        }
    }

    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

/// Most empty segments that a thread keeps, and the most places of one of them.
pub(crate) const SPARE_MAX: usize = 16;
pub(crate) const SPARE_CAPACITY_MAX: usize = 16;
