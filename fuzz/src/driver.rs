//! A connection as the targets drive it: made from a few bytes of input, fed in pieces, and
//! watched.

use std::io::IoSlice;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use bytes::BufMut as _;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Extension, Negotiator};
use duplexer_proto::{
    Connection, Delivery, Event, Fault, Keepalive, Limits, MessageKind, Oversize, Role, Scratch,
    State,
};

use crate::wire;

/// How a connection is made, so that it can be made again.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) limits: Limits,
    pub(crate) delivery: Delivery,
    deflate: Option<Deflate>,
}

impl Setup {
    /// Chooses every setting from the input.
    pub(crate) fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        let role = if input.arbitrary()? { Role::Client } else { Role::Server };
        let deflate = match input.int_in_range(0..=3)? {
            0 => None,
            1 => Some(Deflate::shared().min_bytes(0)),
            2 => Some(Deflate::takeover().min_bytes(0).level(1)),
            _ => Some(Deflate::takeover().server_window_bits(8).client_window_bits(9)),
        };
        let mut limits = Limits::default();
        let chosen: u8 = input.arbitrary()?;
        if chosen & 2 != 0 {
            limits.oversize = Oversize::Skip;
        }
        if chosen & 1 != 0 {
            limits.message_bytes_max = 200;
            limits.stream_bytes_max = 300;
            limits.frame_bytes_max = 150;
        }
        Ok(Self { role, limits, delivery: delivery(input)?, deflate })
    }

    /// Whether compressed messages may be sent.
    pub(crate) const fn compresses(&self) -> bool {
        self.deflate.is_some()
    }

    /// The connection.
    pub(crate) fn build(&self) -> Driver {
        let extensions = self.deflate.iter().map(|deflate| extension(deflate, self.role)).collect();
        let limits = Arc::new(self.limits.clone());
        Driver {
            connection: Connection::new(self.role, limits, Keepalive::default(), extensions),
            scratch: Scratch::new(|| [0x37, 0xfa, 0x21, 0x3d]),
            delivery: self.delivery,
            pending: Vec::new(),
            seen: Vec::new(),
            sent: Vec::new(),
        }
    }
}

/// A way of delivery, chosen from the input.
pub(crate) fn delivery(input: &mut Unstructured<'_>) -> Result<Delivery> {
    Ok(match input.int_in_range(0..=5)? {
        0 | 1 => Delivery::Whole,
        2 | 3 => Delivery::Chunks,
        4 => Delivery::Discard,
        _ => Delivery::Hold { bytes_max: input.int_in_range(0..=300)? },
    })
}

/// One end of what two ends with these settings agree on.
fn extension(deflate: &Deflate, role: Role) -> Box<dyn Extension> {
    let accepted = deflate.accept(&deflate.offers()[0]).expect("its own offer");
    match role {
        Role::Server => accepted.extension,
        Role::Client => deflate.confirm(&accepted.response).expect("the answer to its own offer"),
    }
}

/// What a connection told, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message(MessageKind, Vec<u8>),
    Chunk { kind: MessageKind, bytes: Vec<u8>, first: bool, last: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Skipped(MessageKind, u64),
    Fault(Fault),
}

/// A connection with the bytes that it has not taken, and all that it told and sent.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) connection: Connection,
    pub(crate) scratch: Scratch,
    pub(crate) delivery: Delivery,
    pending: Vec<u8>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) sent: Vec<u8>,
}

impl Driver {
    /// Feeds bytes, and checks what has to hold after any bytes.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        loop {
            let (state, queued) = (self.connection.state(), self.connection.queued_bytes());
            let Self { connection, scratch, delivery, pending, seen, .. } = self;
            let limit =
                usize::try_from(connection.limits().message_bytes_max).unwrap_or(usize::MAX);
            let event = match connection.receive(pending, *delivery, scratch) {
                Ok(received) => {
                    let (consumed, event) = (received.consumed, received.event.map(own));
                    pending.drain(..consumed);
                    event
                }
                Err(fault) => {
                    pending.clear();
                    seen.push(Seen::Fault(fault));
                    assert!(matches!(connection.state(), State::Failing | State::Closed));
                    assert!(!connection.is_inside_message());
                    return;
                }
            };
            // An answer to a ping or to a Close, and a flood of pings stops at some 32 KiB.
            assert!(
                connection.queued_bytes() <= queued.max(32 << 10) + 139,
                "the peer grows the queue"
            );
            let Some(event) = event else { break };
            assert!(matches!(state, State::Open | State::Closing), "{event:?} in {state:?}");
            if let Seen::Message(kind, bytes) = &event {
                assert!(bytes.len() <= limit, "{} bytes", bytes.len());
                assert!(*kind == MessageKind::Binary || std::str::from_utf8(bytes).is_ok());
                assert_eq!(state, State::Open);
            }
            seen.push(event);
        }
        let holds_back = matches!(self.delivery, Delivery::Hold { .. });
        assert!(
            self.pending.len() < 139 || holds_back,
            "{} bytes are not taken",
            self.pending.len()
        );
    }

    /// Puts the front of `bytes` straight into the message that is gathered, and tells how many those were; none where
    /// there is no room.
    pub(crate) fn hear_direct(&mut self, bytes: &[u8]) -> usize {
        if !self.pending.is_empty() {
            return 0;
        }
        let Some(mut room) = self.connection.room(&self.scratch) else { return 0 };
        let taken = room.remaining_mut().min(bytes.len());
        room.put_slice(&bytes[..taken]);
        taken
    }

    /// Writes at most `max` bytes of what waits.
    pub(crate) fn write(&mut self, max: usize) {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = self.connection.slices(&mut slices);
        let waiting: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
        let queued = self.connection.queued_bytes();
        assert!(waiting == queued || (filled == 16 && waiting < queued));
        if let Some(single) = self.connection.single_slice() {
            assert_eq!(single.len(), queued);
        }
        let start = self.sent.len();
        for slice in &slices[..filled] {
            let left = max - (self.sent.len() - start);
            self.sent.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        let wrote = self.sent.len() - start;
        self.connection.wrote(wrote, &mut self.scratch);
    }

    /// Writes all that waits.
    pub(crate) fn flush(&mut self) {
        while self.connection.queued_bytes() > 0 {
            self.write(usize::MAX);
        }
        self.connection.wrote(0, &mut self.scratch);
    }

    /// What was told, with adjacent chunks of a message joined, and without the pieces of the
    /// message that failed: how many of them are handed out before the fault depends on how the
    /// bytes arrived.
    pub(crate) fn joined(&self) -> Vec<Seen> {
        let mut joined: Vec<Seen> = Vec::new();
        for next in &self.seen {
            match (joined.last_mut(), next) {
                (
                    Some(Seen::Chunk { bytes, last: last @ false, .. }),
                    Seen::Chunk { bytes: more, first: false, last: ends, .. },
                ) => {
                    bytes.extend(more);
                    *last = *ends;
                }
                _ => joined.push(next.clone()),
            }
        }
        if let [.., Seen::Chunk { last: false, .. }, Seen::Fault(_)] = joined[..] {
            joined.remove(joined.len() - 2);
        }
        joined
    }
}

fn own(event: Event<'_>) -> Seen {
    match event {
        Event::Message(message) => Seen::Message(message.kind(), message.as_bytes().into()),
        Event::Chunk(chunk) => Seen::Chunk {
            kind: chunk.kind,
            bytes: chunk.bytes.into(),
            first: chunk.first,
            last: chunk.last,
        },
        Event::Ping(payload) => Seen::Ping(payload.into()),
        Event::Pong(payload) => Seen::Pong(payload.into()),
        Event::Close(reason) => Seen::Close(reason.code().as_u16(), reason.text().into()),
        Event::Skipped { kind, bytes_max } => Seen::Skipped(kind, bytes_max),
        other => panic!("an event that the fuzzers do not know: {other:?}"),
    }
}

/// Bytes of the peer: now and then noise, mostly frames whose header fits their payload.
pub(crate) fn peers_bytes(input: &mut Unstructured<'_>, peer: Role) -> Result<Vec<u8>> {
    let form: u8 = input.arbitrary()?;
    let len = input.int_in_range(0..=if form & 1 == 0 { 20 } else { 400 })?;
    let payload = input.bytes(len.min(input.len()))?;
    if form >= 0xf0 {
        return Ok(payload.into());
    }
    const FIRSTS: [u8; 16] = [
        0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x00, 0x80, 0xc1, 0xc2, 0x41, 0x42, 0x89, 0x8a, 0x88,
        0x89,
    ];
    let first = FIRSTS[usize::from(form >> 1 & 0x0f)];
    let fits = if first & 0x08 == 0 { payload } else { &payload[..payload.len().min(125)] };
    Ok(wire::frame(peer, first, fits))
}
