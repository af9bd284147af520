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
    /// Returns by how many resident bytes the server has grown for each connection, since before the first; and how often each
    /// was pinged.
    ///
    /// # Errors
    /// Fails when a reply is wrong or missing, or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let Self { connections, words, together, tls, rest } = self;
        let before = account::resident_bytes(target.pid)?;
        let mut dialogue = Dialogue::open(Members { connections, words, tls }, target, deadline)?;
        dialogue.exchange(connections, together, true)?;
        let pings = dialogue.rest(rest)?;
        let after = account::resident_bytes(target.pid)?;
        let grown = after.saturating_sub(before) as f64;
        Ok(Sample { pings: Some(pings), ..Sample::of(grown / connections as f64) })
    }
}
