//! The incoming direction of an open connection: bytes in, at most one event out for each call.

use std::ops::Range;

use bytes::BufMut;

use crate::assembler::{Context, Delivery, Piece, Place, single_frame};
use crate::close::CloseReason;
use crate::connection::endpoint::Connection;
use crate::connection::event::{Chunk, Event, Received};
use crate::connection::fault::Fault;
use crate::connection::state::State;
use crate::frame::{FrameError, Header, Opcode, Single};
use crate::message::{Message, MessageKind};
use crate::recycle::LARGE_BYTES_MIN;
use crate::scratch::Scratch;

/// An event, with places instead of the bytes there.
enum Found {
    Nothing,
    Message(Message),
    Chunk { kind: MessageKind, place: Place, range: Range<usize>, first: bool, last: bool },
    Skipped { kind: MessageKind, bytes_max: u64 },
    Ping(Range<usize>),
    Pong(Range<usize>),
    Close(CloseReason),
}

impl Found {
    /// What came of payload bytes at `range`.
    fn of(piece: Piece, range: Range<usize>) -> Self {
        match piece {
            Piece::Stalled | Piece::More => Self::Nothing,
            Piece::Message(message) => Self::Message(message),
            Piece::Chunk { kind, place, first, last } => {
                Self::Chunk { kind, place, range, first, last }
            }
            Piece::Skipped { kind, bytes_max } => Self::Skipped { kind, bytes_max },
        }
    }
}

impl Connection {
    /// Takes incoming bytes up to the next event. It may unmask them in place.
    ///
    /// Bytes that were not consumed must be at the front of the next call's input, unchanged; an incomplete header or
    /// control frame, 139 bytes at most, is left there. Call again while there is an event: with bytes, or with none to
    /// get what a change of `delivery` sets free. Once a Close was received or the connection failed, everything
    /// is consumed and dropped (RFC 6455 §5.5.1, §7.1.7); while a Close of this end's waits for its answer, messages are.
    ///
    /// # Errors
    /// The peer broke a rule or a limit. The connection has failed, and the Close that says why is queued.
    pub fn receive<'i>(
        &mut self,
        input: &'i mut [u8],
        delivery: Delivery,
        scratch: &'i mut Scratch,
    ) -> Result<Received<'i>, Fault> {
        let delivery = match self.machine.state() {
            State::Open => delivery,
            State::Closing => Delivery::Discard,
            State::Answering | State::Failing | State::Closed => {
                return Ok(Received { consumed: input.len(), event: None });
            }
        };
        let direct = self.assembler.unsettled().is_some();
        let (consumed, found) = match self.advance(input, delivery, scratch) {
            Ok(done) => done,
            Err(fault) => {
                self.fail(fault.close_code(), &fault.to_string(), scratch);
                return Err(fault);
            }
        };
        // Bytes that wait untaken are shown again with each call, and are no new sign of life.
        if consumed > 0 || direct {
            self.liveness.heard();
        }
        let event = match found {
            Found::Nothing => None,
            Found::Message(message) => Some(Event::Message(message)),
            Found::Chunk { kind, place, range, first, last } => {
                let bytes = match place {
                    Place::Input => &input[range],
                    Place::Output => &scratch.output[..],
                };
                Some(Event::Chunk(Chunk { kind, bytes, first, last }))
            }
            Found::Skipped { kind, bytes_max } => Some(Event::Skipped { kind, bytes_max }),
            Found::Ping(range) => Some(Event::Ping(&input[range])),
            Found::Pong(range) => Some(Event::Pong(&input[range])),
            Found::Close(reason) => Some(Event::Close(reason)),
        };
        Ok(Received { consumed, event })
    }

    /// Takes the message at the front of `input` where it stands whole and untransformed in one frame of less than 64 KiB,
    /// and tells how many bytes that were: the commonest of what [`receive`](Connection::receive) does with
    /// [`Delivery::Whole`], in fewer steps. Anything else changes nothing, and is for `receive`.
    ///
    /// ```
    /// use duplexer_proto::{Connection, Role};
    /// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
    /// let input = *b"\x81\x05Hello\x8a\x00";
    /// assert_eq!(client.receive_single(&input), Some((7, "Hello".into())));
    /// assert_eq!(client.receive_single(&input[7..]), None); // a pong
    /// ```
    #[inline]
    pub fn receive_single(&mut self, input: &[u8]) -> Option<(usize, Message)> {
        if !self.is_between_messages() {
            return None;
        }
        let Single { kind, key, payload } = self.decoder.peek_single(input)?;
        let len = payload.len() as u64;
        if len > self.limits.message_bytes_max.min(self.limits.frame_bytes_max) {
            return None;
        }
        let end = payload.end;
        // What is no text is for `receive` to judge.
        let message = single_frame(kind, &input[payload], key).ok()?;
        self.liveness.heard();
        Some((end, message))
    }

    /// Whether `input` begins with a message that is whole in one frame and within the limits: what
    /// [`receive`](Connection::receive) gives out next, unless that breaks a rule. With nothing behind it looked at, a Close least of all.
    ///
    /// ```
    /// use duplexer_proto::{Connection, Role};
    /// let client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
    /// assert!(client.begins_with_message(b"\x81\x05Hello"));
    /// assert!(!client.begins_with_message(b"\x81\x05Hell"));
    /// assert!(!client.begins_with_message(b"\x88\x00"));
    /// ```
    #[must_use]
    pub fn begins_with_message(&self, input: &[u8]) -> bool {
        if !self.is_between_messages() {
            return false;
        }
        let Ok(Some((header, header_bytes))) = Header::parse(input) else { return false };
        let whole = header.fin && matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let bytes_max = self.limits.message_bytes_max.min(self.limits.frame_bytes_max);
        let came = (input.len() - header_bytes) as u64;
        whole && header.payload_len <= bytes_max.min(came)
    }

    #[inline]
    fn is_between_messages(&self) -> bool {
        let between = !self.decoder.in_frame && !self.assembler.is_open();
        between && self.machine.state() == State::Open
    }

    /// Room to receive into without a detour, when no byte of the input is left: a large message that is gathered has it for as much of
    /// its frame as is to come, at most. Bytes of the transport that are written there are the ones behind those that
    /// [`receive`](Connection::receive) took; call that next, with no bytes. `None` where the next bytes are to be input.
    ///
    /// ```
    /// use bytes::BufMut as _;
    /// use duplexer_proto::{Connection, Delivery, Event, Role, Scratch};
    /// let mut scratch = Scratch::new(|| [0; 4]);
    /// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
    /// let mut input = b"\x82\x7f\0\0\0\0\0\x01\x38\x80".to_vec(); // 80,000 bytes
    /// input.extend([7; 40_000]);
    /// client.receive(&mut input, Delivery::Whole, &mut scratch)?;
    /// let message = loop {
    ///     let mut room = client.room(&scratch).expect("half of it is to come");
    ///     let len = room.remaining_mut().min(40_000);
    ///     room.put_bytes(7, len); // read from the transport
    ///     drop(room);
    ///     let received = client.receive(&mut [], Delivery::Whole, &mut scratch)?;
    ///     if let Some(Event::Message(message)) = received.event {
    ///         break message;
    ///     }
    /// };
    /// assert_eq!(message.len(), 80_000);
    /// # Ok::<(), duplexer_proto::Fault>(())
    /// ```
    pub fn room<'c>(&'c mut self, scratch: &Scratch) -> Option<impl BufMut + use<'c>> {
        if self.machine.state() != State::Open || !self.decoder.in_frame || self.decoder.is_ahead()
        {
            return None;
        }
        self.assembler.room(self.decoder.remaining(), &self.limits, scratch)
    }

    /// Drops what is left of the incoming message that has begun; the next one is delivered again.
    pub fn discard_rest(&mut self) {
        self.assembler.discard_rest();
    }

    /// Whether an incoming message has begun and not ended.
    #[must_use]
    pub const fn is_inside_message(&self) -> bool {
        self.assembler.is_open()
    }

    /// Bytes that are held of the incoming message that has begun and not ended: what a caller of many connections may
    /// want to bound in all.
    ///
    /// ```
    /// use duplexer_proto::{Connection, Delivery, Role, Scratch};
    /// let mut scratch = Scratch::new(|| [0; 4]);
    /// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
    /// client.receive(&mut *b"\x81\x05Hel".to_vec(), Delivery::Whole, &mut scratch)?;
    /// assert!(client.held_bytes() >= 3);
    /// # Ok::<(), duplexer_proto::Fault>(())
    /// ```
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.assembler.held_bytes()
    }

    /// Whether the incoming bytes wait for another [`Delivery`], after a [`receive`](Connection::receive) without an
    /// event that left `unread` bytes of its input: they are inside a data frame, or decoded bytes of one are left, and
    /// [`Delivery::Hold`] does not take them. Until another delivery does, nothing behind them can be reached, so that
    /// more input would only pile up. What is left of an unfinished header or control frame is no stall: that waits for
    /// bytes.
    ///
    /// ```
    /// use duplexer_proto::{Connection, Delivery, Role, Scratch};
    /// let mut scratch = Scratch::new(|| [0; 4]);
    /// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
    /// let mut input = *b"\x81\x05Hello";
    /// let received = client.receive(&mut input, Delivery::Hold { bytes_max: 3 }, &mut scratch)?;
    /// assert_eq!(received.consumed, 5); // the header and "Hel"
    /// assert!(client.is_stalled(2));
    /// # Ok::<(), duplexer_proto::Fault>(())
    /// ```
    #[must_use]
    pub fn is_stalled(&self, unread: usize) -> bool {
        matches!(self.machine.state(), State::Open)
            && self.decoder.in_frame
            && (unread > 0 || self.assembler.is_undone())
    }

    fn advance(
        &mut self,
        input: &mut [u8],
        delivery: Delivery,
        scratch: &mut Scratch,
    ) -> Result<(usize, Found), Fault> {
        if let Some(settled) = self.settle(delivery, scratch)? {
            return Ok((0, settled));
        }
        if delivery == Delivery::Chunks
            && let Some(held) = self.assembler.hand_out_held(scratch)
        {
            return Ok((0, Found::of(held, 0..0)));
        }
        let mut used = 0;
        loop {
            if !self.decoder.in_frame {
                let Some((header, len)) = self.decoder.peek(&input[used..])? else {
                    return Ok((used, Found::Nothing));
                };
                let end = u64::try_from(used + len)
                    .ok()
                    .and_then(|at| at.checked_add(header.payload_len));
                let whole =
                    end.and_then(|end| usize::try_from(end).ok()).filter(|end| *end <= input.len());
                if header.opcode.is_control() {
                    let Some(end) = whole else { return Ok((used, Found::Nothing)) };
                    let range = used + len..end;
                    self.unmask_whole(&header, &mut input[range.clone()]);
                    return Ok((end, self.control(header.opcode, range, input, scratch)?));
                }
                if header.payload_len > self.limits.frame_bytes_max {
                    let (len, max) = (header.payload_len, self.limits.frame_bytes_max);
                    return Err(FrameError::FrameTooBig { len, max }.into());
                }
                if let (Some(end), Some(kind)) = (whole, self.single(&header, delivery)) {
                    let key = header.mask.unwrap_or_default();
                    let message = single_frame(kind, &input[used + len..end], key)?;
                    return Ok((end, Found::Message(message)));
                }
                self.assembler.begin(&header, &self.limits)?;
                self.decoder.begin(&header);
                self.decoder.in_frame = true;
                used += len;
            }
            let (consumed, found) = self.payload(used, input, delivery, scratch)?;
            used += consumed;
            match found {
                Some(Found::Nothing) => {}
                Some(found) => return Ok((used, found)),
                None => return Ok((used, Found::Nothing)),
            }
        }
    }

    /// Takes what was received straight into the message.
    fn settle(
        &mut self,
        delivery: Delivery,
        scratch: &mut Scratch,
    ) -> Result<Option<Found>, Fault> {
        let Some(bytes) = self.assembler.unsettled() else { return Ok(None) };
        let there = self.decoder.unmask(bytes);
        self.decoder.take(there);
        let left = self.decoder.remaining();
        self.decoder.in_frame = left > 0;
        Ok(match self.assembler.settle(left, delivery, &self.limits, scratch)? {
            Piece::More | Piece::Stalled => None,
            piece @ (Piece::Message(_) | Piece::Chunk { .. } | Piece::Skipped { .. }) => {
                Some(Found::of(piece, 0..0))
            }
        })
    }

    /// The kind of message that a data frame alone makes, where nothing but its bytes has to be looked at.
    #[inline]
    fn single(&self, header: &Header, delivery: Delivery) -> Option<MessageKind> {
        let bytes_max = match delivery {
            Delivery::Whole => self.limits.message_bytes_max,
            Delivery::Hold { bytes_max } => self.limits.message_bytes_max.min(bytes_max as u64),
            Delivery::Chunks | Delivery::Discard => return None,
        };
        let alone = header.fin && header.rsv.is_empty() && !self.assembler.is_open();
        // A large one is gathered where another one was.
        let small = header.payload_len < LARGE_BYTES_MIN as u64;
        if alone && small && header.payload_len <= bytes_max {
            header.opcode.message_kind()
        } else {
            None
        }
    }

    /// Unmasks the payload of a control frame, which is there whole.
    #[inline]
    fn unmask_whole(&mut self, header: &Header, payload: &mut [u8]) {
        self.decoder.begin(header);
        let there = self.decoder.unmask(payload);
        self.decoder.take(there);
    }

    /// Hands payload bytes of the current data frame to the assembler; `None` when that changes nothing.
    fn payload(
        &mut self,
        at: usize,
        input: &mut [u8],
        delivery: Delivery,
        scratch: &mut Scratch,
    ) -> Result<(usize, Option<Found>), Fault> {
        let there = self.decoder.unmask(&mut input[at..]);
        let left = self.decoder.remaining() - there as u64;
        let mut context = Context { chain: &mut self.chain, scratch, limits: &self.limits };
        let progress =
            self.assembler.payload(&input[at..at + there], left, delivery, &mut context)?;
        self.decoder.take(progress.consumed);
        self.decoder.in_frame = self.decoder.remaining() > 0 || self.assembler.is_undone();
        let found = match progress.piece {
            // The frame goes on beyond the input, or must not be taken.
            Piece::Stalled if self.decoder.in_frame => None,
            piece => Some(Found::of(piece, at..at + progress.consumed)),
        };
        Ok((progress.consumed, found))
    }

    /// Does what a control frame asks for.
    fn control(
        &mut self,
        opcode: Opcode,
        range: Range<usize>,
        input: &[u8],
        scratch: &mut Scratch,
    ) -> Result<Found, Fault> {
        let payload = &input[range.clone()];
        Ok(match opcode {
            Opcode::Ping => {
                self.answer_ping(payload, scratch);
                Found::Ping(range)
            }
            Opcode::Pong => Found::Pong(range),
            Opcode::Close => {
                let reason = CloseReason::parse(payload)?;
                self.answer_close(&reason, scratch);
                Found::Close(reason)
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => Found::Nothing,
        })
    }
}
