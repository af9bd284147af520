//! How messages are delivered, and what is handed out at a time.

use crate::message::{Message, MessageKind};

/// How the caller wants the messages that arrive.
///
/// ```
/// use duplexer_proto::Delivery;
/// assert_eq!(Delivery::default(), Delivery::Whole);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Each message in one piece, up to [`Limits::message_bytes_max`](crate::Limits::message_bytes_max); over it [`Limits::oversize`](crate::Limits::oversize) says what to do. Of one that was
    /// begun in chunks, what is left: as binary where that starts inside a character of a text.
    #[default]
    Whole,
    /// Pieces as they arrive, up to [`Limits::stream_bytes_max`](crate::Limits::stream_bytes_max).
    Chunks,
    /// As `Whole`, but a message that outgrows `bytes_max` or its limit is left where it is instead of failing: for a
    /// caller that only wants the control frames behind it. The limit of a message that was begun in chunks is
    /// [`Limits::stream_bytes_max`](crate::Limits::stream_bytes_max). The next delivery that is not `Hold` takes or fails what was left.
    Hold {
        /// Bytes of one message that are held.
        bytes_max: usize,
    },
    /// Nothing: messages are checked and dropped.
    Discard,
}

/// What came of some payload bytes.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Bytes that were taken.
    pub(crate) consumed: usize,
    pub(crate) piece: Piece,
}

/// What there is to hand out.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Nothing yet.
    More,
    /// Nothing, and asking again changes nothing until there are bytes or the delivery changes.
    Stalled,
    /// A whole message.
    Message(Message),
    /// A piece of a message.
    Chunk { kind: MessageKind, place: Place, first: bool, last: bool },
    /// Nothing, for the message is over its limit of `bytes_max`.
    Skipped { kind: MessageKind, bytes_max: u64 },
}

impl Piece {
    pub(super) const fn stalled_unless(moved: bool) -> Self {
        if moved { Self::More } else { Self::Stalled }
    }
}

/// Where the bytes of a piece are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the front of the payload, all that was taken.
    Input,
    /// In [`Scratch::output`].
    Output,
}

/// Who wants the rest of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Wanted,
    /// Nobody: it is checked and dropped.
    Unwanted,
    /// Nobody may have it, since it is over its limit: it is dropped, and decoded only where later messages refer to it.
    Skipped {
        decodes: bool,
    },
}
