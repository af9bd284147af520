//! The incoming messages of a connection, one after another: what has come of the one that has begun, and what becomes of it.

use bytes::buf::Limit;

use crate::assembler::bound::{Bound, MessageError};
use crate::assembler::delivery::{Delivery, Piece, Place, Progress, Rest};
use crate::assembler::gathered::Gathered;
use crate::extension::{Chain, DecodeError, Decoded};
use crate::frame::{Header, Opcode, Rsv};
use crate::limits::{Limits, Oversize};
use crate::message::{Message, MessageKind};
use crate::recycle::own;
use crate::scratch::Scratch;
use crate::utf8::Utf8Check;

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
    whole: Gathered,
    /// What is wrong with the bytes behind those that were over the limit, to be told after these.
    broken: Option<DecodeError>,
}

impl Assembler {
    /// Whether a message has begun and not ended.
    pub(crate) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Bytes that the message takes that has begun and not ended.
    pub(crate) fn held_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.whole.held_bytes())
    }

    /// Whether payload may be asked for again although no byte of the frame is left.
    pub(crate) fn is_undone(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.undone)
    }

    /// Drops what is left of the message that has begun.
    pub(crate) fn discard_rest(&mut self) {
        if let Some(open) = self.open.as_mut().filter(|open| open.rest == Rest::Wanted) {
            open.rest = Rest::Unwanted;
            open.whole.drop_settled();
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
        if !open.active.is_empty() || open.rest != Rest::Wanted {
            return None;
        }
        // What is over the limit is for `payload` to judge.
        let left = left.min(limits.message_bytes_max.saturating_sub(open.charged));
        open.whole.room(usize::try_from(left).unwrap_or(usize::MAX), open.fin, scratch)
    }

    /// The bytes that were received straight into the message and are not settled.
    pub(crate) fn unsettled(&mut self) -> Option<&mut [u8]> {
        self.open.as_mut()?.whole.unsettled()
    }

    /// Checks those bytes, which are unmasked now; `left` bytes of the frame follow after them. Hands out the message where
    /// it ends here.
    pub(crate) fn settle(
        &mut self,
        left: u64,
        delivery: Delivery,
        limits: &Limits,
        scratch: &mut Scratch,
    ) -> Result<Piece, MessageError> {
        let open = self.open.as_mut().expect("only a message that has begun has unsettled bytes");
        let bound = Bound::of(delivery, open.rest, open.delivered, limits);
        let delivery = open.delivery(delivery);
        let last = open.fin && left == 0;
        // Out of the message for the check, which counts in it.
        let mut whole = std::mem::take(&mut open.whole);
        let checked = open.check(whole.unsettled().unwrap_or_default(), last);
        whole.settle();
        open.whole = whole;
        checked.and_then(|()| bound.check(open.charged))?;
        let piece = match delivery {
            Delivery::Discard => {
                open.whole = Gathered::default();
                Piece::More
            }
            Delivery::Whole | Delivery::Chunks | Delivery::Hold { .. } if !last => Piece::More,
            Delivery::Whole | Delivery::Hold { .. } => open.message(scratch),
            Delivery::Chunks => open.hand_out(scratch, true),
        };
        if last {
            self.open = None;
        }
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
            whole: Gathered::default(),
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
        let bound = Bound::of(delivery, open.rest, open.delivered, context.limits);
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
                self.whole.push(taken, left, self.fin, scratch);
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
            Delivery::Whole | Delivery::Hold { .. } => self.whole.take(),
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
            Delivery::Whole | Delivery::Hold { .. } => self.whole.put(output),
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
        self.whole = Gathered::default();
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

    /// Hands out what was gathered as a piece.
    fn hand_out(&mut self, scratch: &mut Scratch, last: bool) -> Piece {
        scratch.output = self.whole.take();
        self.chunk(Place::Output, scratch.output.len(), 0, last)
    }

    fn message(&mut self, scratch: &Scratch) -> Piece {
        let bytes = match self.active.is_empty() {
            true => self.whole.lend(scratch),
            // An extension's output does not come from there either.
            false => own(self.whole.take()),
        };
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

/// Most bytes that one piece of a transformed message has.
const CHUNK_BYTES_MAX: usize = 16 << 10;
