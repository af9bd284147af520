//! The outgoing direction of an open connection: messages whole, prepared or piece by piece, pings and pongs.
//! Everything goes to the queue; nothing here waits.

use std::fmt;

use bytes::Bytes;

use crate::connection::endpoint::{Connection, Writing};
use crate::connection::state::State;
use crate::extension::Boundary;
use crate::frame::{Opcode, Rsv};
use crate::message::{Message, MessageKind};
use crate::piece::Piece;
use crate::prepared::Prepared;
use crate::scratch::Scratch;
use crate::time::Time;

/// How one message is sent.
///
/// ```
/// use duplexer_proto::SendOptions;
/// let secret = SendOptions::default().compress(false);
/// let through_a_small_proxy = SendOptions::default().frame_bytes_max(16 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendOptions {
    /// Whether negotiated extensions may transform the message. Default true; secrets beside text that an attacker
    /// chooses are better sent without (RFC 7692 §9).
    pub compress: bool,
    /// Most payload bytes of one frame, as they travel: a longer message, or piece of one, is cut into several (RFC 6455 §5.4),
    /// between which pings and pongs can pass. Zero counts as 1. Default: no bound. Receivers charge tiny fragments more than
    /// they weigh, so kilobytes are reasonable.
    pub frame_bytes_max: usize,
}

impl SendOptions {
    /// The same with [`compress`](SendOptions::compress) set.
    #[must_use]
    pub const fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// The same with [`frame_bytes_max`](SendOptions::frame_bytes_max) set.
    #[must_use]
    pub const fn frame_bytes_max(mut self, bytes: usize) -> Self {
        self.frame_bytes_max = bytes;
        self
    }
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { compress: true, frame_bytes_max: usize::MAX }
    }
}

/// How the frames of a message, or of a piece of one, begin and end.
struct Begun {
    opcode: Opcode,
    rsv: Rsv,
    /// The last one ends the message.
    fin: bool,
}

impl Connection {
    /// Queues a message.
    ///
    /// # Errors
    /// The connection is not open, or a message that is written in pieces has not ended.
    #[inline]
    pub fn send(
        &mut self,
        message: Message,
        options: SendOptions,
        scratch: &mut Scratch,
    ) -> Result<(), SendError> {
        self.may_send()?;
        let opcode = Opcode::first_of(message.kind());
        let rsv = self.choose(message.kind(), Some(message.len() as u64), options);
        let max = options.frame_bytes_max;
        if rsv.is_empty() {
            if message.len() > max {
                let begun = Begun { opcode, rsv, fin: true };
                self.push_cut(begun, message.into_bytes(), max, scratch);
            } else {
                let frame = self.frame(true, rsv, opcode, scratch);
                self.queue.push_message(frame, message, scratch);
            }
            return Ok(());
        }
        let mut payload = scratch.take_buffer();
        self.chain.encode(rsv, message.as_bytes(), Boundary::End, scratch, &mut payload);
        if payload.len() > max {
            self.push_cut(Begun { opcode, rsv, fin: true }, payload.into(), max, scratch);
        } else {
            let frame = self.frame(true, rsv, opcode, scratch);
            self.queue.push_copied(frame, &payload, scratch);
            scratch.give_buffer(payload);
        }
        Ok(())
    }

    /// Queues a prepared message: by reference where this connection's frame is the same as others', encoded for this
    /// connection where it masks or its extensions depend on what came before.
    ///
    /// # Errors
    /// As [`send`](Connection::send).
    pub fn send_prepared(
        &mut self,
        prepared: &Prepared,
        options: SendOptions,
        scratch: &mut Scratch,
    ) -> Result<(), SendError> {
        self.may_send()?;
        let message = prepared.message();
        if self.role().masks() || message.len() > options.frame_bytes_max {
            return self.send(message.clone(), options, scratch);
        }
        let active = self.choose(message.kind(), Some(message.len() as u64), options);
        if active.is_empty() {
            self.queue.push_encoded(prepared.plain(), scratch);
            return Ok(());
        }
        match prepared.transformed(&mut self.chain, active, scratch) {
            Some(frame) => {
                self.queue.push_encoded(&frame, scratch);
                Ok(())
            }
            None => self.send(message.clone(), options, scratch),
        }
    }

    /// Queues several prepared messages, with the options' defaults, as long as the queue is below
    /// [`queue_bytes_max`](crate::Limits::queue_bytes_max), and tells how many.
    ///
    /// # Errors
    /// As [`send`](Connection::send); none was queued then.
    pub fn send_prepared_many(
        &mut self,
        prepared: &[Prepared],
        scratch: &mut Scratch,
    ) -> Result<usize, SendError> {
        self.may_send()?;
        if self.queue.len() >= self.limits.queue_bytes_max {
            return Ok(0);
        }
        let is_plain = |one: &Prepared| {
            let message = one.message();
            let len = Some(message.len() as u64);
            self.choose(message.kind(), len, SendOptions::default()).is_empty()
        };
        let plain =
            !self.role().masks() && (self.chain.is_empty() || prepared.iter().all(is_plain));
        if plain
            && prepared.len() > 1
            && let Some(together) = Prepared::together(prepared)
            && self.queue.len() + together.before_last < self.limits.queue_bytes_max
        {
            self.queue.push_encoded(&together.frames, scratch);
            return Ok(prepared.len());
        }
        for (sent, prepared) in prepared.iter().enumerate() {
            if self.queue.len() >= self.limits.queue_bytes_max {
                return Ok(sent);
            }
            if plain {
                self.queue.push_encoded(prepared.plain(), scratch);
            } else {
                self.send_prepared(prepared, SendOptions::default(), scratch)?;
            }
        }
        Ok(prepared.len())
    }

    /// Begins a message of any length that is written piece by piece. Until it ends no other may be sent
    /// (RFC 6455 §5.4).
    ///
    /// # Errors
    /// As [`send`](Connection::send).
    pub fn start_message(
        &mut self,
        kind: MessageKind,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.may_send()?;
        let active = self.choose(kind, None, options);
        self.writing = Some(Writing {
            opcode: Opcode::first_of(kind),
            rsv: active,
            active,
            frame_bytes_max: u32::try_from(options.frame_bytes_max).unwrap_or(u32::MAX),
        });
        Ok(())
    }

    /// Queues a piece of the message that was begun. With [`Boundary::Within`] an extension may hold bytes back; without one, each
    /// piece is a frame. The caller of a text answers for the whole being UTF-8.
    ///
    /// # Errors
    /// No message was begun, or the connection has closed since.
    pub fn write_message<'p>(
        &mut self,
        piece: impl Into<Piece<'p>>,
        boundary: Boundary,
        scratch: &mut Scratch,
    ) -> Result<(), SendError> {
        let Some(writing) = self.writing else {
            return Err(match self.machine.state() {
                State::Open => SendError::NotStarted,
                State::Closing | State::Answering | State::Failing | State::Closed => {
                    SendError::Closed
                }
            });
        };
        let fin = boundary == Boundary::End;
        let mut encoded = Vec::new();
        let payload = if writing.active.is_empty() {
            piece.into()
        } else {
            encoded = scratch.take_buffer();
            self.chain.encode(writing.active, &piece.into(), boundary, scratch, &mut encoded);
            Piece::from(&encoded)
        };
        if fin || !payload.is_empty() {
            let max = usize::try_from(writing.frame_bytes_max).unwrap_or(usize::MAX);
            if payload.len() > max {
                let begun = Begun { opcode: writing.opcode, rsv: writing.rsv, fin };
                self.push_cut(begun, payload.into_bytes(), max, scratch);
            } else {
                let frame = self.frame(fin, writing.rsv, writing.opcode, scratch);
                match payload.held() {
                    Ok(payload) => self.queue.push(frame, payload, scratch),
                    Err(payload) => self.queue.push_copied(frame, payload, scratch),
                }
            }
            let rest = Writing { opcode: Opcode::Continuation, rsv: Rsv::EMPTY, ..writing };
            self.writing = if fin { None } else { Some(rest) };
        }
        scratch.give_buffer(encoded);
        Ok(())
    }

    /// Whether a message that is written in pieces has begun and not ended.
    #[must_use]
    pub const fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Queues a ping ahead of waiting data, and tells its number: [`answered`](Connection::answered) reaches it
    /// once the pong was seen.
    ///
    /// # Errors
    /// The connection is not open.
    pub fn ping(&mut self, now: Time, scratch: &mut Scratch) -> Result<u64, ControlError> {
        self.may_control(&[])?;
        let number = self.liveness.ping(now);
        self.push_ping(&number.to_be_bytes(), scratch);
        Ok(number)
    }

    /// Queues a ping with a payload of the caller's, at most 125 bytes.
    ///
    /// # Errors
    /// The connection is not open, or the payload is too long.
    pub fn ping_with(&mut self, payload: &[u8], scratch: &mut Scratch) -> Result<(), ControlError> {
        self.may_control(payload)?;
        self.push_ping(payload, scratch);
        Ok(())
    }

    /// Queues a pong that nobody asked for (RFC 6455 §5.5.3), with at most 125 bytes.
    ///
    /// # Errors
    /// The connection is not open, or the payload is too long.
    pub fn pong(&mut self, payload: &[u8], scratch: &mut Scratch) -> Result<(), ControlError> {
        self.may_control(payload)?;
        let frame = self.frame(true, Rsv::EMPTY, Opcode::Pong, scratch);
        self.queue.push_control(frame, payload, scratch);
        Ok(())
    }

    /// Queues a payload of more than `max` bytes as several frames.
    #[cold]
    fn push_cut(&mut self, begun: Begun, mut payload: Bytes, max: usize, scratch: &mut Scratch) {
        let Begun { mut opcode, mut rsv, fin } = begun;
        let max = max.max(1);
        while payload.len() > max {
            let frame = self.frame(false, rsv, opcode, scratch);
            self.queue.push(frame, payload.split_to(max), scratch);
            (opcode, rsv) = (Opcode::Continuation, Rsv::EMPTY);
        }
        let frame = self.frame(fin, rsv, opcode, scratch);
        self.queue.push(frame, payload, scratch);
    }

    #[inline]
    fn choose(&self, kind: MessageKind, len: Option<u64>, options: SendOptions) -> Rsv {
        if self.chain.is_empty() {
            return Rsv::EMPTY;
        }
        self.chain.choose(kind, len, options.compress)
    }

    #[inline]
    fn may_send(&self) -> Result<(), SendError> {
        match self.machine.state() {
            State::Open if self.writing.is_some() => Err(SendError::Busy),
            State::Open => Ok(()),
            State::Closing | State::Answering | State::Failing | State::Closed => {
                Err(SendError::Closed)
            }
        }
    }

    fn may_control(&self, payload: &[u8]) -> Result<(), ControlError> {
        if self.machine.state() != State::Open {
            return Err(ControlError::Closed);
        }
        if payload.len() > CONTROL_BYTES_MAX {
            return Err(ControlError::TooLong { len: payload.len() });
        }
        Ok(())
    }
}

/// A message was not queued.
///
/// ```
/// use duplexer_proto::{Connection, Role, Scratch, SendError, SendOptions};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
/// client.close(None, &mut scratch);
/// let late = client.send("too late".into(), SendOptions::default(), &mut scratch);
/// assert_eq!(late, Err(SendError::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed.
    Closed,
    /// A message that is written in pieces has not ended (RFC 6455 §5.4).
    Busy,
    /// A piece of a message that was never begun.
    NotStarted,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closing or closed",
            Self::Busy => "a message that is written in pieces has not ended",
            Self::NotStarted => "no message was begun",
        })
    }
}

impl std::error::Error for SendError {}

/// A ping or pong was not queued.
///
/// ```
/// use duplexer_proto::{Connection, ControlError, Role, Scratch};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
/// let refused = client.ping_with(&[0; 126], &mut scratch);
/// assert_eq!(refused, Err(ControlError::TooLong { len: 126 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlError {
    /// The connection is closing or closed.
    Closed,
    /// More than the 125 bytes that a control frame holds (RFC 6455 §5.5).
    TooLong {
        /// The payload's length in bytes.
        len: usize,
    },
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::TooLong { len } => {
                write!(f, "control frame of {len} bytes; at most 125 fit (RFC 6455 §5.5)")
            }
        }
    }
}

impl std::error::Error for ControlError {}

/// Longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: usize = 125;
