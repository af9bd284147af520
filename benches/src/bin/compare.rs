//! Runs every server under every workload, round by round, and prints and stores what it cost. `cargo xtask bench` builds
//! the programs and calls this one.

use clap::Parser as _;
use duplexer_benches::compare::{
    Choice, Contender, Figures, GENERATOR_CORE, Kept, Machine, Outcome, Report, Workload, calmest,
    contenders, hear_again,
};
use duplexer_benches::load::{Sample, pin_to, raise_file_limit};

/// Measure servers side by side
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// What the programs were compiled with, for the record
    #[arg(long, value_name = "TEXT")]
    compiler: Option<String>,
    /// How often each server is measured under each workload
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Go on although this rival measures worse than is kept of it, for this reason
    #[arg(long, value_name = "SERVER=REASON", value_parser = explanation)]
    allow: Vec<(String, String)>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let choice = &arguments.choice;
    let rounds = arguments.rounds.unwrap_or(if choice.quick { 1 } else { 3 });
    let (servers, left_out) = choice.servers()?;
    let mut workloads = choice.workloads(choice.extent())?;
    if choice.quick && choice.only.is_empty() {
        workloads.retain(|it| it.is_quick);
    }
    let machine = Machine::read();
    machine.ensure_two_cores()?;
    // A server needs as many, and inherits the limit.
    let sockets = workloads.iter().map(Workload::connections).max().unwrap_or(0);
    raise_file_limit(sockets as u64 + 256)?;
    pin_to(GENERATOR_CORE)?;

    let mut report = Report {
        machine,
        compiler: arguments.compiler.clone(),
        rounds,
        is_quick: choice.quick,
        servers,
        left_out,
        programs: choice.programs.clone(),
        figures: Vec::new(),
        explained: Vec::new(),
    };
    announce(&report);
    let folder = choice.folder(&report.machine);
    let measured = measure(&mut report, &workloads, &arguments);
    // What was measured before a fault is kept as well.
    report.write(&folder)?;
    println!("{}", folder.display());
    measured
}

/// Puts every workload on every server; stops at a rival that measures worse than is kept of it and that nobody explains.
fn measure(
    report: &mut Report,
    workloads: &[Workload],
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let (kept, mut failures) = (Kept::read()?, 0);
    for workload in workloads {
        let (mut figures, failed) = compare(workload, &report.servers, arguments, report.rounds);
        failures += failed;
        println!("{figures}");
        let worse = if arguments.choice.quick { Vec::new() } else { kept.worse(&figures) };
        let mut unexplained = Vec::new();
        for worse in worse {
            match arguments.allow.iter().find(|(name, _)| name == worse.server) {
                Some((_, reason)) => report.explained.push((worse, reason.clone())),
                None => unexplained.push(worse),
            }
        }
        if !unexplained.is_empty() {
            unexplained = hear_again(&kept, &mut figures, unexplained, |name| {
                println!("{}, {name}: measured again", workload.name);
                let server = report.servers.iter().find(|it| it.name == name)?;
                calm_sample(workload, server, arguments).ok()
            });
            println!("{figures}");
        }
        report.figures.push(figures);
        let unexplained: Vec<_> = unexplained.iter().map(ToString::to_string).collect();
        anyhow::ensure!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    }
    anyhow::ensure!(failures == 0, "{failures} measurements failed: see above");
    Ok(())
}

/// Reads `SERVER=REASON`.
fn explanation(text: &str) -> Result<(String, String), String> {
    let (server, reason) = text.split_once('=').ok_or("write SERVER=REASON")?;
    let known = contenders().iter().any(|it| it.name == server && it.is_rival());
    if !known {
        return Err(format!("no rival is called {server:?}"));
    }
    if reason.trim().is_empty() {
        return Err("a reason is needed".to_owned());
    }
    Ok((server.to_owned(), reason.trim().to_owned()))
}

fn announce(report: &Report) {
    let Report { machine, rounds, programs, .. } = report;
    println!("{machine}, {rounds} rounds\n");
    for server in &report.servers {
        let library = server.library.described(programs.uwebsockets_version.as_deref());
        println!("  {:24}{library}, {}", server.name, server.manner);
    }
    for (name, reason) in &report.left_out {
        println!("  {name:24}left out: {reason}");
    }
    println!();
}

/// Measures every server that knows the workload's mode once in each round, so that all share what the machine does meanwhile; returns the failures' number.
fn compare(
    workload: &Workload,
    servers: &[Contender],
    arguments: &Arguments,
    rounds: u32,
) -> (Figures, usize) {
    let mut failures = 0;
    let outcome = |it: &Contender| Outcome { server: it.name, rounds: Vec::new() };
    let able = || servers.iter().filter(|it| it.knows(workload.mode));
    let mut outcomes: Vec<Outcome> = able().map(outcome).collect();
    for round in 1..=rounds {
        for (server, outcome) in able().zip(&mut outcomes) {
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
    let attempts_max = if arguments.choice.quick { 1 } else { ATTEMPTS_MAX };
    let measure = || {
        let running = server.start(&arguments.choice.programs, workload.mode)?;
        workload.measure(&running.target)
    };
    calmest(attempts_max, measure, |sample| sample.waited.unwrap_or(0.0))
}

const ATTEMPTS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::explanation;

    #[test]
    fn an_explanation_names_a_rival_and_a_reason() {
        let expected = ("yawc".to_owned(), "its = default changed".to_owned());
        assert_eq!(explanation("yawc= its = default changed "), Ok(expected));
        for (refused, fault) in [
            ("yawc", "write SERVER=REASON"),
            ("yawc= ", "a reason is needed"),
            ("duplexer=slow", "no rival is called \"duplexer\""),
            ("ideal=slow", "no rival is called \"ideal\""),
        ] {
            assert_eq!(explanation(refused), Err(fault.to_owned()));
        }
    }
}
