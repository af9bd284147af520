//! One connection with a scripted peer. Each test body runs once for every way of cutting what the
//! peer sends, and must come to the same in all of them.

use std::collections::BTreeSet;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::BufMut as _;
use duplexer_proto::extension::Extension;
use duplexer_proto::{
    CloseInfo, Connection, Delivery, End, Event, Fault, Keepalive, Limits, Message, MessageKind,
    Role, Scratch, State,
};

use super::frames::{self, Frame};

/// How bytes are cut on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chunking {
    /// All at once.
    Whole,
    /// One byte at a time.
    OneByte,
    /// In two, after this many bytes.
    SplitAt(usize),
    /// In pieces of these sizes, over and over.
    Sizes(Vec<usize>),
}

impl Chunking {
    /// Cuts `bytes`.
    pub(crate) fn cut<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        match self {
            Self::Whole => vec![bytes],
            Self::OneByte => bytes.chunks(1).collect(),
            Self::SplitAt(at) => {
                let (front, back) = bytes.split_at((*at).min(bytes.len()));
                vec![front, back]
            }
            Self::Sizes(sizes) => {
                let (mut pieces, mut rest) = (Vec::new(), bytes);
                for size in sizes.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
                    pieces.push(piece);
                    rest = after;
                }
                pieces
            }
        }
    }
}

/// What an endpoint told its caller, owned.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Message(Message),
    Chunk { kind: MessageKind, bytes: Vec<u8>, first: bool, last: bool },
    Skipped { kind: MessageKind, bytes_max: u64 },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Fault(Fault),
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = |bytes: &[u8]| {
            format!(
                "[{}]{:?}",
                bytes.len(),
                bytes[..bytes.len().min(48)].escape_ascii().to_string()
            )
        };
        match self {
            Self::Message(message) => write!(f, "{:?}{}", message.kind(), cut(message.as_bytes())),
            Self::Chunk { kind, bytes, first, last } => {
                write!(f, "Chunk({kind:?}{}, first {first}, last {last})", cut(bytes))
            }
            Self::Skipped { kind, bytes_max } => write!(f, "Skipped({kind:?}, over {bytes_max})"),
            Self::Ping(payload) => write!(f, "Ping{}", cut(payload)),
            Self::Pong(payload) => write!(f, "Pong{}", cut(payload)),
            Self::Close(code, reason) => write!(f, "Close({code}, {reason:?})"),
            Self::Fault(fault) => write!(f, "Fault({fault:?})"),
        }
    }
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message(message) => Self::Message(message),
            Event::Chunk(chunk) => Self::Chunk {
                kind: chunk.kind,
                bytes: chunk.bytes.into(),
                first: chunk.first,
                last: chunk.last,
            },
            Event::Skipped { kind, bytes_max } => Self::Skipped { kind, bytes_max },
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(reason) => Self::Close(reason.code().as_u16(), reason.text().into()),
            other => panic!("an event that the tests do not know: {other:?}"),
        }
    }
}

/// A text message.
pub(crate) fn text(text: &str) -> Seen {
    Seen::Message(text.into())
}

/// A binary message.
pub(crate) fn binary(bytes: impl Into<Vec<u8>>) -> Seen {
    Seen::Message(bytes.into().into())
}

/// A violation.
pub(crate) fn fault(error: impl Into<Fault>) -> Seen {
    Seen::Fault(error.into())
}

/// Joins adjacent chunks of one message, which may be cut anywhere.
pub(crate) fn join(seen: Vec<Seen>) -> Vec<Seen> {
    let mut joined: Vec<Seen> = Vec::new();
    for next in seen {
        if let (
            Some(Seen::Chunk { bytes, last: last @ false, .. }),
            Seen::Chunk { bytes: more, first: false, last: ends, .. },
        ) = (joined.last_mut(), &next)
        {
            bytes.extend(more);
            *last = *ends;
        } else {
            joined.push(next);
        }
    }
    joined
}

/// How an endpoint under test is made.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) limits: Limits,
    pub(crate) keepalive: Keepalive,
    pub(crate) delivery: Delivery,
    pub(crate) extensions: fn(Role) -> Vec<Box<dyn Extension>>,
}

impl Setup {
    /// An endpoint with the defaults and without extensions.
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            delivery: Delivery::Whole,
            extensions: |_| Vec::new(),
        }
    }

    /// The same with other limits.
    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// The same with another delivery.
    pub(crate) fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The same with extensions.
    pub(crate) fn extensions(mut self, extensions: fn(Role) -> Vec<Box<dyn Extension>>) -> Self {
        self.extensions = extensions;
        self
    }

    /// The endpoint.
    pub(crate) fn build(&self) -> Endpoint {
        let Self { role, limits, keepalive, delivery, extensions } = self.clone();
        Endpoint {
            connection: Connection::new(role, Arc::new(limits), keepalive, extensions(role)),
            scratch: fixed_mask_scratch(),
            delivery,
            chunking: Chunking::Whole,
            pending: Vec::new(),
            singles: false,
            direct: false,
            heard_longest: 0,
        }
    }
}

/// A scratch whose masking keys are all the one of RFC 6455 §5.7.
pub(crate) fn fixed_mask_scratch() -> Scratch {
    Scratch::new(|| frames::KEY)
}

/// A connection, the buffers of its thread, and bytes that it has not taken yet.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) connection: Connection,
    pub(crate) scratch: Scratch,
    pub(crate) delivery: Delivery,
    pub(crate) chunking: Chunking,
    /// Asks `receive_single` before `receive`, as an implementation with an eye on speed does.
    pub(crate) singles: bool,
    /// Receives straight into large messages where there is room, as such an implementation does too.
    pub(crate) direct: bool,
    pending: Vec<u8>,
    heard_longest: usize,
}

impl Endpoint {
    /// This end's role.
    pub(crate) fn role(&self) -> Role {
        self.connection.role()
    }

    /// Hears bytes from the peer, in the chunking under test, and tells what came of them.
    pub(crate) fn hears(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Seen> {
        let bytes = bytes.as_ref();
        self.heard_longest = self.heard_longest.max(bytes.len());
        let mut seen = Vec::new();
        for mut piece in self.chunking.clone().cut(bytes) {
            while let Some(taken) = self.hears_direct(piece) {
                piece = &piece[taken..];
                self.advance(&mut seen);
            }
            self.pending.extend_from_slice(piece);
            self.advance(&mut seen);
        }
        join(seen)
    }

    /// Puts the front of `bytes` straight into the message that is gathered, and tells how many those were; none where
    /// there is no room, or no byte.
    pub(crate) fn hears_direct(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.direct || !self.pending.is_empty() || bytes.is_empty() {
            return None;
        }
        let mut room = self.connection.room(&self.scratch)?;
        let taken = room.remaining_mut().min(bytes.len());
        assert!(taken > 0, "room is room for something");
        room.put_slice(&bytes[..taken]);
        Some(taken)
    }

    /// Hears one frame as the peer sends it.
    pub(crate) fn hears_frame(&mut self, first: u8, payload: impl AsRef<[u8]>) -> Vec<Seen> {
        self.hears(frames::frame(self.role().peer(), first, payload))
    }

    /// Hears several frames in one go.
    pub(crate) fn hears_frames(&mut self, frames: &[(u8, &[u8])]) -> Vec<Seen> {
        let from = self.role().peer();
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(first, payload)| frames::frame(from, *first, payload))
            .collect();
        self.hears(bytes)
    }

    /// Asks again with what was not taken, as after a change of delivery.
    pub(crate) fn asks_again(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        self.advance(&mut seen);
        join(seen)
    }

    /// Bytes that were heard and not taken.
    pub(crate) fn untaken(&self) -> usize {
        self.pending.len()
    }

    fn advance(&mut self, seen: &mut Vec<Seen>) {
        loop {
            let Self { connection, scratch, pending, delivery, .. } = self;
            if self.singles
                && *delivery == Delivery::Whole
                && let Some((consumed, message)) = connection.receive_single(pending)
            {
                pending.drain(..consumed);
                seen.push(Seen::from(Event::Message(message)));
                continue;
            }
            match connection.receive(pending, *delivery, scratch) {
                Ok(received) => {
                    let (consumed, event) = (received.consumed, received.event.map(Seen::from));
                    pending.drain(..consumed);
                    match event {
                        Some(event) => seen.push(event),
                        None => return,
                    }
                }
                Err(fault) => {
                    pending.clear();
                    seen.push(Seen::Fault(fault));
                    return;
                }
            }
        }
    }

    /// Takes all that waits to be written.
    pub(crate) fn sends(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        while self.connection.queued_bytes() > 0 {
            sent.extend(self.sends_at_most(usize::MAX));
        }
        self.connection.wrote(0, &mut self.scratch);
        sent
    }

    /// Takes at most `max` bytes of what waits, as a transport that takes no more.
    pub(crate) fn sends_at_most(&mut self, max: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = self.connection.slices(&mut slices);
        let mut sent = Vec::new();
        for slice in &slices[..filled] {
            sent.extend_from_slice(&slice[..slice.len().min(max - sent.len())]);
        }
        let len = sent.len();
        self.connection.wrote(len, &mut self.scratch);
        sent
    }

    /// Takes all that waits, as frames that this role may send.
    pub(crate) fn sends_frames(&mut self) -> Vec<Frame> {
        let sent = self.sends();
        frames::frames(self.role(), &sent)
    }

    /// How the connection ended.
    pub(crate) fn close_info(&self) -> &CloseInfo {
        self.connection.close_info().expect("the connection is closing or closed")
    }

    /// Hears bytes that break a rule, and shows every consequence of it (RFC 6455 §7.1.7): the
    /// fault after `before`, one Close with `code`, deafness, an end that is not clean, and
    /// patience until the peer has read why.
    pub(crate) fn fails(
        &mut self,
        bytes: impl AsRef<[u8]>,
        before: &[Seen],
        error: impl Into<Fault>,
        code: u16,
    ) {
        let error = error.into();
        let reason = error.to_string();
        let seen = self.hears(bytes);
        let expected: Vec<Seen> = before.iter().cloned().chain([Seen::Fault(error)]).collect();
        assert_eq!(seen, expected);
        self.has_failed(code, &reason);
    }

    /// Shows every consequence of a failure that has just been noticed.
    pub(crate) fn has_failed(&mut self, code: u16, reason: &str) {
        assert_eq!(self.connection.state(), State::Failing);
        let sent = self.sends_frames();
        let close = sent.last().expect("a Close was sent");
        assert_eq!(close.close_code(), Some(code), "{sent:?}");
        let cut = &reason[..reason.floor_char_boundary(123)];
        assert_eq!(close.payload[2..], *cut.as_bytes());
        assert_eq!(self.connection.state(), State::Closed);
        let info = self.close_info();
        assert_eq!((info.initiator, info.clean), (End::Local, false));
        assert_eq!(info.reason.code().as_u16(), code);
        assert!(self.connection.lingers());
        assert_eq!(self.hears_frame(0x81, "deaf"), []);
        assert_eq!(self.untaken(), 0);
        assert_eq!(self.sends(), b"");
    }
}

/// Runs `test` once for each way of cutting what the peer sends: whole, one byte at a time, and in
/// two at every place.
pub(crate) fn in_every_chunking(setup: &Setup, test: impl Fn(&mut Endpoint)) {
    let longest = run(setup, Chunking::Whole, &test);
    if longest <= LONG_BYTES {
        run(setup, Chunking::OneByte, &test);
    }
    for at in places(longest) {
        run(setup, Chunking::SplitAt(at), &test);
    }
    let sizes = Chunking::Sizes(vec![1, 2, 3, 5, 8, 13, 4096, 70_000]);
    run(setup, sizes.clone(), &test);
    run_as(setup, sizes, true, &test);
}

/// As a server, in every chunking.
pub(crate) fn server(test: impl Fn(&mut Endpoint)) {
    in_every_chunking(&Setup::new(Role::Server), test);
}

/// As a client, in every chunking.
pub(crate) fn client(test: impl Fn(&mut Endpoint)) {
    in_every_chunking(&Setup::new(Role::Client), test);
}

/// In both roles, in every chunking.
pub(crate) fn on_both_sides(test: impl Fn(&mut Endpoint)) {
    server(&test);
    client(&test);
}

fn run(setup: &Setup, chunking: Chunking, test: impl Fn(&mut Endpoint)) -> usize {
    run_as(setup, chunking, false, test)
}

fn run_as(setup: &Setup, chunking: Chunking, direct: bool, test: impl Fn(&mut Endpoint)) -> usize {
    let mut endpoint = setup.build();
    endpoint.chunking = chunking.clone();
    endpoint.direct = direct;
    let told = TellOnPanic(setup.role, chunking);
    test(&mut endpoint);
    drop(told);
    endpoint.heard_longest
}

/// Every place of a short input; of a long one the places around its ends and some between.
fn places(len: usize) -> BTreeSet<usize> {
    if len <= 400 {
        return (1..len).collect();
    }
    let between = (1..8).map(|part| len / 8 * part);
    (1..24).chain(between).chain(len - 8..len).collect()
}

struct TellOnPanic(Role, Chunking);

impl Drop for TellOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("as a {:?}, input cut {:?}", self.0, self.1);
        }
    }
}

/// Longer inputs are not fed one byte at a time.
const LONG_BYTES: usize = 100_000;
