//! What does a connection cost that says nothing? Opens many, echoes one message on each, and weighs the server.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;

use super::deadline::Deadline;
use super::sample::{Sample, Target};
use super::script::Script;
use super::{account, opening};

/// Connections that are opened, used once and left alone.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// How many are open at once.
    pub connections: usize,
    /// The payload of the one message on each.
    pub payload_bytes: usize,
    /// How long they are left alone before the server is weighed.
    pub rest: Duration,
}

impl Idle {
    /// Returns by how many resident bytes the server has grown for each connection, since before the first.
    ///
    /// # Errors
    /// Fails when a reply is wrong or missing, or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let script = Script::new(1, self.payload_bytes, 1).answered(target.reply);
        let before = account::resident_bytes(target.pid)?;
        let mut open = Vec::with_capacity(self.connections);
        for index in 0..self.connections {
            deadline.left("idle connections to open")?;
            open.push(
                opening::open(target.address, index)
                    .with_context(|| format!("connection {index}"))?,
            );
        }
        let mut reply = vec![0; script.reply.len()];
        for (index, stream) in open.iter_mut().enumerate() {
            deadline.left("one message on each idle connection")?;
            stream.write_all(&script.request).with_context(|| format!("connection {index}"))?;
            stream
                .read_exact(&mut reply)
                .with_context(|| format!("the echo on connection {index}"))?;
            anyhow::ensure!(reply == script.reply, "connection {index} echoed other bytes");
        }
        std::thread::sleep(self.rest);
        let after = account::resident_bytes(target.pid)?;
        let grown = after.saturating_sub(before) as f64;
        Ok(Sample {
            figure: grown / self.connections as f64,
            generator_us: None,
            server_busy: None,
            waited: None,
        })
    }
}
