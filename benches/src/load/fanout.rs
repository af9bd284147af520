//! What does a message cost that many hear? One publisher, many subscribers, on one thread with epoll.
//!
//! Subscribers connect and only read. The publisher connects to `/publish` and sends binary messages; each goes to every
//! connection that is not a publisher's. A round is over when all its messages have reached everyone.

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::Context as _;

use super::account::{Account, settle};
use super::deadline::Deadline;
use super::opening::{self, Opening};
use super::sample::{Sample, Target};
use super::script::Script;
use super::stream::Stream;
use super::watch::Watch;

/// One connection that publishes and many that hear it.
#[derive(Debug, Clone, Copy)]
pub struct FanOut {
    /// How many connections hear each message.
    pub subscribers: usize,
    /// The payload of each message.
    pub payload_bytes: usize,
    /// How many messages leave in one write; the next ones leave when everyone has heard these.
    pub together: usize,
    /// How many rounds are counted; every byte of a fifth as many more, and of one at least, is checked beforehand.
    pub rounds: usize,
    /// Whether every byte of the counted rounds is checked too, which costs the generator time.
    pub check_all: bool,
}

impl FanOut {
    /// Returns the server's CPU time for each delivery: one message to one subscriber.
    ///
    /// # Errors
    /// Fails when a subscriber hears other bytes, too many or too few, the publisher hears anything, a connection ends,
    /// or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let mut audience = Audience::open(self, target, deadline)?;
        // An opening is answered before its handler has been told, so the last ones may be on no list yet.
        settle();
        audience.hear(self.rounds.div_ceil(5), true)?;
        let account = Account::open(target)?;
        audience.hear(self.rounds, self.check_all)?;
        let sample = account.close((self.rounds * self.together * self.subscribers) as u64)?;
        audience.ensure_silence()?;
        Ok(sample)
    }
}

/// The publisher, the subscribers, and what is said.
struct Audience {
    publisher: Stream,
    subscribers: Vec<Subscriber>,
    /// Some rounds' messages, over and over.
    script: Script,
    /// Bytes of one round, as they are sent and as each subscriber hears them.
    request_bytes: usize,
    reply_bytes: usize,
    rounds: usize,
    watch: Watch,
    buffer: Vec<u8>,
    deadline: Deadline,
}

struct Subscriber {
    stream: Stream,
    heard_bytes: usize,
}

impl Audience {
    fn open(plan: FanOut, target: &Target, deadline: Deadline) -> anyhow::Result<Self> {
        let watch = Watch::new()?;
        let mut subscribers = Vec::with_capacity(plan.subscribers);
        for index in 0..plan.subscribers {
            deadline.left("subscribers to connect")?;
            let stream = opening::open(target.address, index, Opening::default())
                .with_context(|| format!("subscriber {index}"))?;
            stream.set_nonblocking()?;
            watch.add(&stream, index)?;
            subscribers.push(Subscriber { stream, heard_bytes: 0 });
        }
        let publish = Opening { path: "/publish", ..Opening::default() };
        let publisher =
            opening::open(target.address, plan.subscribers, publish).context("the publisher")?;
        let script = Script::new(0, plan.payload_bytes, plan.together * ROUNDS_IN_SCRIPT);
        Ok(Self {
            publisher,
            subscribers,
            request_bytes: script.request.len() / ROUNDS_IN_SCRIPT,
            reply_bytes: script.reply.len() / ROUNDS_IN_SCRIPT,
            script,
            rounds: 0,
            watch,
            buffer: vec![0; BUFFER_BYTES],
            deadline,
        })
    }

    /// Publishes `rounds` more rounds, one after the other, each heard by everyone.
    fn hear(&mut self, rounds: usize, check: bool) -> anyhow::Result<()> {
        let mut ready = Vec::new();
        for _ in 0..rounds {
            let start = self.rounds % ROUNDS_IN_SCRIPT * self.request_bytes;
            let request = &self.script.request[start..][..self.request_bytes];
            self.publisher.write_all(request).context("publishing")?;
            self.rounds += 1;
            let mut deaf = self.subscribers.len();
            while deaf > 0 {
                self.watch.wait(&mut ready, self.deadline, "subscribers to hear a message")?;
                for event in &ready {
                    let at = || format!("subscriber {}", event.index);
                    deaf -= usize::from(self.read(event.index, check).with_context(at)?);
                }
            }
        }
        Ok(())
    }

    /// Reads once; returns whether the subscriber has now heard all of this round.
    fn read(&mut self, index: usize, check: bool) -> anyhow::Result<bool> {
        let subscriber = &mut self.subscribers[index];
        let read = match subscriber.stream.read(&mut self.buffer) {
            Ok(0) => anyhow::bail!("the server ended the connection"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let (before, said) = (subscriber.heard_bytes, self.rounds * self.reply_bytes);
        subscriber.heard_bytes += read;
        anyhow::ensure!(
            subscriber.heard_bytes <= said,
            "{} bytes came where {said} were published",
            subscriber.heard_bytes
        );
        // No subscriber is ever behind by more than the running round, so what comes lies in one piece.
        let right = &self.script.reply[before % self.script.reply.len()..][..read];
        anyhow::ensure!(
            !check || *right == self.buffer[..read],
            "other bytes came than were published, among the {read} after the first {before}"
        );
        Ok(subscriber.heard_bytes == said)
    }

    /// Sees to it that the publisher has heard nothing.
    fn ensure_silence(&mut self) -> anyhow::Result<()> {
        self.publisher.set_nonblocking()?;
        match self.publisher.read(&mut self.buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("the publisher's connection"),
            Ok(read) => anyhow::bail!("the publisher, who should hear nothing, read {read} bytes"),
        }
    }
}

/// So that a message is not taken for the one before it.
const ROUNDS_IN_SCRIPT: usize = 16;
const BUFFER_BYTES: usize = 64 * 1024;
