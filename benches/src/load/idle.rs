//! What does a connection cost that says nothing? Opens many, echoes one message on each, and weighs the server.

use std::time::Duration;

use super::account;
use super::deadline::Deadline;
use super::dialogue::{Dialogue, Members};
use super::sample::{Sample, Target};
use super::speech::Words;

/// Connections that are opened, used once and left alone.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// How many are open at once.
    pub connections: usize,
    /// The one message on each.
    pub words: Words,
    /// How many connections have their message under way together.
    pub together: usize,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// How long they are left alone before the server is weighed; pings are answered meanwhile.
    pub rest: Duration,
}

impl Idle {
    /// Returns how many resident bytes the server has for each connection, and how often each was pinged: what it has grown by
    /// from before the first until all are open, and what it has grown by since, each divided by those that brought it about. A
    /// server that their messages make grow by over 2 GiB is spared the rest of them.
    ///
    /// # Errors
    /// Fails when a reply is wrong or missing, or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let Self { connections, words, together, tls, rest } = self;
        let weigh = || account::resident_bytes(target.pid).map(|bytes| bytes as f64);
        let before = weigh()?;
        let mut dialogue = Dialogue::open(Members { connections, words, tls }, target, deadline)?;
        let opened = weigh()?;
        let mut heard = 0;
        while heard < connections && weigh()? - opened < GROWN_BYTES_MAX {
            let speakers = heard..connections.min(heard + SPEAKERS);
            let messages = speakers.len();
            dialogue.exchange(speakers, messages, together, true)?;
            heard += messages;
        }
        let pings = dialogue.rest(rest)?;
        let each = (opened - before) / connections as f64 + (weigh()? - opened) / heard as f64;
        Ok(Sample { pings: Some(pings), ..Sample::of(each.max(0.0)) })
    }
}

/// Between two looks at the server's weight so many connections say their message.
const SPEAKERS: usize = 250;
const GROWN_BYTES_MAX: f64 = (2_u64 << 30) as f64;
