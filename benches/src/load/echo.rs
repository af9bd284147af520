//! What does a message cost that is echoed? Many connections, each with some messages in flight.
//!
//! A connection keeps `depth` messages in flight: for all replies that one read brings home it sends as many new messages, in
//! one write.

use super::account::Account;
use super::crowd::{Crowd, Members};
use super::deadline::Deadline;
use super::sample::{Sample, Target};

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
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Whether every byte of the counted messages is checked too, which costs the generator time.
    pub check_all: bool,
}

impl Echo {
    /// Returns the server's CPU time for each message.
    ///
    /// # Errors
    /// Fails when a reply is wrong, longer than it may be or missing, a connection ends, or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let members = Members {
            connections: self.connections,
            payload_bytes: self.payload_bytes,
            depth: self.depth,
            tls: self.tls,
        };
        let mut crowd = Crowd::open(members, target, deadline)?;
        crowd.exchange(self.messages / 5, self.depth, true)?;
        let account = Account::open(target)?;
        crowd.exchange(self.messages, self.depth, self.check_all)?;
        account.close(self.messages as u64)
    }
}
