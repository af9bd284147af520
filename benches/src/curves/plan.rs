//! Which curves there are, through which points they go, and how one point of one server is measured. Names and an extent in,
//! samples out.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::curve::{Chart, Series};
use crate::compare::{
    Extent, GENERATOR_CORE, Mode, Placed, Program, Programs, SERVER_CORE, Scale, Side, contenders,
    pinned,
};
use crate::load::{Deadline, Echo, FanOut, Sample};

/// One thing that grows, and what becomes dearer with it.
#[derive(Debug)]
pub struct Plan {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What grows.
    pub across: &'static str,
    /// Its points: how large that is, from the least.
    pub points: Vec<u64>,
    /// Who is measured, the floor first.
    pub series: Vec<Series>,
    /// The pictures that come of it; each measurement gives one sample for each.
    pub charts: Vec<Chart>,
    /// How often each point is measured, unless that is said.
    pub rounds: u32,
    job: Job,
    extent: Extent,
}

#[derive(Debug, Clone, Copy)]
enum Job {
    /// The contenders of the series' names, started for a mode and put under a load.
    OverSockets(Mode, Load),
    /// The program `in_memory`, which is told to serve with what the series are called.
    InMemory(Task),
}

#[derive(Debug, Clone, Copy)]
enum Load {
    /// As many connections as the point says.
    Connections,
    /// Messages of as many bytes.
    Bytes,
    /// As many subscribers.
    Subscribers,
    /// As many workers, with so many messages in flight, on a machine of so many cores.
    Workers { depth: usize, cores: usize },
}

#[derive(Debug, Clone, Copy)]
enum Task {
    /// As many subscribers.
    FanOut,
    /// As many connections, that are kept alive.
    Idle,
}

/// Returns every plan at the given extent, with all servers that it is for, on a machine of so many `cores`.
#[must_use]
pub fn plans(extent: Extent, cores: usize) -> Vec<Plan> {
    vec![
        connections(extent),
        sizes(extent),
        fan_out(extent),
        fan_out_in_memory(extent),
        workers(extent, cores, "workers", 1),
        workers(extent, cores, "workers-16", 16),
        million(extent),
    ]
}

fn connections(extent: Extent) -> Plan {
    let (name, job) = ("connections", Job::OverSockets(Mode::Echo, Load::Connections));
    let title = "What a message costs among many connections (20 B, one in flight on each)";
    Plan {
        points: extent.of(CROWDS, &[10, 300]).to_vec(),
        series: vec![IDEAL, DUPLEXER, FASTWEBSOCKETS, UWEBSOCKETS],
        charts: vec![chart(name, title, "µs per message")],
        ..Plan::of(name, "connections", job, extent)
    }
}

fn sizes(extent: Extent) -> Plan {
    let (name, job) = ("sizes", Job::OverSockets(Mode::Large, Load::Bytes));
    // The last is 64 MiB.
    let all = [
        1, 3, 10, 32, 100, 320, 1_000, 3_200, 10_000, 32_000, 100_000, 320_000, 1_000_000,
        3_200_000, 10_000_000, 32_000_000, BYTES_MAX,
    ];
    let title = "What a message costs by its size (4 connections, one in flight on each)";
    Plan {
        points: extent.of(&all[..], &[1, 100_000, 20_000_000]).to_vec(),
        series: vec![IDEAL, DUPLEXER, FASTWEBSOCKETS, UWEBSOCKETS],
        charts: vec![Chart { up: Scale::Logarithmic, ..chart(name, title, "µs per message") }],
        ..Plan::of(name, "bytes of each message", job, extent)
    }
}

fn fan_out(extent: Extent) -> Plan {
    let (name, job) = ("fanout", Job::OverSockets(Mode::FanOut, Load::Subscribers));
    let title = "What the delivery of a message to one of many subscribers costs (64 B)";
    Plan {
        points: extent.of(CROWDS, &[10, 300]).to_vec(),
        series: vec![IDEAL, DUPLEXER, UWEBSOCKETS],
        charts: vec![chart(name, title, "µs per delivery")],
        ..Plan::of(name, "subscribers", job, extent)
    }
}

fn fan_out_in_memory(extent: Extent) -> Plan {
    let (name, job) = ("fanout-in-memory", Job::InMemory(Task::FanOut));
    let all = [10, 32, 100, 320, 1_000, 3_200, 10_000, 32_000, 100_000];
    let title = "The same without sockets, over transports in memory";
    Plan {
        points: extent.of(&all[..], &[10, 1_000]).to_vec(),
        series: vec![IDEAL, DUPLEXER],
        charts: vec![chart(name, title, "µs per delivery")],
        ..Plan::of(name, "subscribers", job, extent)
    }
}

fn workers(extent: Extent, cores: usize, name: &'static str, depth: usize) -> Plan {
    let job = Job::OverSockets(Mode::Workers, Load::Workers { depth, cores });
    let title = match depth {
        1 => "What a message costs by the runtime's workers (100 × 20 B, one in flight)",
        _ => "What a message costs by the runtime's workers (100 × 20 B, 16 in flight)",
    };
    Plan {
        points: worker_counts(cores),
        series: vec![IDEAL, DUPLEXER, FASTWEBSOCKETS],
        charts: vec![chart(name, title, "µs per message")],
        ..Plan::of(name, "workers of a multi-thread runtime", job, extent)
    }
}

fn million(extent: Extent) -> Plan {
    let all = [10_000, 32_000, 100_000, 320_000, 1_000_000];
    Plan {
        points: extent.of(&all[..], &[10_000]).to_vec(),
        series: vec![IDEAL, NONE, TIMER, DUPLEXER],
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
        ..Plan::of("million", "connections in memory", Job::InMemory(Task::Idle), extent)
    }
}

const fn chart(name: &'static str, title: &'static str, unit: &'static str) -> Chart {
    Chart { name, title, unit, up: Scale::Linear }
}

/// One and two, and more on a machine that has cores for them beside the generator's.
fn worker_counts(cores: usize) -> Vec<u64> {
    let counts = (0..6).map(|power| 1 << power);
    counts.filter(|count| *count <= 2 || *count < cores as u64).collect()
}

impl Plan {
    /// A plan without points, servers and pictures.
    fn of(name: &'static str, across: &'static str, job: Job, extent: Extent) -> Self {
        let (points, series, charts) = (Vec::new(), Vec::new(), Vec::new());
        Self { name, across, points, series, charts, rounds: 2, job, extent }
    }

    /// Returns how many sockets are open at once at a point.
    #[must_use]
    pub fn sockets(&self, at: u64) -> u64 {
        match self.job {
            Job::OverSockets(_, Load::Connections) => at,
            Job::OverSockets(_, Load::Bytes) => SPEAKERS as u64,
            Job::OverSockets(_, Load::Subscribers) => at + 1,
            Job::OverSockets(_, Load::Workers { .. }) => WORKED_FOR as u64,
            Job::InMemory(_) => 0,
        }
    }

    /// Returns why a series cannot be measured, where what runs it was not given.
    #[must_use]
    pub fn missing(&self, series: &Series, programs: &Programs) -> Option<&'static str> {
        match self.job {
            Job::OverSockets(..) => {
                contenders().iter().find(|it| it.name == series.name)?.missing(programs)
            }
            Job::InMemory(_) => None,
        }
    }

    /// Measures one server at one point; returns a sample for each chart, `None` where there is none to be had.
    ///
    /// # Errors
    /// Fails when the server does not start, answers wrongly, or over sockets needs more than two minutes.
    pub fn measure(
        &self,
        series: &Series,
        at: u64,
        programs: &Programs,
    ) -> anyhow::Result<Vec<Option<Sample>>> {
        match self.job {
            Job::OverSockets(mode, load) => {
                let sample = self.put(load, series.name, mode, at, programs)?;
                Ok(vec![Some(sample)])
            }
            Job::InMemory(task) => self.run_in_memory(task, series.name, at, programs),
        }
    }

    fn put(
        &self,
        load: Load,
        name: &str,
        mode: Mode,
        at: u64,
        programs: &Programs,
    ) -> anyhow::Result<Sample> {
        let contenders = contenders();
        let server = contenders.iter().find(|it| it.name == name);
        let server = server.with_context(|| format!("there is no server {name}"))?;
        let placed = match load {
            Load::Workers { cores, .. } => {
                Placed { cores: cores_for(at, cores), workers: Some(at) }
            }
            Load::Connections | Load::Bytes | Load::Subscribers => Placed::default(),
        };
        let deadline = Deadline::after(Duration::from_secs(120));
        let running = server.start_placed(programs, mode, &placed)?;

        let (at, check_all) = (usize::try_from(at)?, self.extent == Extent::Quick);
        let echo = |connections, payload_bytes, depth, messages: usize| {
            let messages = self.extent.of(messages, (messages / 20).max(connections));
            Echo { connections, payload_bytes, depth, messages, tls: false, check_all }
                .run(&running.target, deadline)
        };
        match load {
            Load::Connections => echo(at, 20, 1, (at * 5).max(80_000)),
            Load::Bytes => {
                let messages = (BYTES_IN_ALL / at).clamp(SPEAKERS * 3, 80_000);
                echo(SPEAKERS, at, 1, messages)
            }
            Load::Workers { depth, .. } => {
                let messages = if depth == 1 { 100_000 } else { 400_000 };
                echo(WORKED_FOR, 20, depth, messages)
            }
            Load::Subscribers => {
                let rounds = (DELIVERIES / at).clamp(5, 5_000);
                let rounds = self.extent.of(rounds, 10);
                FanOut { subscribers: at, payload_bytes: 64, together: 1, rounds, check_all }
                    .run(&running.target, deadline)
            }
        }
    }

    fn run_in_memory(
        &self,
        task: Task,
        server: &str,
        at: u64,
        programs: &Programs,
    ) -> anyhow::Result<Vec<Option<Sample>>> {
        let program = Program::Built("in_memory");
        let mut command = programs.command(program).map_err(anyhow::Error::msg)?;
        command.args(["--server", server]);
        let (count, keys): (_, &[&str]) = match task {
            Task::FanOut => {
                let rounds = (DELIVERIES_IN_MEMORY / at).clamp(10, 20_000);
                let rounds = self.extent.of(rounds, 10).to_string();
                command.args(["fan-out", "--rounds", &rounds]);
                ("--subscribers", &["delivery_us"])
            }
            Task::Idle => {
                command.arg("idle");
                ("--connections", &IN_MEMORY_KEYS)
            }
        };
        let found = output(command.args([count, &at.to_string()]))?;
        Ok(keys.iter().map(|key| found[*key].as_f64().map(Sample::of)).collect())
    }

    /// Tells whether server and generator share cores, so that each waits for the other and no sample is calm.
    #[must_use]
    pub fn is_crowded(&self, at: u64) -> bool {
        match self.job {
            Job::OverSockets(_, Load::Workers { cores, .. }) => {
                cores_for(at, cores).contains(&GENERATOR_CORE)
            }
            Job::OverSockets(_, Load::Connections | Load::Bytes | Load::Subscribers)
            | Job::InMemory(_) => false,
        }
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
fn cores_for(workers: u64, cores: usize) -> Vec<usize> {
    let workers = usize::try_from(workers).unwrap_or(usize::MAX);
    let others: Vec<_> = (0..cores).filter(|core| *core != GENERATOR_CORE).take(workers).collect();
    if others.len() >= workers { others } else { (0..cores).collect() }
}

const IDEAL: Series = Series { name: "ideal", side: Side::Floor };
/// In memory, transports that nobody serves.
const NONE: Series = Series { name: "none", side: Side::Floor };
/// One timer for each connection, and nothing else.
const TIMER: Series = Series { name: "timer", side: Side::Floor };
const DUPLEXER: Series = Series { name: "duplexer", side: Side::Ours };
/// The rivals that the other figures say are best.
const FASTWEBSOCKETS: Series = Series { name: "fastwebsockets", side: Side::Rival };
const UWEBSOCKETS: Series = Series { name: "uwebsockets", side: Side::Rival };
/// Connections, or subscribers, as many as there are ports for.
const CROWDS: &[u64] = &[10, 32, 100, 320, 1_000, 3_200, 10_000, 19_000];
/// What `in_memory idle` prints, in the order of the charts.
const IN_MEMORY_KEYS: [&str; 6] =
    ["resident_bytes", "round_us", "opening_us", "closing_us", "opening_s", "closing_s"];
/// So many connections say messages of growing size.
const SPEAKERS: usize = 4;
/// So many keep the workers busy.
const WORKED_FOR: usize = 100;
const BYTES_MAX: u64 = 64 << 20;
/// So many bytes are echoed at one point, or a little more.
const BYTES_IN_ALL: usize = 256 << 20;
/// So many deliveries over sockets make a point, or a little more.
const DELIVERIES: usize = 100_000;
/// The same in memory, where they are cheaper.
const DELIVERIES_IN_MEMORY: u64 = 2_000_000;

#[cfg(test)]
mod tests {
    use super::{cores_for, plans, worker_counts};
    use crate::compare::{Extent, GENERATOR_CORE, pinned};

    #[test]
    fn each_worker_has_a_core_beside_the_generators_where_there_are_so_many() {
        assert_eq!((cores_for(1, 2), cores_for(2, 2)), (vec![0], vec![0, 1]));
        assert_eq!((cores_for(2, 4), cores_for(4, 8)), (vec![0, 2], vec![0, 2, 3, 4]));
        assert_eq!((worker_counts(2), worker_counts(8)), (vec![1, 2], vec![1, 2, 4]));
    }

    #[test]
    fn a_second_worker_on_two_cores_is_crowded_also_when_the_generator_is_pinned()
    -> anyhow::Result<()> {
        // Who is pinned may use one core, however many the machine has.
        pinned(&[GENERATOR_CORE], || {
            let plans = plans(Extent::Full, 2);
            let workers = plans.iter().filter(|it| it.name.starts_with("workers"));
            for plan in workers {
                assert_eq!(plan.points, [1, 2]);
                assert!(!plan.is_crowded(1) && plan.is_crowded(2), "{}", plan.name);
            }
        })
    }
}
