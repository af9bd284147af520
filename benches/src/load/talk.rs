//! What does a message cost that is echoed compressed, or piece by piece? Many connections, one message in flight on each.

use super::account::Account;
use super::deadline::Deadline;
use super::dialogue::{Dialogue, Members};
use super::sample::{Sample, Target};
use super::speech::Words;

/// Connections that say messages and wait for each one's echo, however it looks on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// How many connections take part.
    pub connections: usize,
    /// What the messages are.
    pub words: Words,
    /// How many messages are counted, over all connections; every byte of a fifth as many more is checked beforehand.
    pub messages: usize,
    /// Whether every byte of the counted messages is checked too, which costs the generator time.
    pub check_all: bool,
}

impl Talk {
    /// Returns the server's CPU time for each message, and the mean of the replies' payload bytes where they are compressed.
    ///
    /// # Errors
    /// Fails when compression is not agreed to as asked, a reply is wrong or missing, a connection ends, or the deadline
    /// passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let Self { connections, words, messages, check_all } = self;
        let members = Members { connections, words, tls: false };
        let mut dialogue = Dialogue::open(members, target, deadline)?;
        dialogue.exchange(0..connections, messages / 5, connections, true)?;
        let account = Account::open(target)?;
        let reply_bytes = dialogue.exchange(0..connections, messages, connections, check_all)?;
        let sample = account.close(messages as u64)?;
        Ok(Sample { reply_bytes: words.takeover().map(|_| reply_bytes), ..sample })
    }
}
