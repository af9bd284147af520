//! Which curves there are, through which points they go, and how one point of one server is measured. Names and an extent in,
//! samples out.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::curve::Chart;
use crate::compare::{
    Contender, Extent, GENERATOR_CORE, Mode, Placed, Program, Programs, SERVER_CORE, Scale, Side,
    contenders, pinned,
};
use crate::load::{Deadline, Echo, FanOut, Sample};

/// One thing that grows, and what becomes dearer with it.
#[derive(Debug)]
pub struct Plan {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What grows.
    pub across: &'static str,
    /// The points, from the least.
    pub points: Vec<Point>,
    /// Who is measured, the floor first.
    pub series: Vec<Series>,
    /// The pictures that come of it; each measurement gives one sample for each.
    pub charts: Vec<Chart>,
    /// How often each point is measured, unless that is said.
    pub rounds: u32,
    job: Job,
    extent: Extent,
}

/// One point of all curves of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Where it lies across.
    pub at: u64,
    /// How many sockets are open at once.
    pub sockets: u64,
}

/// Whose curve it is.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// What tables call it.
    pub name: &'static str,
    /// Its colour.
    pub side: Side,
    who: Who,
}

#[derive(Debug, Clone, Copy)]
enum Who {
    /// A contender of this name, started for a mode.
    Server(&'static str, Mode),
    /// The program `in_memory`, told to serve with this.
    InMemory(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Job {
    /// As many connections as the point says.
    Connections,
    /// Messages of as many bytes.
    Bytes,
    /// As many subscribers.
    Subscribers,
    /// The same in memory.
    SubscribersInMemory,
    /// As many workers, with so many messages in flight.
    Workers { depth: usize },
    /// As many connections in memory, that are kept alive.
    InMemory,
}

/// Returns every plan at the given extent, with all servers that it is for.
#[must_use]
pub fn plans(extent: Extent) -> Vec<Plan> {
    let mut all = vec![connections(extent), sizes(extent), fan_out(extent)];
    all.push(fan_out_in_memory(extent));
    all.extend(
        [("workers", 1), ("workers-16", 16)].map(|(name, depth)| workers(extent, name, depth)),
    );
    all.push(in_memory(extent));
    all
}

fn connections(extent: Extent) -> Plan {
    let all = [10, 32, 100, 320, 1_000, 3_200, 10_000, 19_000];
    let points = extent.points(&all, &[10, 300]).map(|at| Point { at, sockets: at });
    let chart = Chart {
        name: "connections",
        title: "What a message costs among many connections (20 B, one in flight on each)",
        unit: "µs per message",
        up: Scale::Linear,
    };
    Plan {
        name: "connections",
        across: "connections",
        points: points.collect(),
        series: echoing(Mode::Echo),
        charts: vec![chart],
        rounds: 2,
        job: Job::Connections,
        extent,
    }
}

fn sizes(extent: Extent) -> Plan {
    // The last is 64 MiB.
    let all = [
        1, 3, 10, 32, 100, 320, 1_000, 3_200, 10_000, 32_000, 100_000, 320_000, 1_000_000,
        3_200_000, 10_000_000, 32_000_000, BYTES_MAX,
    ];
    let quick = [1, 100_000, 20_000_000];
    let points = extent.points(&all, &quick).map(|at| Point { at, sockets: CONNECTIONS as u64 });
    let chart = Chart {
        name: "sizes",
        title: "What a message costs by its size (4 connections, one in flight on each)",
        unit: "µs per message",
        up: Scale::Logarithmic,
    };
    Plan {
        name: "sizes",
        across: "bytes of each message",
        points: points.collect(),
        series: echoing(Mode::Large),
        charts: vec![chart],
        rounds: 2,
        job: Job::Bytes,
        extent,
    }
}

fn fan_out(extent: Extent) -> Plan {
    let all = [10, 32, 100, 320, 1_000, 3_200, 10_000, 19_000];
    let points = extent.points(&all, &[10, 300]).map(|at| Point { at, sockets: at + 1 });
    let server = |name, side| Series { name, side, who: Who::Server(name, Mode::FanOut) };
    let chart = Chart {
        name: "fanout",
        title: "What the delivery of a message to one of many subscribers costs (64 B)",
        unit: "µs per delivery",
        up: Scale::Linear,
    };
    Plan {
        name: "fanout",
        across: "subscribers",
        points: points.collect(),
        series: vec![
            server("ideal", Side::Floor),
            server("duplexer", Side::Ours),
            server("uwebsockets", Side::Rival),
        ],
        charts: vec![chart],
        rounds: 2,
        job: Job::Subscribers,
        extent,
    }
}

fn fan_out_in_memory(extent: Extent) -> Plan {
    let all = [10, 32, 100, 320, 1_000, 3_200, 10_000, 32_000, 100_000];
    let points = extent.points(&all, &[10, 1_000]).map(|at| Point { at, sockets: 0 });
    let chart = Chart {
        name: "fanout-in-memory",
        title: "The same without sockets, over transports in memory",
        unit: "µs per delivery",
        up: Scale::Linear,
    };
    Plan {
        name: "fanout-in-memory",
        across: "subscribers",
        points: points.collect(),
        series: vec![in_process("ideal", Side::Floor), in_process("duplexer", Side::Ours)],
        charts: vec![chart],
        rounds: 2,
        job: Job::SubscribersInMemory,
        extent,
    }
}

fn workers(extent: Extent, name: &'static str, depth: usize) -> Plan {
    let title = match depth {
        1 => "What a message costs by the runtime's workers (100 × 20 B, one in flight)",
        _ => "What a message costs by the runtime's workers (100 × 20 B, 16 in flight)",
    };
    let points = worker_counts().into_iter().map(|at| Point { at, sockets: 100 });
    let server = |name, side| Series { name, side, who: Who::Server(name, Mode::Workers) };
    Plan {
        name,
        across: "workers of a multi-thread runtime",
        points: points.collect(),
        series: vec![
            server("ideal", Side::Floor),
            server("duplexer", Side::Ours),
            server("fastwebsockets", Side::Rival),
        ],
        charts: vec![Chart { name, title, unit: "µs per message", up: Scale::Linear }],
        rounds: 2,
        job: Job::Workers { depth },
        extent,
    }
}

fn in_memory(extent: Extent) -> Plan {
    let all = [10_000, 32_000, 100_000, 320_000, 1_000_000];
    let points = extent.points(&all, &[10_000]).map(|at| Point { at, sockets: 0 });
    let chart = |name, title, unit| Chart { name, title, unit, up: Scale::Linear };
    Plan {
        name: "million",
        across: "connections in memory",
        points: points.collect(),
        series: vec![
            in_process("ideal", Side::Floor),
            in_process("none", Side::Floor),
            in_process("duplexer", Side::Ours),
        ],
        charts: vec![
            chart(
                "million-bytes",
                "What a connection in memory weighs after two keepalive rounds",
                "resident bytes per connection",
            ),
            chart(
                "million-round",
                "What a keepalive round costs: timer, ping and pong",
                "µs per connection and round",
            ),
            chart(
                "million-opening",
                "What opening and one echo cost, in memory",
                "µs per connection",
            ),
            chart("million-closing", "What closing costs, in memory", "µs per connection"),
            chart("million-opening-time", "How long opening all of them takes", "s"),
            chart("million-closing-time", "How long closing all of them takes", "s"),
        ],
        rounds: 1,
        job: Job::InMemory,
        extent,
    }
}

/// The floor, ours and the rivals that the other figures say are best.
fn echoing(mode: Mode) -> Vec<Series> {
    let server = |name, side| Series { name, side, who: Who::Server(name, mode) };
    vec![
        server("ideal", Side::Floor),
        server("duplexer", Side::Ours),
        server("fastwebsockets", Side::Rival),
        server("uwebsockets", Side::Rival),
    ]
}

const fn in_process(name: &'static str, side: Side) -> Series {
    Series { name, side, who: Who::InMemory(name) }
}

/// One and two, and more on a machine that has cores for them beside the generator's.
fn worker_counts() -> Vec<u64> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    (0..6).map(|power| 1 << power).filter(|count| *count <= 2 || *count < cores).collect()
}

impl Plan {
    /// Measures one server at one point; returns a sample for each chart, `None` where there is none to be had.
    ///
    /// # Errors
    /// Fails when the server does not start, answers wrongly, or needs more than four minutes.
    pub fn measure(
        &self,
        series: &Series,
        point: Point,
        programs: &Programs,
    ) -> anyhow::Result<Vec<Option<Sample>>> {
        match series.who {
            Who::Server(name, mode) => {
                let contenders = contenders();
                let server = contenders.iter().find(|it| it.name == name);
                let server = server.with_context(|| format!("there is no server {name}"))?;
                let sample = self.load(server, mode, point, programs)?;
                Ok(vec![Some(sample)])
            }
            Who::InMemory(what) => self.run_in_memory(what, point, programs),
        }
    }

    fn load(
        &self,
        server: &Contender,
        mode: Mode,
        point: Point,
        programs: &Programs,
    ) -> anyhow::Result<Sample> {
        let (at, check_all) = (usize::try_from(point.at)?, self.extent == Extent::Quick);
        let deadline = Deadline::after(Duration::from_secs(120));
        let echo = |connections, payload_bytes, depth, messages| Echo {
            connections,
            payload_bytes,
            depth,
            messages: self.extent.of(messages, (messages / 20).max(connections)),
            tls: false,
            check_all,
        };
        match self.job {
            Job::Connections => {
                let running = server.start(programs, mode)?;
                echo(at, 20, 1, (at * 5).max(80_000)).run(&running.target, deadline)
            }
            Job::Bytes => {
                let running = server.start(programs, mode)?;
                let messages = (BYTES_IN_ALL / at).clamp(CONNECTIONS * 3, 80_000);
                echo(CONNECTIONS, at, 1, messages).run(&running.target, deadline)
            }
            Job::Workers { depth } => {
                let placed = Placed { cores: cores_for(point.at), workers: Some(point.at) };
                let running = server.start_placed(programs, mode, &placed)?;
                echo(100, 20, depth, if depth == 1 { 100_000 } else { 400_000 })
                    .run(&running.target, deadline)
            }
            Job::Subscribers => {
                let running = server.start(programs, mode)?;
                let rounds = (DELIVERIES / at).clamp(10, 10_000);
                let rounds = self.extent.of(rounds, 10);
                FanOut { subscribers: at, payload_bytes: 64, together: 1, rounds, check_all }
                    .run(&running.target, deadline)
            }
            Job::SubscribersInMemory | Job::InMemory => anyhow::bail!("no socket leads there"),
        }
    }

    fn run_in_memory(
        &self,
        what: &str,
        point: Point,
        programs: &Programs,
    ) -> anyhow::Result<Vec<Option<Sample>>> {
        let program = Program::Built("in_memory");
        let mut command = programs.command(program).map_err(anyhow::Error::msg)?;
        command.args(["--server", what]);
        let (count, keys): (_, &[&str]) = match self.job {
            Job::SubscribersInMemory => {
                let rounds = (10 * DELIVERIES as u64 / point.at).clamp(10, 20_000);
                let rounds = self.extent.of(rounds, 10).to_string();
                command.args(["fan-out", "--rounds", &rounds]);
                ("--subscribers", &["delivery_us"])
            }
            Job::InMemory => {
                command.arg("idle");
                ("--connections", &IN_MEMORY_KEYS)
            }
            Job::Connections | Job::Bytes | Job::Subscribers | Job::Workers { .. } => {
                anyhow::bail!("this is not done in memory")
            }
        };
        let found = output(command.args([count, &point.at.to_string()]))?;
        Ok(keys.iter().map(|key| found[*key].as_f64().map(Sample::of)).collect())
    }

    /// Tells whether server and generator share cores, so that each waits for the other and no sample is calm.
    #[must_use]
    pub fn is_crowded(&self, point: Point) -> bool {
        matches!(self.job, Job::Workers { .. }) && cores_for(point.at).contains(&GENERATOR_CORE)
    }
}

impl Series {
    /// Returns why it cannot be measured, where what runs it was not given.
    #[must_use]
    pub fn missing(&self, programs: &Programs) -> Option<&'static str> {
        match self.who {
            Who::Server(name, _) => {
                contenders().iter().find(|it| it.name == name)?.missing(programs)
            }
            Who::InMemory(_) => None,
        }
    }
}

impl Extent {
    fn points(self, full: &[u64], quick: &[u64]) -> impl Iterator<Item = u64> {
        self.of(full, quick).to_vec().into_iter()
    }
}

/// Runs a program on the server's core and reads the JSON that it prints.
fn output(command: &mut Command) -> anyhow::Result<Value> {
    let program = command.get_program().display().to_string();
    let output = pinned(&[SERVER_CORE], || command.output())?;
    let output = output.with_context(|| format!("starting {program}"))?;
    let faults = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} failed ({}): {faults}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{program} prints no JSON"))
}

/// The server's core for one worker. For more of them so many beside the generator's, as far as there are: on a machine of two
/// cores, both.
fn cores_for(workers: u64) -> Vec<usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = usize::try_from(workers).unwrap_or(usize::MAX);
    let others: Vec<_> = (0..cores).filter(|core| *core != GENERATOR_CORE).take(workers).collect();
    if others.len() >= workers { others } else { (0..cores).collect() }
}

/// What `in_memory idle` prints, in the order of the charts.
const IN_MEMORY_KEYS: [&str; 6] =
    ["resident_bytes", "round_us", "opening_us", "closing_us", "opening_s", "closing_s"];
/// So many connections say messages of growing size.
const CONNECTIONS: usize = 4;
const BYTES_MAX: u64 = 64 << 20;
/// So many bytes are echoed at one point, or a little more.
const BYTES_IN_ALL: usize = 256 << 20;
/// So many deliveries make a point.
const DELIVERIES: usize = 200_000;
