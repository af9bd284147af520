//! What does a message cost that is echoed? Many connections, each with some messages in flight, on one thread with epoll.
//!
//! A connection keeps `depth` messages in flight: for all replies that one read brings home it sends as many new messages, in
//! one write. Deliberately absent: parsing. The bytes of a right reply are known beforehand, so they are compared or merely
//! counted.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::account::Account;
use super::deadline::Deadline;
use super::opening;
use super::sample::{Sample, Target};
use super::script::Script;

/// Connections that send and wait for the echo.
#[derive(Debug, Clone, Copy)]
pub struct Echo {
    /// How many connections take part.
    pub connections: usize,
    /// The payload of each message.
    pub payload_bytes: usize,
    /// How many messages are in flight on each connection.
    pub depth: usize,
    /// How many messages are counted, over all connections; every byte of a fifth as many more is checked beforehand.
    pub messages: usize,
    /// Whether every byte of the counted messages is checked too, which costs the generator time.
    pub check_all: bool,
}

impl Echo {
    /// Returns the server's CPU time for each message.
    ///
    /// # Errors
    /// Fails when a reply is wrong, longer than it may be or missing, a connection ends, or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let mut crowd = Crowd::open(self, target, deadline)?;
        crowd.exchange(self.messages / 5, true)?;
        let account = Account::open(target.pid)?;
        crowd.exchange(self.messages, self.check_all)?;
        account.close(self.messages as u64)
    }
}

/// All connections and what they share.
struct Crowd {
    lanes: Vec<Lane>,
    /// Each holds `depth` messages twice over, so that any `depth` in a row lie in one piece.
    rings: Vec<Script>,
    depth: usize,
    epoll: OwnedFd,
    buffer: Vec<u8>,
    deadline: Deadline,
}

impl Crowd {
    fn open(plan: Echo, target: &Target, deadline: Deadline) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut rings = Vec::new();
        for seed in 0..RINGS {
            let mut ring = Script::new(seed, plan.payload_bytes, plan.depth).answered(target.reply);
            ring.request.extend_from_within(..);
            ring.reply.extend_from_within(..);
            rings.push(ring);
        }
        let mut lanes = Vec::with_capacity(plan.connections);
        for index in 0..plan.connections {
            deadline.left("connections to open")?;
            let stream = opening::open(target.address, index)
                .with_context(|| format!("connection {index}"))?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            lanes.push(Lane {
                stream,
                asked: 0,
                sent_bytes: 0,
                received_bytes: 0,
                is_waiting_to_write: false,
            });
        }
        Ok(Self { lanes, rings, depth: plan.depth, epoll, buffer: vec![0; BUFFER_BYTES], deadline })
    }

    /// Sends `messages` in all, from whichever connection may send; returns when every reply is home.
    fn exchange(&mut self, messages: usize, check: bool) -> anyhow::Result<()> {
        let (mut unasked, mut missing) = (messages, messages);
        for index in 0..self.lanes.len() {
            let grant = self.depth.min(unasked);
            unasked -= grant;
            self.ask(index, grant)?;
        }
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while missing > 0 {
            self.wait(&mut events)?;
            for event in &events {
                // The kernel's event is packed: its fields are copied before use.
                let epoll::Event { flags, data } = *event;
                let index = usize::try_from(data.u64()).context("an event of nobody")?;
                let at = || format!("connection {index}");
                if flags.contains(EventFlags::OUT) {
                    self.write(index).with_context(at)?;
                }
                if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                    let replies = self.read(index, check).with_context(at)?;
                    missing -= replies;
                    let grant = replies.min(unasked);
                    unasked -= grant;
                    self.ask(index, grant).with_context(at)?;
                }
            }
        }
        Ok(())
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> anyhow::Result<()> {
        events.clear();
        while events.is_empty() {
            let left = self.deadline.left("echoes")?.min(Duration::from_secs(1));
            match epoll::wait(&self.epoll, spare_capacity(events), Some(&Timespec::try_from(left)?))
            {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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
        while lane.sent_bytes < asked_bytes {
            let start = lane.sent_bytes % ring_bytes;
            match lane.stream.write(&request[start..start + asked_bytes - lane.sent_bytes]) {
                Ok(sent) => lane.sent_bytes += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let is_waiting = lane.sent_bytes < asked_bytes;
        if is_waiting != lane.is_waiting_to_write {
            lane.is_waiting_to_write = is_waiting;
            let flags = if is_waiting { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, &lane.stream, EventData::new_u64(index as u64), flags)?;
        }
        Ok(())
    }

    /// Reads once; returns how many replies have become whole by it.
    fn read(&mut self, index: usize, check: bool) -> anyhow::Result<usize> {
        let lane = &mut self.lanes[index];
        let reply = &self.rings[index % self.rings.len()].reply;
        let (ring_bytes, one_bytes) = (reply.len() / 2, reply.len() / 2 / self.depth);
        let read = match lane.stream.read(&mut self.buffer) {
            Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let (before, asked_bytes) = (lane.received_bytes, lane.asked * one_bytes);
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
        Ok(lane.received_bytes / one_bytes - before / one_bytes)
    }
}

/// One connection and how far it has come, counted from its opening.
struct Lane {
    stream: TcpStream,
    /// Messages that it may have sent by now; at most `depth` more than have come back whole.
    asked: usize,
    sent_bytes: usize,
    received_bytes: usize,
    is_waiting_to_write: bool,
}

/// Neighbouring connections send different bytes, so that replies to the wrong connection are seen.
const RINGS: u64 = 7;
const EVENTS_MAX: usize = 256;
const BUFFER_BYTES: usize = 256 * 1024;
