//! Runs every server under every workload, round by round, and prints and stores what it cost. `cargo xtask bench` builds
//! the programs and calls this one.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::compare::{
    Contender, Extent, Figures, GENERATOR_CORE, Machine, Outcome, Programs, Workload, contenders,
    workloads,
};
use duplexer_benches::load::{Sample, pin_to, raise_file_limit};
use serde_json::json;

/// Measure servers side by side
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// Where the figures go as JSON
    #[arg(long)]
    json: PathBuf,
    /// Prove that every server answers rightly, and judge no times
    #[arg(long)]
    quick: bool,
    /// Only these workloads
    #[arg(long, value_delimiter = ',', value_name = "WORKLOAD,...")]
    only: Vec<String>,
    /// Only these servers, beside `ideal`
    #[arg(long, value_delimiter = ',', value_name = "SERVER,...")]
    server: Vec<String>,
    /// How often each server is measured under each workload
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 3 });
    let extent = if arguments.quick { Extent::Quick } else { Extent::Full };
    let mut servers = chosen_servers(&arguments.server)?;
    let workloads = chosen_workloads(extent, &arguments.only)?;
    let machine = Machine::read();
    anyhow::ensure!(
        machine.cores >= 2,
        "one core for the server and one for the generator are needed"
    );
    // A server needs as many, and inherits the limit.
    let sockets = workloads.iter().map(Workload::connections).max().unwrap_or(0);
    raise_file_limit(sockets as u64 + 256)?;
    pin_to(GENERATOR_CORE)?;

    println!("{}, Linux {}, {rounds} rounds\n", machine.processor, machine.kernel);
    let uwebsockets = arguments.programs.uwebsockets_version.as_deref();
    servers.retain(|server| match server.missing(&arguments.programs) {
        None => {
            let library = server.library.described(uwebsockets);
            println!("  {:24}{library}, {}", server.name, server.manner);
            true
        }
        Some(reason) => {
            println!("  {:24}left out: {reason}", server.name);
            false
        }
    });
    println!();
    let (mut report, mut failures) = (Vec::new(), 0);
    for workload in &workloads {
        let (figures, failed) = compare(workload, &servers, &arguments, rounds);
        failures += failed;
        println!("{figures}");
        report.push(figures.to_json());
    }
    let report = json!({
        "processor": machine.processor,
        "kernel": machine.kernel,
        "quick": arguments.quick,
        "workloads": report,
    });
    fs::write(&arguments.json, format!("{report:#}\n"))
        .with_context(|| format!("writing {}", arguments.json.display()))?;
    println!("{}", arguments.json.display());
    anyhow::ensure!(failures == 0, "{failures} measurements failed: see above");
    Ok(())
}

fn chosen_servers(names: &[String]) -> anyhow::Result<Vec<Contender>> {
    let mut servers = contenders();
    for name in names {
        let known: Vec<_> = servers.iter().map(|it| it.name).collect();
        anyhow::ensure!(known.contains(&name.as_str()), "no server {name:?}; there are {known:?}");
    }
    if !names.is_empty() {
        servers.retain(|it| it.name == "ideal" || names.iter().any(|name| name == it.name));
    }
    Ok(servers)
}

fn chosen_workloads(extent: Extent, names: &[String]) -> anyhow::Result<Vec<Workload>> {
    let mut workloads = workloads(extent);
    for name in names {
        let known: Vec<_> = workloads.iter().map(|it| it.name).collect();
        anyhow::ensure!(
            known.contains(&name.as_str()),
            "no workload {name:?}; there are {known:?}"
        );
    }
    if !names.is_empty() {
        workloads.retain(|it| names.iter().any(|name| name == it.name));
    } else if extent == Extent::Quick {
        workloads.retain(|it| it.is_quick);
    }
    Ok(workloads)
}

/// Measures every server once in each round, so that all share what the machine does meanwhile; returns the failures' number.
fn compare(
    workload: &Workload,
    servers: &[Contender],
    arguments: &Arguments,
    rounds: u32,
) -> (Figures, usize) {
    let mut failures = 0;
    let outcome = |it: &Contender| Outcome { server: it.name, rounds: Vec::new() };
    let mut outcomes: Vec<Outcome> = servers.iter().map(outcome).collect();
    for round in 1..=rounds {
        for (server, outcome) in servers.iter().zip(&mut outcomes) {
            let sample = calm_sample(workload, server, arguments);
            if let Err(error) = &sample {
                failures += 1;
                eprintln!("{}, {}, round {round}: {error:#}", workload.name, server.name);
            }
            outcome.rounds.push(sample.ok());
        }
    }
    (Figures { workload: workload.name, unit: workload.unit, servers: outcomes }, failures)
}

/// Measures once, and again while other programs took the cores away; returns the sample that waited least.
fn calm_sample(
    workload: &Workload,
    server: &Contender,
    arguments: &Arguments,
) -> anyhow::Result<Sample> {
    let mut calmest: Option<Sample> = None;
    for _ in 0..if arguments.quick { 1 } else { ATTEMPTS_MAX } {
        let running = server.start(&arguments.programs, &[])?;
        let sample = workload.measure(&running.target)?;
        let waited = |it: Sample| it.waited.unwrap_or(0.0);
        if calmest.is_none_or(|calmest| waited(sample) < waited(calmest)) {
            calmest = Some(sample);
        }
        if waited(sample) < WAITED_MAX {
            break;
        }
    }
    calmest.context("nothing was measured")
}

/// A sample is taken again when one side waited longer for its core than this share of the time.
const WAITED_MAX: f64 = 0.03;
const ATTEMPTS_MAX: usize = 4;
