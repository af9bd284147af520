//! Makes messages of frames (RFC 6455 §5.4): the order of frames, the extensions' decoding, UTF-8 and size, for a
//! message of any length. Hands out pieces as they arrive, or the whole message when asked.
//!
//! Holds bytes of an unfinished message only, and no more than were received. Knows no control frames.

use std::fmt;

use bytes::buf::Limit;
use bytes::{BufMut as _, Bytes};

use crate::extension::{Chain, DecodeError, Decoded};
use crate::frame::{Header, Opcode, Rsv};
use crate::limits::{Limits, Oversize};
use crate::mask::masked;
use crate::message::{Message, MessageKind};
use crate::recycle::LARGE_BYTES_MIN;
use crate::scratch::Scratch;
use crate::utf8::Utf8Check;

/// How the caller wants the messages that arrive.
///
/// ```
/// use duplexer_proto::Delivery;
/// assert_eq!(Delivery::default(), Delivery::Whole);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Each message in one piece, up to [`Limits::message_bytes_max`]; over it [`Limits::oversize`] says what to do. Of one that was begun in chunks, what is left: as
    /// binary where that starts inside a character of a text.
    #[default]
    Whole,
    /// Pieces as they arrive, up to [`Limits::stream_bytes_max`].
    Chunks,
    /// As `Whole`, but a message that outgrows `bytes_max` or its limit is left where it is instead of failing: for a
    /// caller that only wants the control frames behind it. The limit of a message that was begun in chunks is
    /// [`Limits::stream_bytes_max`]. The next delivery that is not `Hold` takes or fails what was left.
    Hold {
        /// Bytes of one message that are held.
        bytes_max: usize,
    },
    /// Nothing: messages are checked and dropped.
    Discard,
}

/// The incoming messages of one connection.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    open: Option<Box<Open>>,
}

/// A message that has begun and not ended.
#[derive(Debug)]
struct Open {
    kind: MessageKind,
    /// The reserved bits of the first frame: which extensions decode the message.
    active: Rsv,
    /// The frame that is arriving is the last.
    fin: bool,
    /// Bytes that were taken are not done with: the extensions have more to put out for them, or the message waits over
    /// its limit where it is held.
    undone: bool,
    rest: Rest,
    /// A piece has been handed out.
    delivered: bool,
    utf8: Utf8Check,
    /// Decoded bytes so far, and a charge for each frame after the first.
    charged: u64,
    /// Payload bytes that the headers so far have declared, before decoding.
    wire: u64,
    /// What was gathered.
    whole: Vec<u8>,
    /// How many bytes at the front of `whole`, of a message that no extension transforms, are unmasked and checked. Those behind
    /// were received straight into it.
    settled: usize,
    /// What is wrong with the bytes behind those that were over the limit, to be told after these.
    broken: Option<DecodeError>,
}

/// Who wants the rest of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Wanted,
    /// Nobody: it is checked and dropped.
    Unwanted,
    /// Nobody may have it, since it is over its limit: it is dropped, and decoded only where later messages refer to it.
    Skipped {
        decodes: bool,
    },
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
    const fn stalled_unless(moved: bool) -> Self {
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

impl Assembler {
    /// Whether a message has begun and not ended.
    pub(crate) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Bytes that the message takes that has begun and not ended.
    pub(crate) fn held_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.whole.capacity())
    }

    /// Whether payload may be asked for again although no byte of the frame is left.
    pub(crate) fn is_undone(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.undone)
    }

    /// Drops what is left of the message that has begun.
    pub(crate) fn discard_rest(&mut self) {
        if let Some(open) = self.open.as_mut().filter(|open| open.rest == Rest::Wanted) {
            open.rest = Rest::Unwanted;
            open.whole = Vec::new();
            open.settled = 0;
        }
    }

    /// For a message that is wanted in chunks from now on: hands out what was collected of it while it was held or wanted
    /// whole.
    pub(crate) fn hand_out_held(&mut self, scratch: &mut Scratch) -> Option<Piece> {
        let open = self.open.as_mut().filter(|open| !open.whole.is_empty())?;
        Some(open.hand_out(scratch, false))
    }

    /// Room for more of a large message that is gathered, of whose frame `left` bytes are to come: what is written there is
    /// settled by [`settle`](Assembler::settle) before anything else is received.
    pub(crate) fn room(
        &mut self,
        left: u64,
        limits: &Limits,
        scratch: &Scratch,
    ) -> Option<Limit<&mut Vec<u8>>> {
        let open = self.open.as_deref_mut()?;
        let gathers =
            open.active.is_empty() && open.rest == Rest::Wanted && open.settled >= DIRECT_BYTES_MIN;
        // What is over the limit is for `payload` to judge.
        let left = left.min(limits.message_bytes_max.saturating_sub(open.charged));
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        if !gathers || open.unsettled() > 0 || left < DIRECT_BYTES_MIN {
            return None;
        }
        if open.whole.len() == open.whole.capacity() {
            open.grow(DIRECT_BYTES_MIN, left - DIRECT_BYTES_MIN, scratch);
        }
        let spare = open.whole.capacity() - open.whole.len();
        Some((&mut open.whole).limit(spare.min(left)))
    }

    /// The bytes that were received straight into the message and are not settled.
    pub(crate) fn unsettled(&mut self) -> Option<&mut [u8]> {
        let open = self.open.as_mut().filter(|open| open.unsettled() > 0)?;
        Some(&mut open.whole[open.settled..])
    }

    /// Checks those bytes, which are unmasked now; `left` bytes of the frame follow after them. Hands out the message where
    /// it ends here.
    pub(crate) fn settle(
        &mut self,
        left: u64,
        delivery: Delivery,
        scratch: &mut Scratch,
    ) -> Result<Piece, MessageError> {
        let open = self.open.as_mut().expect("only a message that has begun has unsettled bytes");
        let last = open.fin && left == 0;
        // Out of the message for the check, which counts in it.
        let whole = std::mem::take(&mut open.whole);
        let checked = open.check(&whole[open.settled..], last);
        open.settled = whole.len();
        open.whole = whole;
        checked?;
        if !last {
            return Ok(Piece::More);
        }
        let piece = match delivery {
            Delivery::Whole | Delivery::Hold { .. } => open.message(scratch),
            Delivery::Chunks => open.hand_out(scratch, true),
            Delivery::Discard => Piece::More,
        };
        self.open = None;
        Ok(piece)
    }

    /// Drops the message that has begun, for a connection that is over.
    pub(crate) fn clear(&mut self) {
        self.open = None;
    }

    /// Starts on a data frame.
    pub(crate) fn begin(&mut self, header: &Header, limits: &Limits) -> Result<(), MessageError> {
        let kind = match header.opcode {
            Opcode::Text => MessageKind::Text,
            Opcode::Binary => MessageKind::Binary,
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {
                let open = self.open.as_mut().ok_or(MessageError::NothingToContinue)?;
                open.fin = header.fin;
                // A tiny fragment counts as one of the least size; a large one as what it is.
                let missing = limits.fragment_bytes_min.saturating_sub(header.payload_len);
                open.charged = open.charged.saturating_add(missing);
                open.wire = open.wire.saturating_add(header.payload_len);
                return Ok(());
            }
        };
        if self.open.is_some() {
            return Err(MessageError::NotContinued { opcode: header.opcode });
        }
        self.open = Some(Box::new(Open {
            kind,
            active: header.rsv,
            fin: header.fin,
            undone: false,
            rest: Rest::Wanted,
            delivered: false,
            utf8: Utf8Check::default(),
            charged: 0,
            wire: header.payload_len,
            whole: Vec::new(),
            settled: 0,
            broken: None,
        }));
        Ok(())
    }

    /// Takes unmasked payload bytes of the frame that has begun. `left` is how many bytes of the frame
    /// follow after them.
    pub(crate) fn payload(
        &mut self,
        input: &[u8],
        left: u64,
        delivery: Delivery,
        context: &mut Context<'_>,
    ) -> Result<Progress, MessageError> {
        let open = self.open.as_mut().expect("payload follows `begin`, which opens a message");
        if let Some(error) = open.broken.take() {
            return Err(MessageError::Decode(error));
        }
        let bound = Bound::of(delivery, open, context.limits);
        let delivery = open.delivery(delivery);
        let progress = match (open.admit(left.saturating_add(input.len() as u64), bound), delivery)
        {
            (Err(_), Delivery::Hold { .. }) => {
                // Also where no byte of the frame is left: the next delivery judges it.
                open.undone = true;
                return Ok(Progress { consumed: 0, piece: Piece::Stalled });
            }
            (Err(_), Delivery::Whole) if context.limits.oversize == Oversize::Skip => {
                open.skip(Ok(Decoded { consumed: 0, done: false }), bound, context)
            }
            (Err(error), Delivery::Whole | Delivery::Chunks | Delivery::Discard) => {
                return Err(error);
            }
            (Ok(()), _) if open.rest == (Rest::Skipped { decodes: false }) => open.pass(input),
            (Ok(()), _) if open.active.is_empty() => {
                open.plain(input, left, delivery, context.scratch)?
            }
            (Ok(()), _) => open.transformed(input, left, delivery, bound, context)?,
        };
        let last = match progress.piece {
            Piece::Message(_) => true,
            Piece::Chunk { last, .. } => last,
            Piece::More | Piece::Stalled | Piece::Skipped { .. } => {
                open.fin && left == 0 && progress.consumed == input.len() && !open.undone
            }
        };
        if last {
            self.open = None;
        }
        Ok(progress)
    }
}

/// What decoding needs beside the bytes.
#[derive(Debug)]
pub(crate) struct Context<'c> {
    pub(crate) chain: &'c mut Chain,
    pub(crate) scratch: &'c mut Scratch,
    pub(crate) limits: &'c Limits,
}

impl Open {
    /// How the rest is delivered to a caller who asks for `wanted`.
    const fn delivery(&self, wanted: Delivery) -> Delivery {
        match self.rest {
            Rest::Wanted => wanted,
            Rest::Unwanted | Rest::Skipped { .. } => Delivery::Discard,
        }
    }

    /// Judges the sizes that are known before `rest`, what is left of the frame, is looked at.
    fn admit(&self, rest: u64, bound: Bound) -> Result<(), MessageError> {
        if self.active.is_empty() {
            bound.check(self.charged.saturating_add(rest))
        } else {
            bound.check(self.charged).and_then(|()| bound.check_wire(self.wire))
        }
    }

    /// Takes bytes that no extension has transformed.
    fn plain(
        &mut self,
        input: &[u8],
        left: u64,
        delivery: Delivery,
        scratch: &Scratch,
    ) -> Result<Progress, MessageError> {
        self.undone = false;
        let room = match delivery {
            Delivery::Hold { bytes_max } => bytes_max.saturating_sub(self.whole.len()),
            Delivery::Whole | Delivery::Chunks | Delivery::Discard => usize::MAX,
        };
        let consumed = input.len().min(room);
        if consumed == 0 && !input.is_empty() {
            return Ok(Progress { consumed, piece: Piece::Stalled });
        }
        let taken = &input[..consumed];
        let last = self.fin && left == 0 && consumed == input.len();
        self.check(taken, last)?;
        let piece = match delivery {
            Delivery::Whole | Delivery::Hold { .. } => {
                self.gather(taken, left, scratch);
                if last { self.message(scratch) } else { Piece::stalled_unless(consumed > 0) }
            }
            Delivery::Chunks => self.chunk(Place::Input, consumed, consumed, last),
            Delivery::Discard => Piece::stalled_unless(consumed > 0),
        };
        Ok(Progress { consumed, piece })
    }

    /// Takes bytes that extensions have to decode.
    fn transformed(
        &mut self,
        input: &[u8],
        left: u64,
        delivery: Delivery,
        bound: Bound,
        context: &mut Context<'_>,
    ) -> Result<Progress, MessageError> {
        let ends = self.fin && left == 0;
        let mut output = match delivery {
            Delivery::Whole | Delivery::Hold { .. } => std::mem::take(&mut self.whole),
            Delivery::Chunks | Delivery::Discard => context.scratch.take_output(),
        };
        let room = match delivery {
            // One byte more than allowed shows that there is more.
            Delivery::Whole => bound.left(self.charged).saturating_add(1),
            Delivery::Hold { bytes_max } => {
                bytes_max.saturating_sub(output.len()).min(bound.left(self.charged))
            }
            Delivery::Chunks | Delivery::Discard => {
                bound.left(self.charged).saturating_add(1).min(CHUNK_BYTES_MAX)
            }
        };
        let start = output.len();
        let idle = input.is_empty() && !ends && !self.undone;
        let decoded = if idle {
            Ok(Decoded { consumed: 0, done: idle })
        } else {
            let Context { chain, scratch, .. } = context;
            chain.decode(self.active, input, ends, room, scratch, &mut output)
        };
        let last = ends && decoded.as_ref().is_ok_and(|decoded| decoded.done);
        self.undone = decoded.as_ref().is_ok_and(|decoded| !decoded.done);
        let produced = output.len() - start;
        // In the order of the bytes: what came out is judged before the fault that stopped it, and a text up to its first byte
        // too many.
        let fit = produced.min(bound.left(self.charged));
        let over = fit < produced;
        let checked = self.check(&output[start..start + fit], last && !over);
        self.charged = self.charged.saturating_add((produced - fit) as u64);
        let skips =
            over && delivery == Delivery::Whole && context.limits.oversize == Oversize::Skip;
        if skips && checked.is_ok() {
            return Ok(self.skip(decoded, bound, context));
        }
        let checked = checked
            .and_then(|()| bound.check(self.charged))
            .and_then(|()| decoded.map_err(MessageError::Decode));
        match delivery {
            Delivery::Whole | Delivery::Hold { .. } => self.whole = output,
            Delivery::Chunks | Delivery::Discard => context.scratch.output = output,
        }
        let Decoded { consumed, .. } = checked?;
        let piece = match delivery {
            Delivery::Whole | Delivery::Hold { .. } if last => self.message(context.scratch),
            Delivery::Whole | Delivery::Hold { .. } | Delivery::Discard => {
                Piece::stalled_unless(consumed + produced > 0)
            }
            Delivery::Chunks => self.chunk(Place::Output, produced, consumed, last),
        };
        Ok(Progress { consumed, piece })
    }

    /// Lets go of a message over its `bound`, after bytes that the extensions have `reached`.
    fn skip(
        &mut self,
        reached: Result<Decoded, DecodeError>,
        bound: Bound,
        context: &mut Context<'_>,
    ) -> Progress {
        self.whole = Vec::new();
        self.settled = 0;
        let decodes = !context.chain.abandon(self.active, context.scratch);
        self.rest = Rest::Skipped { decodes };
        let (consumed, done) = match reached {
            Ok(Decoded { consumed, done }) => (consumed, done),
            Err(error) => {
                // What nobody decodes need not be right.
                self.broken = decodes.then_some(error);
                (0, false)
            }
        };
        self.undone = decodes && !done;
        Progress { consumed, piece: Piece::Skipped { kind: self.kind, bytes_max: bound.max } }
    }

    /// Takes bytes of a message that is skipped, as they are.
    fn pass(&mut self, input: &[u8]) -> Progress {
        if self.active.is_empty() {
            self.charged = self.charged.saturating_add(input.len() as u64);
        }
        Progress { consumed: input.len(), piece: Piece::stalled_unless(!input.is_empty()) }
    }

    /// Counts bytes, and checks the ones of a text.
    fn check(&mut self, bytes: &[u8], last: bool) -> Result<(), MessageError> {
        self.charged = self.charged.saturating_add(bytes.len() as u64);
        match (self.kind, self.rest) {
            (MessageKind::Binary, _) | (MessageKind::Text, Rest::Skipped { .. }) => Ok(()),
            (MessageKind::Text, Rest::Wanted | Rest::Unwanted) => {
                let pushed = self.utf8.push(bytes);
                let checked = if last { pushed.and_then(|()| self.utf8.finish()) } else { pushed };
                checked.map_err(|_| MessageError::NotUtf8)
            }
        }
    }

    /// Appends bytes of a frame of which `left` more follow.
    fn gather(&mut self, taken: &[u8], left: u64, scratch: &Scratch) {
        if self.whole.capacity() - self.whole.len() < taken.len() {
            self.grow(taken.len(), usize::try_from(left).unwrap_or(usize::MAX), scratch);
        }
        self.whole.extend_from_slice(taken);
        self.settled = self.whole.len();
    }

    /// Makes room for `len` more bytes, which `left` of the same frame follow: with a large buffer that is used again, or with room for
    /// as many bytes as have come. What was declared only bounds that.
    fn grow(&mut self, len: usize, left: usize, scratch: &Scratch) {
        let needed = self.whole.len() + len;
        let likely = needed.saturating_add(left);
        if needed >= LARGE_BYTES_MIN
            && let Some(mut buffer) = scratch.large.take(needed, likely)
        {
            buffer.extend_from_slice(&self.whole);
            scratch.large.give(std::mem::replace(&mut self.whole, buffer));
            return;
        }
        // Many small frames must not move the message each time; the last frame's end is known.
        let often = if self.fin { 0 } else { self.whole.capacity() + self.whole.capacity() / 2 };
        let capacity = needed.saturating_add(left.min(needed)).max(often);
        self.whole.reserve_exact(capacity - self.whole.len());
    }

    /// Hands out what was gathered as a piece.
    fn hand_out(&mut self, scratch: &mut Scratch, last: bool) -> Piece {
        self.settled = 0;
        scratch.output = std::mem::take(&mut self.whole);
        self.chunk(Place::Output, scratch.output.len(), 0, last)
    }

    /// How many bytes were received straight into the message and not settled.
    fn unsettled(&self) -> usize {
        if self.active.is_empty() { self.whole.len() - self.settled } else { 0 }
    }

    fn message(&mut self, scratch: &Scratch) -> Piece {
        let bytes = scratch.large.lend(std::mem::take(&mut self.whole));
        self.settled = 0;
        // What is left of a text whose beginning was handed out may start inside a character: no text by itself.
        let kind = match self.delivered && std::str::from_utf8(&bytes).is_err() {
            true => MessageKind::Binary,
            false => self.kind,
        };
        Piece::Message(Message::from_checked(kind, bytes))
    }

    fn chunk(&mut self, place: Place, len: usize, consumed: usize, last: bool) -> Piece {
        if len == 0 && !last {
            return Piece::stalled_unless(consumed > 0);
        }
        let first = !std::mem::replace(&mut self.delivered, true);
        Piece::Chunk { kind: self.kind, place, first, last }
    }
}

/// The size that a message may have in one way of delivery.
#[derive(Clone, Copy, Debug)]
struct Bound {
    max: u64,
    setting: &'static str,
}

impl Bound {
    /// The bound of a message that has begun, for a caller who asks for `wanted`.
    const fn of(wanted: Delivery, open: &Open, limits: &Limits) -> Self {
        let message = Self { max: limits.message_bytes_max, setting: "message_bytes_max" };
        let stream = Self { max: limits.stream_bytes_max, setting: "stream_bytes_max" };
        match (wanted, open.rest, open.delivered) {
            (Delivery::Discard, _, _) | (_, Rest::Unwanted, _) => {
                Self { max: u64::MAX, setting: "" }
            }
            (_, Rest::Skipped { .. }, _)
            | (Delivery::Chunks, Rest::Wanted, _)
            | (Delivery::Hold { .. }, Rest::Wanted, true) => stream,
            (Delivery::Whole, Rest::Wanted, _) | (Delivery::Hold { .. }, Rest::Wanted, false) => {
                message
            }
        }
    }

    const fn check(self, charged: u64) -> Result<(), MessageError> {
        if charged > self.max {
            return Err(MessageError::TooBig { max: self.max, setting: self.setting });
        }
        Ok(())
    }

    /// Judges the bytes of a message before extensions decode them: an encoding that says little at great length must
    /// not cost much more than a message of the largest size.
    const fn check_wire(self, wire: u64) -> Result<(), MessageError> {
        let max = self.max.saturating_mul(WIRE_FACTOR).saturating_add(WIRE_BYTES_SPARE);
        if wire > max {
            return Err(MessageError::TooBig { max: self.max, setting: self.setting });
        }
        Ok(())
    }

    /// How many bytes fit beside those charged so far.
    fn left(self, charged: u64) -> usize {
        usize::try_from(self.max.saturating_sub(charged)).unwrap_or(usize::MAX)
    }
}

/// A message that stands whole and untransformed in one frame, made without opening it.
#[inline]
pub(crate) fn single_frame(kind: MessageKind, payload: &[u8]) -> Result<Message, MessageError> {
    check_whole(kind, payload)?;
    Ok(Message::from_checked(kind, Bytes::copy_from_slice(payload)))
}

/// The same of a payload that is masked still, and stays so.
pub(crate) fn single_masked(
    kind: MessageKind,
    payload: &[u8],
    key: [u8; 4],
) -> Result<Message, MessageError> {
    let bytes = masked(payload, key);
    check_whole(kind, &bytes)?;
    Ok(Message::from_checked(kind, bytes.into()))
}

#[inline]
fn check_whole(kind: MessageKind, payload: &[u8]) -> Result<(), MessageError> {
    match kind {
        MessageKind::Binary => Ok(()),
        MessageKind::Text => {
            let mut utf8 = Utf8Check::default();
            let checked = utf8.push(payload).and_then(|()| utf8.finish());
            checked.map_err(|_| MessageError::NotUtf8)
        }
    }
}

/// A peer's message breaks a rule or a limit.
///
/// ```
/// use duplexer_proto::{CloseCode, Fault, MessageError};
/// let error = MessageError::TooBig { max: 65_536, setting: "message_bytes_max" };
/// assert_eq!(error.to_string(), "message over the limit message_bytes_max of 65536 bytes");
/// assert_eq!(Fault::from(error).close_code(), CloseCode::MESSAGE_TOO_BIG);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// A continuation frame without a message to continue (RFC 6455 §5.4).
    NothingToContinue,
    /// A new message inside one that has not ended (RFC 6455 §5.4).
    NotContinued {
        /// The new message's opcode.
        opcode: Opcode,
    },
    /// A text that is not UTF-8 (RFC 6455 §8.1).
    NotUtf8,
    /// A message over a limit, or one whose encoding by an extension takes more than twice the limit's bytes and 1 KiB.
    TooBig {
        /// The limit in bytes.
        max: u64,
        /// The setting's name.
        setting: &'static str,
    },
    /// A message that its extension cannot decode.
    Decode(DecodeError),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToContinue => {
                f.write_str("continuation frame without a message to continue (RFC 6455 §5.4)")
            }
            Self::NotContinued { opcode } => {
                write!(f, "{opcode:?} frame inside a message that has not ended (RFC 6455 §5.4)")
            }
            Self::NotUtf8 => f.write_str("text message that is not UTF-8 (RFC 6455 §8.1)"),
            Self::TooBig { max, setting } => {
                write!(f, "message over the limit {setting} of {max} bytes")
            }
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MessageError {}

/// Bytes of a message that have come, and of its frame that are to come, from which on it is worth its while to receive straight into
/// the message.
const DIRECT_BYTES_MIN: usize = 32 << 10;
/// Most bytes that one piece of a transformed message has.
const CHUNK_BYTES_MAX: usize = 16 << 10;
/// How many times its limit a message may be long before extensions decode it. DEFLATE makes noise longer by an eighth at
/// worst, and a flush adds five or six bytes: a sender that flushes after every eighth byte stays below, and so does a
/// run-length code that writes two bytes for one.
const WIRE_FACTOR: u64 = 2;
/// Bytes beside that, for what an encoding says once whatever the length, where the limit is small.
const WIRE_BYTES_SPARE: u64 = 1 << 10;
