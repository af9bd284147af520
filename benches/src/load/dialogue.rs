//! Connections that say a message and hear its echo, on one thread with epoll, when a right echo may look differently on the
//! wire from server to server: compressed, or cut into frames. Pings are answered.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::deadline::Deadline;
use super::deflate::Inflater;
use super::frames::{Frames, Part};
use super::opening::{self, Opening};
use super::sample::{Reply, Target};
use super::script::push_masked;
use super::speech::{Line, Speech, Words};
use super::stream::Stream;
use super::watch::{Ready, Watch};

/// Who takes part, and what is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Members {
    pub(super) connections: usize,
    pub(super) words: Words,
    pub(super) tls: bool,
}

/// All connections and what they share.
pub(super) struct Dialogue {
    lanes: Vec<Lane>,
    speeches: Vec<Speech>,
    watch: Watch,
    buffer: Vec<u8>,
    deadline: Deadline,
}

impl Dialogue {
    pub(super) fn open(
        members: Members,
        target: &Target,
        deadline: Deadline,
    ) -> anyhow::Result<Self> {
        let takeover = members.words.takeover();
        let opening = Opening { takeover, tls: members.tls, ..Opening::default() };
        let speeches = (0..SPEECHES).map(|seed| Speech::new(members.words, seed));
        let mut dialogue = Self {
            lanes: Vec::with_capacity(members.connections),
            speeches: speeches.collect::<anyhow::Result<_>>()?,
            watch: Watch::new()?,
            buffer: vec![0; BUFFER_BYTES],
            deadline,
        };
        for index in 0..members.connections {
            deadline.left("connections to open")?;
            let stream = opening::open(target.address, index, opening)
                .with_context(|| format!("connection {index}"))?;
            stream.set_nonblocking()?;
            dialogue.watch.add(&stream, index)?;
            dialogue.lanes.push(Lane::new(stream, members.words, target.reply));
        }
        Ok(dialogue)
    }

    /// Has `messages` said in all and echoed, by `speakers` in turn, with at most `together` of them waiting for an echo; returns the mean of the replies' payload bytes as they were on the wire. Unless `check` is set, echoes are only
    /// counted, and none can be checked ever after.
    pub(super) fn exchange(
        &mut self,
        speakers: Range<usize>,
        messages: usize,
        together: usize,
        check: bool,
    ) -> anyhow::Result<f64> {
        let (mut unsaid, mut missing, mut reply_bytes) = (messages, messages, 0);
        let mut silent: VecDeque<usize> = speakers.collect();
        for _ in 0..together.min(unsaid) {
            let Some(index) = silent.pop_front() else { break };
            unsaid -= 1;
            self.say(index)?;
        }
        let mut ready = Vec::new();
        while missing > 0 {
            self.watch.wait(&mut ready, self.deadline, "echoes")?;
            for event in &ready {
                let Some(bytes) = self.attend(*event, check)? else { continue };
                reply_bytes += bytes;
                missing -= 1;
                silent.push_back(event.index);
                if unsaid > 0 {
                    unsaid -= 1;
                    self.say(silent.pop_front().context("somebody has just been answered")?)?;
                }
            }
        }
        Ok(reply_bytes as f64 / messages as f64)
    }

    /// Says nothing for so long, but answers pings; returns how many pings each connection has been sent since its opening,
    /// on average.
    pub(super) fn rest(&mut self, rest: Duration) -> anyhow::Result<f64> {
        let (begun, mut ready) = (Instant::now(), Vec::new());
        while let Some(left) = rest.checked_sub(begun.elapsed()) {
            self.deadline.left("connections to rest")?;
            self.watch.look(&mut ready, left)?;
            for event in &ready {
                let reply = self.attend(*event, true)?;
                anyhow::ensure!(reply.is_none(), "connection {} heard an echo", event.index);
            }
        }
        let pings: usize = self.lanes.iter().map(|lane| lane.pings).sum();
        Ok(pings as f64 / self.lanes.len() as f64)
    }

    fn say(&mut self, index: usize) -> anyhow::Result<()> {
        self.lanes[index].said += 1;
        self.write(index)
    }

    /// Writes and reads what a connection is ready for; returns the payload bytes of the echo that has become whole by it.
    fn attend(&mut self, event: Ready, check: bool) -> anyhow::Result<Option<usize>> {
        let at = || format!("connection {}", event.index);
        let mut reply = None;
        if event.reads {
            let speech = &self.speeches[event.index % self.speeches.len()];
            let lane = &mut self.lanes[event.index];
            reply = lane.read(speech, &mut self.buffer, check).with_context(at)?;
        }
        if event.writes || !self.lanes[event.index].pongs.is_empty() {
            self.write(event.index)?;
        }
        Ok(reply)
    }

    fn write(&mut self, index: usize) -> anyhow::Result<()> {
        let speech = &self.speeches[index % self.speeches.len()];
        let lane = &mut self.lanes[index];
        let is_waiting = !lane.write(speech).with_context(|| format!("connection {index}"))?;
        if is_waiting != lane.is_waiting_to_write {
            lane.is_waiting_to_write = is_waiting;
            self.watch.wait_to_write(&lane.stream, index, is_waiting)?;
        }
        Ok(())
    }
}

/// One connection and how far it has come.
struct Lane {
    stream: Stream,
    expected: Reply,
    frames: Frames,
    inflater: Option<Inflater>,
    /// Messages that it may have said by now, that have been written whole, and that have come back.
    said: usize,
    written: usize,
    heard: usize,
    /// Bytes of the next message that have been written.
    written_bytes: usize,
    /// Bytes of the echo that have come, as they were on the wire.
    reply_bytes: usize,
    /// The echo that has begun to come, where it must be whole before it can be compared.
    payload: Vec<u8>,
    pongs: Vec<u8>,
    pings: usize,
    is_waiting_to_write: bool,
}

impl Lane {
    fn new(stream: Stream, words: Words, expected: Reply) -> Self {
        Self {
            stream,
            expected,
            frames: Frames::default(),
            inflater: words.takeover().map(Inflater::new),
            said: 0,
            written: 0,
            heard: 0,
            written_bytes: 0,
            reply_bytes: 0,
            payload: Vec::new(),
            pongs: Vec::new(),
            pings: 0,
            is_waiting_to_write: false,
        }
    }

    /// Writes what it has to say, and pongs between messages; returns whether the socket took it all.
    fn write(&mut self, speech: &Speech) -> anyhow::Result<bool> {
        loop {
            let between = self.written_bytes == 0;
            let line = (self.written < self.said).then(|| speech.line(self.written));
            let bytes = match line {
                _ if between && !self.pongs.is_empty() => self.pongs.as_slice(),
                Some(line) => &line.request[self.written_bytes..],
                None => break,
            };
            let is_pong = between && !self.pongs.is_empty();
            let taken = match self.stream.write(bytes) {
                Ok(taken) => taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            if is_pong {
                // A pong is so small that a socket takes it whole or not at all.
                anyhow::ensure!(taken == bytes.len(), "a pong was cut");
                self.pongs.clear();
                continue;
            }
            self.written_bytes += taken;
            if line.is_some_and(|line| line.request.len() == self.written_bytes) {
                (self.written, self.written_bytes) = (self.written + 1, 0);
            }
        }
        if self.stream.is_behind() {
            match self.stream.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                flushed => flushed?,
            }
        }
        Ok(true)
    }

    /// Reads what is there, of a plain socket once; returns the payload bytes of the echo that has become whole by it.
    fn read(
        &mut self,
        speech: &Speech,
        buffer: &mut [u8],
        check: bool,
    ) -> anyhow::Result<Option<usize>> {
        let mut reply = None;
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => anyhow::bail!("the server ended the connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            match self.expected {
                Reply::Unmasked => {}
                Reply::Verbatim => return self.hear_verbatim(speech, &buffer[..read]),
            }
            let mut frames = std::mem::take(&mut self.frames);
            frames.feed(&buffer[..read], |part| {
                match part {
                    Part::Payload(bytes) => self.hear(speech, bytes, check)?,
                    Part::Ping(payload) => {
                        self.pings += 1;
                        push_masked(&mut self.pongs, PONG, PONG_MASK, payload);
                    }
                    Part::End(message) => {
                        anyhow::ensure!(reply.is_none(), "two messages came back for one");
                        reply = Some(self.end(speech, message, check)?);
                    }
                }
                Ok(())
            })?;
            self.frames = frames;
            if !self.stream.reads_ahead() {
                break;
            }
        }
        Ok(reply)
    }

    /// Takes bytes of an echo that is the very frame that was sent; returns its bytes when it is whole.
    fn hear_verbatim(&mut self, speech: &Speech, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        anyhow::ensure!(self.heard < self.said, "{} bytes came back for nothing", bytes.len());
        let request = &speech.line(self.heard).request;
        let before = self.reply_bytes;
        self.reply_bytes += bytes.len();
        anyhow::ensure!(
            request.get(before..self.reply_bytes) == Some(bytes),
            "other bytes came back than were sent, among the {} after the first {before}",
            bytes.len()
        );
        if self.reply_bytes < request.len() {
            return Ok(None);
        }
        self.heard += 1;
        Ok(Some(std::mem::take(&mut self.reply_bytes)))
    }

    /// Takes bytes of an echo, and compares them at once where they come as they are.
    fn hear(&mut self, speech: &Speech, bytes: &[u8], check: bool) -> anyhow::Result<()> {
        anyhow::ensure!(self.heard < self.said, "{} bytes came back for nothing", bytes.len());
        let before = self.reply_bytes;
        self.reply_bytes += bytes.len();
        if !check {
            return Ok(());
        }
        if self.inflater.is_some() {
            let bytes_max = 2 * speech.line(self.heard).message.len();
            anyhow::ensure!(self.reply_bytes <= bytes_max, "the echo is too long");
            self.payload.extend_from_slice(bytes);
            return Ok(());
        }
        let message = &speech.line(self.heard).message;
        let right = message.get(before..self.reply_bytes);
        anyhow::ensure!(
            right == Some(bytes),
            "other bytes came back than were sent, among the {} after the first {before}",
            bytes.len()
        );
        Ok(())
    }

    /// Compares an echo that is whole; returns its payload bytes.
    fn end(
        &mut self,
        speech: &Speech,
        reply: super::frames::Message,
        check: bool,
    ) -> anyhow::Result<usize> {
        anyhow::ensure!(self.heard < self.said, "a message came back for nothing");
        let Line { message, is_text, .. } = speech.line(self.heard);
        let reply_bytes = std::mem::take(&mut self.reply_bytes);
        anyhow::ensure!(reply.is_text == *is_text, "text came back as binary, or binary as text");
        match &mut self.inflater {
            None => {
                anyhow::ensure!(!reply.is_compressed, "a compressed message came back");
                anyhow::ensure!(
                    reply_bytes == message.len(),
                    "{reply_bytes} bytes came back for {}",
                    message.len()
                );
            }
            Some(inflater) if check => {
                let mut payload = std::mem::take(&mut self.payload);
                let came = match reply.is_compressed {
                    true => inflater.inflate(&mut payload, message.len())?,
                    false => payload,
                };
                anyhow::ensure!(came == *message, "another message came back than was sent");
            }
            Some(_) => {}
        }
        self.heard += 1;
        Ok(reply_bytes)
    }
}

/// Neighbouring connections say different things, so that replies to the wrong connection are seen.
const SPEECHES: u64 = 7;
/// The first byte of a pong, and its mask, which need not surprise.
const PONG: u8 = 0x8A;
const PONG_MASK: [u8; 4] = [0x55; 4];
const BUFFER_BYTES: usize = 256 * 1024;
