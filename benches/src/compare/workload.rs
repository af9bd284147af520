//! The workloads: what is asked of every server, under which name, and how much of it.

use std::time::Duration;

use super::mode::Mode;
use crate::load::{
    ClientSide, Deadline, Direction, Echo, FanOut, Idle, Latency, Openings, Sample, Takeover, Talk,
    Target, Words,
};

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
    /// What it needs a server to be.
    pub mode: Mode,
    load: Load,
}

#[derive(Debug, Clone, Copy)]
enum Load {
    Client(ClientSide),
    Echo(Echo),
    FanOut(FanOut),
    Idle(Idle),
    Latency(Latency),
    Openings(Openings),
    Talk(Talk),
}

/// Returns every workload at the given extent.
#[must_use]
pub fn workloads(extent: Extent) -> Vec<Workload> {
    let mut all = echoes(extent);
    all.extend(talks(extent));
    all.extend(fan_outs(extent));
    all.extend(standing(extent));
    all.push(latency(extent));
    all.extend(client_sides(extent));
    all
}

/// What is asked without a mode of its own.
const PLAIN: Workload = Workload {
    name: "",
    unit: "µs per message",
    is_quick: false,
    mode: Mode::Echo,
    load: Load::Openings(Openings { count: 0, together: 0 }),
};

/// Messages that are sent back.
fn echoes(extent: Extent) -> Vec<Workload> {
    let plan = |connections, payload_bytes, depth, messages| {
        let messages = extent.of(messages, messages / 20);
        let check_all = extent == Extent::Quick;
        Echo { connections, payload_bytes, depth, messages, tls: false, check_all }
    };
    let echo = |name, connections, payload_bytes, depth, messages| {
        let load = Load::Echo(plan(connections, payload_bytes, depth, messages));
        Workload { name, load, ..PLAIN }
    };
    let tls = |name, payload_bytes, depth, messages| {
        let load = Load::Echo(Echo { tls: true, ..plan(100, payload_bytes, depth, messages) });
        Workload { name, mode: Mode::Tls, load, ..PLAIN }
    };
    vec![
        echo("echo-20B-d1", 100, 20, 1, 250_000),
        Workload { is_quick: true, ..echo("echo-20B-d16", 100, 20, 16, 400_000) },
        echo("echo-1KiB-d1", 100, 1024, 1, 250_000),
        echo("echo-1KiB-d16", 100, 1024, 16, 400_000),
        Workload { is_quick: true, ..echo("echo-16KiB-d1", 20, 16 * 1024, 1, 100_000) },
        echo("echo-1MiB-d1", 4, 1024 * 1024, 1, 4_000),
        tls("tls-20B-d1", 20, 1, 150_000),
        Workload { is_quick: true, ..tls("tls-1KiB-d16", 1024, 16, 200_000) },
    ]
}

/// Messages that are sent back, but may look otherwise on the wire.
fn talks(extent: Extent) -> Vec<Workload> {
    let talk = |name, mode, connections, words, messages| {
        let messages = extent.of(messages, messages / 20);
        let check_all = extent == Extent::Quick;
        let load = Load::Talk(Talk { connections, words, messages, check_all });
        Workload { name, is_quick: true, mode, load, ..PLAIN }
    };
    let (off, on) = (Words::Json(Takeover::Off), Words::Json(Takeover::On));
    vec![
        talk("echo-text-1KiB-d1", Mode::Echo, 100, Words::Text(1024), 150_000),
        talk("echo-1MiB-streamed", Mode::Streamed, 4, Words::Noise(1024 * 1024), 4_000),
        talk("deflate-no-takeover", Mode::DeflateNoTakeover, 100, off, 50_000),
        talk("deflate-takeover", Mode::DeflateTakeover, 100, on, 50_000),
    ]
}

/// One message that many hear.
fn fan_outs(extent: Extent) -> Vec<Workload> {
    let fan_out = |name, is_quick, together, rounds| {
        let subscribers = extent.of(1_000, 200);
        let rounds = extent.of(rounds, 10);
        let check_all = extent == Extent::Quick;
        let load =
            Load::FanOut(FanOut { subscribers, payload_bytes: 64, together, rounds, check_all });
        Workload { name, unit: "µs per delivery", is_quick, mode: Mode::FanOut, load }
    };
    vec![fan_out("fanout-1", false, 1, 300), fan_out("fanout-16", true, 16, 200)]
}

/// What connections cost by being there, and by coming.
fn standing(extent: Extent) -> Vec<Workload> {
    let idle = Idle {
        connections: extent.of(9_000, 500),
        words: Words::Noise(20),
        together: 1,
        tls: false,
        rest: Duration::from_secs(extent.of(2, 0)),
    };
    let idle_in = |name, mode, idle| {
        let unit = "resident bytes per connection";
        Workload { name, unit, mode, load: Load::Idle(idle), ..PLAIN }
    };
    // Two keepalive rounds and a little more.
    let (large, rest) = (Words::Noise(1024 * 1024), Duration::from_secs(extent.of(5, 0)));
    let connections = extent.of(9_000, 50);
    let after_large = Idle { connections, words: large, together: 16, rest, ..idle };
    let compressed = Idle { words: Words::Json(Takeover::Off), ..idle };
    // Each is compressed and inflated for some 20 ms.
    let fewer = extent.of(1_500, 50);
    let large_compressed =
        Idle { connections: fewer, words: Words::Compressed(1024 * 1024), ..after_large };
    let large_in_tls = Idle { tls: true, ..after_large };
    let openings = Load::Openings(Openings { count: extent.of(10_000, 1_000), together: 32 });
    vec![
        idle_in("idle", Mode::Echo, idle),
        Workload { is_quick: true, ..idle_in("idle-after-1MiB", Mode::KeptAlive, after_large) },
        idle_in("idle-deflate", Mode::DeflateNoTakeover, compressed),
        Workload {
            is_quick: true,
            ..idle_in("idle-deflate-after-1MiB", Mode::KeptAliveDeflate, large_compressed)
        },
        Workload { is_quick: true, ..idle_in("idle-tls", Mode::Tls, Idle { tls: true, ..idle }) },
        Workload {
            is_quick: true,
            ..idle_in("idle-tls-after-1MiB", Mode::KeptAliveTls, large_in_tls)
        },
        Workload {
            name: "openings",
            unit: "µs per opening",
            is_quick: true,
            load: openings,
            ..PLAIN
        },
    ]
}

/// How long an echo takes at half load.
fn latency(extent: Extent) -> Workload {
    let messages = extent.of(200_000, 5_000);
    let latency = Latency { connections: 100, payload_bytes: 20, messages };
    Workload {
        name: "latency-20B",
        unit: "µs from when a message was due to its echo, at half load",
        is_quick: true,
        load: Load::Latency(latency),
        ..PLAIN
    }
}

/// What sending and receiving cost the client of one connection.
fn client_sides(extent: Extent) -> Vec<Workload> {
    let client = |name, direction, payload_bytes, messages| {
        let messages = extent.of(messages, messages / 20);
        let load = Load::Client(ClientSide { direction, payload_bytes, messages });
        let unit = "µs of the client per message";
        Workload { name, unit, is_quick: true, mode: Mode::Client, load }
    };
    vec![
        client("client-send-20B", Direction::Send, 20, 200_000),
        client("client-send-1KiB", Direction::Send, 1024, 200_000),
        client("client-receive-20B", Direction::Receive, 20, 1_920_000),
        client("client-receive-1KiB", Direction::Receive, 1024, 640_000),
    ]
}

impl Extent {
    /// Returns what belongs to it.
    pub(crate) fn of<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

impl Workload {
    /// Returns how many sockets it holds open at once.
    #[must_use]
    pub fn connections(&self) -> usize {
        match self.load {
            Load::Client(_) => 1,
            Load::Echo(echo) => echo.connections,
            Load::FanOut(fan_out) => fan_out.subscribers + 1,
            Load::Idle(idle) => idle.connections,
            Load::Latency(latency) => latency.connections,
            Load::Openings(openings) => openings.together,
            Load::Talk(talk) => talk.connections,
        }
    }

    /// Tells whether it counts messages or openings at the server's own pace, and so looks the same however slowly somebody
    /// who looks on makes the server run.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        match self.load {
            Load::Client(_)
            | Load::Echo(_)
            | Load::FanOut(_)
            | Load::Openings(_)
            | Load::Talk(_) => true,
            Load::Idle(_) | Load::Latency(_) => false,
        }
    }

    /// Tells whether it has a part in which messages or openings are counted.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.is_steady() || matches!(self.load, Load::Latency(_))
    }

    /// Puts the workload on a server that nobody else uses.
    ///
    /// # Errors
    /// Fails when the server does not answer, answers with other bytes, or needs more than two minutes.
    pub fn measure(&self, target: &Target) -> anyhow::Result<Sample> {
        let deadline = Deadline::after(Duration::from_secs(120));
        match self.load {
            Load::Client(client) => client.run(target, deadline),
            Load::Echo(echo) => echo.run(target, deadline),
            Load::FanOut(fan_out) => fan_out.run(target, deadline),
            Load::Idle(idle) => idle.run(target, deadline),
            Load::Latency(latency) => latency.run(target, deadline),
            Load::Openings(openings) => openings.run(target, deadline),
            Load::Talk(talk) => talk.run(target, deadline),
        }
    }
}
