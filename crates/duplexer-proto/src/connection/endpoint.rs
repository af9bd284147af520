//! The parts of an open connection, and what concerns all of them: closing, time, and bytes that leave.
//! Receiving and sending are in files of their own.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use crate::assembler::Assembler;
use crate::close::CloseReason;
use crate::code::CloseCode;
use crate::connection::liveness::{Due, Keepalive, Liveness};
use crate::connection::queue::Queue;
use crate::connection::state::{CloseInfo, End, Machine, State};
use crate::extension::{Chain, Extension};
use crate::frame::{Decoder, Frame, Opcode, Rsv};
use crate::limits::Limits;
use crate::role::Role;
use crate::scratch::Scratch;
use crate::time::Time;

/// One end of an open connection.
///
/// The caller moves bytes: what the transport gives goes to [`receive`](Connection::receive), what
/// [`slices`](Connection::slices) shows goes to the transport and is reported to [`wrote`](Connection::wrote).
///
/// ```
/// use duplexer_proto::{Connection, Delivery, Event, Role, Scratch};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut server = Connection::new(Role::Server, Default::default(), Default::default(), vec![]);
/// let mut input = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7
/// let received = server.receive(&mut input, Delivery::Whole, &mut scratch)?;
/// assert_eq!(received.event, Some(Event::Message("Hello".into())));
/// # Ok::<(), duplexer_proto::Fault>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    pub(super) limits: Arc<Limits>,
    pub(super) machine: Machine,
    pub(super) decoder: Decoder,
    pub(super) assembler: Assembler,
    pub(super) chain: Chain,
    pub(super) queue: Queue,
    pub(super) liveness: Liveness,
    /// The outgoing message that is written in pieces.
    pub(super) writing: Option<Writing>,
}

/// An outgoing message that has begun and not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    pub(super) opcode: Opcode,
    pub(super) rsv: Rsv,
    /// The reserved bits that tell who encodes; `rsv` is emptied after the first frame.
    pub(super) active: Rsv,
    /// Most payload bytes of a frame.
    pub(super) frame_bytes_max: u32,
}

/// A deadline that has passed.
///
/// ```
/// use duplexer_proto::{Connection, Role, Scratch, Time, Timeout};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
/// let ping_at = client.next_timeout(Time::ORIGIN).expect("keepalive is on");
/// assert_eq!(client.handle_timeout(ping_at, &mut scratch), None); // queues a ping
/// let lost_at = client.next_timeout(ping_at).expect("an answer is awaited");
/// assert_eq!(client.handle_timeout(lost_at, &mut scratch), Some(Timeout::PeerLost));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// Nothing has arrived for the keepalive timeout after a ping. The connection is closed with 1006.
    PeerLost,
    /// The closing handshake, or the end of the transport after it, took longer than `close_timeout`.
    CloseOverdue,
}

impl Connection {
    /// A connection whose opening handshake is complete.
    #[must_use]
    pub fn new(
        role: Role,
        limits: Arc<Limits>,
        keepalive: Keepalive,
        extensions: Vec<Box<dyn Extension>>,
    ) -> Self {
        let chain = Chain::new(extensions);
        Self {
            limits,
            machine: Machine::new(),
            decoder: Decoder::new(role, chain.rsv()),
            assembler: Assembler::default(),
            chain,
            queue: Queue::default(),
            liveness: Liveness::new(keepalive),
            writing: None,
        }
    }

    /// This end's role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.decoder.role()
    }

    /// The connection's limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When pings are sent, as [`Keepalive`] says that settings count: without an interval where it was zero.
    #[must_use]
    pub fn keepalive(&self) -> Keepalive {
        self.liveness.keepalive()
    }

    /// Where the connection stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.machine.state()
    }

    /// How the connection ended or is ending; `None` while it is open.
    #[must_use]
    pub fn close_info(&self) -> Option<&CloseInfo> {
        self.machine.info()
    }

    /// Starts the closing handshake behind all that is queued (RFC 6455 §7.1.2); without a reason the Close has
    /// no body. Tells whether it was this call that started it.
    pub fn close(&mut self, reason: Option<&CloseReason>, scratch: &mut Scratch) -> bool {
        let none = CloseReason::none();
        let reason = reason.unwrap_or(&none);
        let starts = self.machine.close_sent(reason);
        if starts {
            self.push_close(reason, scratch);
        }
        starts
    }

    /// Fails the connection (RFC 6455 §7.1.7): a Close behind all that is queued tells the peer why; answers to what came before
    /// the fault still leave. A reason of more than 123 bytes is cut; a code that may not travel becomes 1011.
    pub fn fail(&mut self, code: CloseCode, reason: &str, scratch: &mut Scratch) {
        let code = if code.is_valid_on_wire() { code } else { CloseCode::INTERNAL_ERROR };
        let reason = CloseReason::cut(code, reason);
        if self.machine.fault(&reason) {
            self.push_close(&reason, scratch);
        }
        self.assembler.clear();
    }

    /// Says that the transport has ended, at `End::Remote` where the peer ended or broke it. All that is unsent is dropped.
    pub fn transport_ended(&mut self, blame: End) {
        self.machine.transport_ended(blame);
        self.queue.clear();
        self.assembler.clear();
        self.writing = None;
    }

    /// Whether, once closed and written out, the transport's reading side should be drained until the peer ends it or
    /// the deadline passes: a client waits for the server to go first (RFC 6455 §7.1.1), and a connection that failed must not
    /// reset the transport before the peer has read why.
    #[must_use]
    pub fn lingers(&self) -> bool {
        match self.role() {
            Role::Client => true,
            Role::Server => !self.machine.info().is_some_and(|info| info.clean),
        }
    }

    /// Bytes that wait to be written: frames, with headers.
    #[must_use]
    pub const fn queued_bytes(&self) -> usize {
        self.queue.len()
    }

    /// Fills `slices` with what waits to be written, and tells how many were filled.
    pub fn slices<'q>(&'q self, slices: &mut [IoSlice<'q>]) -> usize {
        self.queue.slices(slices)
    }

    /// What waits to be written, where that is in one place: the common case, and cheaper than
    /// [`slices`](Connection::slices).
    #[must_use]
    #[inline]
    pub fn single_slice(&self) -> Option<&[u8]> {
        self.queue.single()
    }

    /// Takes note that the transport took `len` bytes of what waited.
    #[inline]
    pub fn wrote(&mut self, len: usize, scratch: &mut Scratch) {
        self.queue.wrote(len, scratch);
        if let Some(payload) = self.queue.take_due_pong() {
            let frame = self.frame(true, Rsv::EMPTY, Opcode::Pong, scratch);
            self.queue.push_control(frame, &payload, scratch);
        }
        if self.queue.len() == 0 {
            self.machine.reply_written();
        }
    }

    /// When [`handle_timeout`](Connection::handle_timeout) is due next. Called when the caller is about to wait, and again
    /// after [`timer_is_stale`](Connection::timer_is_stale): deadlines count from the first call that sees them.
    pub fn next_timeout(&mut self, now: Time) -> Option<Time> {
        if self.timer_is_stale() {
            self.liveness.close_by(now + self.limits.close_timeout);
        }
        self.liveness.next(now)
    }

    /// Whether a deadline told earlier no longer holds, because the connection has begun to close since.
    #[must_use]
    #[inline]
    pub const fn timer_is_stale(&self) -> bool {
        !matches!(self.machine.state(), State::Open) && !self.liveness.is_closing()
    }

    /// Does what the time demands: sends a ping, or gives the peer up. All that has arrived by `now` must have been
    /// received first, so that a busy caller does not take a living peer for lost.
    pub fn handle_timeout(&mut self, now: Time, scratch: &mut Scratch) -> Option<Timeout> {
        scratch.age(now);
        match self.liveness.due(now) {
            Due::Nothing => None,
            Due::Ping(number) => {
                self.push_ping(&number.to_be_bytes(), scratch);
                None
            }
            Due::Lost => {
                self.transport_ended(End::Remote);
                Some(Timeout::PeerLost)
            }
            Due::CloseOverdue => {
                self.transport_ended(End::Remote);
                Some(Timeout::CloseOverdue)
            }
        }
    }

    /// Takes note of a pong that [`receive`](Connection::receive) has reported. Tells the highest numbered ping that is answered by it.
    pub fn pong_arrived(&mut self, payload: &[u8], now: Time) -> Option<u64> {
        self.liveness.pong(payload, now)
    }

    /// Takes note of a sign of life other than bytes that [`receive`](Connection::receive) has consumed, for a caller that
    /// cannot read on: that the peer takes what is written.
    #[inline]
    pub const fn heard(&mut self) {
        self.liveness.heard();
    }

    /// How many numbered pings were sent, those of the keepalive included: the number of the last one.
    #[must_use]
    pub const fn pinged(&self) -> u64 {
        self.liveness.pinged()
    }

    /// The highest number of a ping that was answered.
    #[must_use]
    pub const fn answered(&self) -> u64 {
        self.liveness.answered()
    }

    /// The last measured round-trip time, of a ping sent here and its pong.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.liveness.rtt()
    }

    fn push_close(&mut self, reason: &CloseReason, scratch: &mut Scratch) {
        self.writing = None;
        self.queue.forget_due_pong();
        let mut body = scratch.take_buffer();
        reason.write(&mut body);
        let frame = self.frame(true, Rsv::EMPTY, Opcode::Close, scratch);
        self.queue.push_copied(frame, &body, scratch);
        scratch.give_buffer(body);
    }

    /// Answers the peer's Close with its own code (RFC 6455 §5.5.1).
    pub(super) fn answer_close(&mut self, received: &CloseReason, scratch: &mut Scratch) {
        self.assembler.clear();
        if self.machine.close_received(received) {
            let answer = match received.code() {
                CloseCode::NO_STATUS => CloseReason::none(),
                code => CloseReason::cut(code, ""),
            };
            self.push_close(&answer, scratch);
        }
    }

    /// Answers a ping ahead of waiting data. While several answers wait already, only the last one follows later
    /// (RFC 6455 §5.5.3), so that a flood of pings cannot grow the queue.
    pub(super) fn answer_ping(&mut self, payload: &[u8], scratch: &mut Scratch) {
        // RFC 6455 §5.5.2 excuses only who has *received* a Close. We keep silent behind our own as well: a peer that has
        // read it may drop all that follows (§1.4), or end the transport, and a Pong into that could reset it before the
        // peer's last bytes are read. Whoever pings a closing end gets the Close, a surer sign of life than a Pong.
        if self.machine.state() != State::Open {
            return;
        }
        self.queue.forget_due_pong();
        if !self.queue.defer_pong(payload) {
            let frame = self.frame(true, Rsv::EMPTY, Opcode::Pong, scratch);
            self.queue.push_control(frame, payload, scratch);
        }
    }

    pub(super) fn push_ping(&mut self, payload: &[u8], scratch: &mut Scratch) {
        let frame = self.frame(true, Rsv::EMPTY, Opcode::Ping, scratch);
        self.queue.push_control(frame, payload, scratch);
    }

    /// A frame of this role, masked with a fresh key where the role masks.
    pub(super) fn frame(
        &self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        scratch: &mut Scratch,
    ) -> Frame {
        let mask = self.role().masks().then(|| scratch.mask_key());
        Frame { fin, rsv, opcode, mask }
    }
}
