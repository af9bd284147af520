//! What an open connection tells its caller about incoming bytes. Borrows from the bytes themselves where it can.

use crate::close::CloseReason;
use crate::message::{Message, MessageKind};

/// How far one call of [`Connection::receive`](crate::Connection::receive) came.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "a position and what was found there")]
pub struct Received<'i> {
    /// Bytes that were taken from the front of the input; the rest is to be presented again.
    pub consumed: usize,
    /// What was found; `None` when more bytes are needed first.
    pub event: Option<Event<'i>>,
}

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A whole message.
    Message(Message),
    /// A piece of a message.
    Chunk(Chunk<'i>),
    /// A ping arrived; its answer is queued already (RFC 6455 §5.5.2).
    Ping(&'i [u8]),
    /// A pong arrived (RFC 6455 §5.5.3).
    Pong(&'i [u8]),
    /// The peer's Close arrived; the answer, where one is due, is queued already (RFC 6455 §5.5.1).
    Close(CloseReason),
}

/// A piece of a message as it arrived: at any length, and in a text between any two bytes.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "says all there is of a piece")]
pub struct Chunk<'i> {
    /// The message's kind.
    pub kind: MessageKind,
    /// The bytes, after unmasking and decoding; empty only where the message ends without more.
    pub bytes: &'i [u8],
    /// The message begins with it.
    pub first: bool,
    /// The message ends with it.
    pub last: bool,
}
