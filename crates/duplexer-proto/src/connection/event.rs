//! What an open connection tells its caller about incoming bytes. Borrows from the bytes themselves where it can.

use crate::close::CloseReason;
use crate::message::{Message, MessageKind};

/// How far one call of [`Connection::receive`](crate::Connection::receive) came.
///
/// ```
/// use duplexer_proto::{Connection, Delivery, Role, Scratch};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
/// let mut input = *b"\x81\x05Hello\x81";
/// let received = client.receive(&mut input, Delivery::Whole, &mut scratch)?;
/// assert!(received.event.is_some());
/// assert_eq!(received.consumed, 7); // the next header has begun, and is presented again
/// # Ok::<(), duplexer_proto::Fault>(())
/// ```
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "a position and what was found there")]
pub struct Received<'i> {
    /// Bytes that were taken from the front of the input; the rest is to be presented again.
    pub consumed: usize,
    /// What was found; `None` when more bytes are needed first.
    pub event: Option<Event<'i>>,
}

/// Something that happened.
///
/// ```
/// use duplexer_proto::Event;
/// fn log(event: &Event<'_>) -> String {
///     match event {
///         Event::Message(message) => format!("{} bytes", message.len()),
///         Event::Close(reason) => format!("closed: {reason}"),
///         other => format!("{other:?}"),
///     }
/// }
/// assert_eq!(log(&Event::Message("Hello".into())), "5 bytes");
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A whole message.
    Message(Message),
    /// A piece of a message.
    Chunk(Chunk<'i>),
    /// A message is over [`Limits::message_bytes_max`](crate::Limits::message_bytes_max), and [`Oversize::Skip`](crate::Oversize::Skip)
    /// says to go on without it: nothing more comes of it. Told as soon as that is known, which may be long before its end.
    Skipped {
        /// The message's kind.
        kind: MessageKind,
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// A ping arrived (RFC 6455 §5.5.2). While the connection is open its answer is queued already, or follows once fewer
    /// answers wait, unless a later ping's takes its place (§5.5.3); behind a Close of this end's it is not answered.
    Ping(&'i [u8]),
    /// A pong arrived (RFC 6455 §5.5.3).
    Pong(&'i [u8]),
    /// The peer's Close arrived; the answer, where one is due, is queued already (RFC 6455 §5.5.1).
    Close(CloseReason),
}

/// A piece of a message as it arrived: at any length, and in a text between any two bytes.
///
/// ```
/// use duplexer_proto::{Connection, Delivery, Event, Role, Scratch};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
/// let mut input = *b"\x81\x05Hel"; // more is on its way
/// let received = client.receive(&mut input, Delivery::Chunks, &mut scratch)?;
/// let Some(Event::Chunk(chunk)) = received.event else { panic!("a piece") };
/// assert_eq!((chunk.bytes, chunk.first, chunk.last), (&b"Hel"[..], true, false));
/// # Ok::<(), duplexer_proto::Fault>(())
/// ```
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
