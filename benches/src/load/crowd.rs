//! Many connections that send messages whose echo is known byte by byte, on one thread with epoll.
//!
//! Deliberately absent: parsing. What comes back is compared with what must come, or merely counted.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::deadline::Deadline;
use super::opening::{self, Opening};
use super::sample::Target;
use super::script::Script;
use super::stream::Stream;
use super::watch::{Ready, Watch};

/// All connections and what they share.
pub(super) struct Crowd {
    lanes: Vec<Lane>,
    /// Each holds `depth` messages twice over, so that any `depth` in a row lie in one piece.
    rings: Vec<Script>,
    depth: usize,
    watch: Watch,
    buffer: Vec<u8>,
    deadline: Deadline,
}

/// Who takes part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Members {
    pub(super) connections: usize,
    pub(super) payload_bytes: usize,
    /// How many messages may be in flight on each connection.
    pub(super) depth: usize,
    pub(super) tls: bool,
}

impl Crowd {
    pub(super) fn open(
        members: Members,
        target: &Target,
        deadline: Deadline,
    ) -> anyhow::Result<Self> {
        let watch = Watch::new()?;
        let mut rings = Vec::new();
        for seed in 0..RINGS.min(members.connections.max(1) as u64) {
            let ring = Script::new(seed, members.payload_bytes, members.depth);
            let mut ring = ring.answered(target.reply);
            ring.request.extend_from_within(..);
            ring.reply.extend_from_within(..);
            rings.push(ring);
        }
        let opening = Opening { tls: members.tls, ..Opening::default() };
        let mut lanes = Vec::with_capacity(members.connections);
        for index in 0..members.connections {
            deadline.left("connections to open")?;
            let stream = opening::open(target.address, index, opening)
                .with_context(|| format!("connection {index}"))?;
            stream.set_nonblocking()?;
            watch.add(&stream, index)?;
            lanes.push(Lane {
                stream,
                asked: 0,
                sent_bytes: 0,
                received_bytes: 0,
                is_waiting_to_write: false,
            });
        }
        let buffer = vec![0; BUFFER_BYTES];
        Ok(Self { lanes, rings, depth: members.depth, watch, buffer, deadline })
    }

    /// Sends `messages` in all, `depth` on each connection at first and then one for each reply; returns when every reply is
    /// home. `depth` is at most the members'.
    pub(super) fn exchange(
        &mut self,
        messages: usize,
        depth: usize,
        check: bool,
    ) -> anyhow::Result<()> {
        let (mut unasked, mut missing) = (messages, messages);
        for index in 0..self.lanes.len() {
            let grant = depth.min(self.depth).min(unasked);
            unasked -= grant;
            self.ask(index, grant)?;
        }
        let mut ready = Vec::new();
        while missing > 0 {
            self.watch.wait(&mut ready, self.deadline, "echoes")?;
            for event in &ready {
                let replies = self.attend(*event, check)?;
                missing -= replies;
                let grant = replies.min(unasked);
                unasked -= grant;
                self.ask(event.index, grant)
                    .with_context(|| format!("connection {}", event.index))?;
            }
        }
        Ok(())
    }

    /// Sends `messages` in all, one each `pace` and on each connection in turn, whatever has come back; returns for each the
    /// nanoseconds from when it was due until its echo was home, in no order. A message that finds `depth` others in flight
    /// on its connection waits for one of them, and its time runs.
    pub(super) fn march(&mut self, messages: usize, pace: Duration) -> anyhow::Result<Vec<u64>> {
        let mut under_way = vec![VecDeque::new(); self.lanes.len()];
        let (mut times_ns, mut ready) = (Vec::with_capacity(messages), Vec::new());
        let (begun, mut next, mut next_due) = (Instant::now(), 0, Duration::ZERO);
        while times_ns.len() < messages {
            self.deadline.left("echoes")?;
            while next < messages && next_due <= begun.elapsed() {
                let index = next % self.lanes.len();
                under_way[index].push_back(next_due);
                self.ask_up_to(index, under_way[index].len())?;
                (next, next_due) = (next + 1, next_due + pace);
            }
            self.watch.look(&mut ready, Duration::ZERO)?;
            for event in &ready {
                let (replies, index) = (self.attend(*event, true)?, event.index);
                let now = begun.elapsed();
                for due in under_way[index].drain(..replies) {
                    times_ns.push(u64::try_from(now.saturating_sub(due).as_nanos())?);
                }
                self.ask_up_to(index, under_way[index].len())?;
            }
        }
        Ok(times_ns)
    }

    /// Lets a connection have `wanted` messages in flight, or `depth` if that is less.
    fn ask_up_to(&mut self, index: usize, wanted: usize) -> anyhow::Result<()> {
        let reply = &self.rings[index % self.rings.len()].reply;
        let one_bytes = reply.len() / 2 / self.depth;
        let lane = &self.lanes[index];
        let in_flight = lane.asked - lane.received_bytes / one_bytes;
        let grant = wanted.min(self.depth) - in_flight;
        self.ask(index, grant).with_context(|| format!("connection {index}"))
    }

    /// Writes and reads what a connection is ready for; returns how many replies have become whole by it.
    fn attend(&mut self, event: Ready, check: bool) -> anyhow::Result<usize> {
        let at = || format!("connection {}", event.index);
        if event.writes {
            self.write(event.index).with_context(at)?;
        }
        if event.reads { self.read(event.index, check).with_context(at) } else { Ok(0) }
    }

    /// Lets a connection send `grant` more messages.
    fn ask(&mut self, index: usize, grant: usize) -> anyhow::Result<()> {
        self.lanes[index].asked += grant;
        if grant > 0 { self.write(index) } else { Ok(()) }
    }

    /// Writes what the socket takes, and asks to hear when it takes more.
    fn write(&mut self, index: usize) -> anyhow::Result<()> {
        let lane = &mut self.lanes[index];
        let request = &self.rings[index % self.rings.len()].request;
        let ring_bytes = request.len() / 2;
        let asked_bytes = lane.asked * (ring_bytes / self.depth);
        if lane.stream.is_behind() {
            match lane.stream.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                flushed => flushed?,
            }
        }
        while lane.sent_bytes < asked_bytes {
            let start = lane.sent_bytes % ring_bytes;
            match lane.stream.write(&request[start..start + asked_bytes - lane.sent_bytes]) {
                Ok(sent) => lane.sent_bytes += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let is_waiting = lane.sent_bytes < asked_bytes || lane.stream.is_behind();
        if is_waiting != lane.is_waiting_to_write {
            lane.is_waiting_to_write = is_waiting;
            self.watch.wait_to_write(&lane.stream, index, is_waiting)?;
        }
        Ok(())
    }

    /// Reads what is there, of a plain socket once; returns how many replies have become whole by it.
    fn read(&mut self, index: usize, check: bool) -> anyhow::Result<usize> {
        let lane = &mut self.lanes[index];
        let reply = &self.rings[index % self.rings.len()].reply;
        let (ring_bytes, one_bytes) = (reply.len() / 2, reply.len() / 2 / self.depth);
        let (begun, asked_bytes) = (lane.received_bytes, lane.asked * one_bytes);
        loop {
            let read = match lane.stream.read(&mut self.buffer) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            let before = lane.received_bytes;
            lane.received_bytes += read;
            anyhow::ensure!(
                lane.received_bytes <= asked_bytes,
                "{} bytes came back where {asked_bytes} were asked for",
                lane.received_bytes
            );
            let right = &reply[before % ring_bytes..][..read];
            anyhow::ensure!(
                !check || *right == self.buffer[..read],
                "other bytes came back than were sent, among the {read} after the first {before}"
            );
            if !lane.stream.reads_ahead() {
                break;
            }
        }
        Ok(lane.received_bytes / one_bytes - begun / one_bytes)
    }
}

/// One connection and how far it has come, counted from its opening.
struct Lane {
    stream: Stream,
    /// Messages that it may have sent by now; at most `depth` more than have come back whole.
    asked: usize,
    sent_bytes: usize,
    received_bytes: usize,
    is_waiting_to_write: bool,
}

/// Neighbouring connections send different bytes, so that replies to the wrong connection are seen.
const RINGS: u64 = 7;
const BUFFER_BYTES: usize = 256 * 1024;
