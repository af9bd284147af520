//! The workloads: what is asked of every server, under which name, and how much of it.

use std::time::Duration;

use crate::load::{Deadline, Echo, Idle, Openings, Sample, Target};

/// How much of a workload is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Enough to trust the figures.
    Full,
    /// Enough to see that every server answers rightly; every byte is checked, and the figures mean little.
    Quick,
}

/// One question that is put to every server.
#[derive(Debug)]
pub struct Workload {
    /// What tables and `--only` call it.
    pub name: &'static str,
    /// What its figure counts.
    pub unit: &'static str,
    /// Whether the quick form asks it when nothing is chosen.
    pub is_quick: bool,
    load: Load,
}

#[derive(Debug, Clone, Copy)]
enum Load {
    Echo(Echo),
    Idle(Idle),
    Openings(Openings),
}

/// Returns every workload at the given extent.
#[must_use]
pub fn workloads(extent: Extent) -> Vec<Workload> {
    let echo = |name, connections, payload_bytes, depth, messages| {
        let messages = if extent == Extent::Quick { messages / 20 } else { messages };
        let check_all = extent == Extent::Quick;
        let load = Load::Echo(Echo { connections, payload_bytes, depth, messages, check_all });
        Workload { name, unit: "µs per message", is_quick: false, load }
    };
    let (connections, count) = if extent == Extent::Quick { (500, 1_000) } else { (9_000, 10_000) };
    let rest = Duration::from_secs(if extent == Extent::Quick { 0 } else { 2 });
    let idle = Load::Idle(Idle { connections, payload_bytes: 20, rest });
    let openings = Load::Openings(Openings { count, together: 32 });
    vec![
        echo("echo-20B-d1", 100, 20, 1, 250_000),
        Workload { is_quick: true, ..echo("echo-20B-d16", 100, 20, 16, 400_000) },
        echo("echo-1KiB-d1", 100, 1024, 1, 250_000),
        echo("echo-1KiB-d16", 100, 1024, 16, 400_000),
        Workload { is_quick: true, ..echo("echo-16KiB-d1", 20, 16 * 1024, 1, 100_000) },
        echo("echo-1MiB-d1", 4, 1024 * 1024, 1, 4_000),
        Workload {
            name: "idle",
            unit: "resident bytes per connection",
            is_quick: false,
            load: idle,
        },
        Workload { name: "openings", unit: "µs per opening", is_quick: true, load: openings },
    ]
}

impl Workload {
    /// Returns how many sockets it holds open at once.
    #[must_use]
    pub fn connections(&self) -> usize {
        match self.load {
            Load::Echo(echo) => echo.connections,
            Load::Idle(idle) => idle.connections,
            Load::Openings(openings) => openings.together,
        }
    }

    /// Puts the workload on a server that nobody else uses.
    ///
    /// # Errors
    /// Fails when the server does not answer, answers with other bytes, or needs more than a minute.
    pub fn measure(&self, target: &Target) -> anyhow::Result<Sample> {
        let deadline = Deadline::after(Duration::from_secs(60));
        match self.load {
            Load::Echo(echo) => echo.run(target, deadline),
            Load::Idle(idle) => idle.run(target, deadline),
            Load::Openings(openings) => openings.run(target, deadline),
        }
    }
}
