//! Measures how cost grows, point by point, and prints and stores it. `cargo xtask bench --curves` builds the programs and calls
//! this one.

use clap::Parser as _;
use duplexer_benches::compare::{Choice, Figures, GENERATOR_CORE, Machine, Outcome, calmest};
use duplexer_benches::curves::{Curve, CurvesReport, Plan, Series, plans};
use duplexer_benches::load::{Sample, pin_to, raise_file_limit};

/// Measure how cost grows
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// What the programs were compiled with, for the record
    #[arg(long, value_name = "TEXT")]
    compiler: Option<String>,
    /// How often each point is measured
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let choice = &arguments.choice;
    let machine = Machine::read();
    machine.ensure_two_cores()?;
    let folder = choice.folder(&machine);
    let plans = choice.chosen("curve", plans(choice.extent(), machine.cores), |it| it.name)?;
    pin_to(GENERATOR_CORE)?;
    let mut report = CurvesReport {
        machine,
        compiler: arguments.compiler.clone(),
        is_quick: choice.quick,
        curves: Vec::new(),
        left_out: Vec::new(),
    };
    let mut failures = 0;
    for plan in plans {
        failures += measure(plan, &arguments, &mut report)?;
    }
    report.write(&folder)?;
    for (name, reason) in &report.left_out {
        println!("{name}: left out, since {reason}");
    }
    println!("{}", folder.display());
    anyhow::ensure!(failures == 0, "{failures} measurements failed: see above");
    Ok(())
}

/// Measures all points of a plan; returns the failures' number.
fn measure(
    mut plan: Plan,
    arguments: &Arguments,
    report: &mut CurvesReport,
) -> anyhow::Result<usize> {
    let choice = &arguments.choice;
    let mut series = std::mem::take(&mut plan.series);
    series.retain(|it| match plan.missing(it, &choice.programs) {
        _ if !choice.has_server(it.name) => false,
        None => true,
        Some(reason) => {
            report.left_out.push((format!("{}, {}", plan.name, it.name), reason.to_owned()));
            false
        }
    });
    plan.series = series;

    let mut curves: Vec<_> = plan
        .charts
        .iter()
        .map(|chart| Curve {
            chart: *chart,
            across: plan.across,
            series: plan.series.clone(),
            points: Vec::new(),
        })
        .collect();
    let rounds = arguments.rounds.unwrap_or(if choice.quick { 1 } else { plan.rounds });
    let mut failures = 0;
    for at in plan.points.iter().copied() {
        // A server needs as many files, and inherits the limit.
        if let Err(error) = raise_file_limit(plan.sockets(at) + 256) {
            report.left_out.push((format!("{at} of {}", plan.name), format!("{error:#}")));
            continue;
        }
        let figures = plan.charts.iter().map(|chart| Figures {
            workload: chart.name,
            unit: chart.unit,
            servers: plan
                .series
                .iter()
                .map(|it| Outcome { server: it.name, rounds: Vec::new() })
                .collect(),
        });
        let mut figures: Vec<_> = figures.collect();
        for _ in 0..rounds {
            for (index, series) in plan.series.iter().enumerate() {
                let samples = sample(&plan, series, at, choice).unwrap_or_else(|error| {
                    failures += 1;
                    eprintln!("{} at {at}, {}: {error:#}", plan.name, series.name);
                    Vec::new()
                });
                for (chart, figures) in figures.iter_mut().enumerate() {
                    figures.servers[index].rounds.push(samples.get(chart).copied().flatten());
                }
            }
        }
        println!("{} at {at}", plan.name);
        for (curve, figures) in curves.iter_mut().zip(figures) {
            curve.points.push((at, figures));
        }
    }
    for curve in curves {
        println!("{}, {}\n{}", curve.chart.name, curve.chart.unit, curve.to_markdown());
        report.curves.push(curve);
    }
    Ok(failures)
}

/// Measures once, and again while other programs took the cores away.
fn sample(
    plan: &Plan,
    series: &Series,
    at: u64,
    choice: &Choice,
) -> anyhow::Result<Vec<Option<Sample>>> {
    let once = choice.quick || plan.is_crowded(at);
    calmest(
        if once { 1 } else { ATTEMPTS_MAX },
        || plan.measure(series, at, &choice.programs),
        |samples| samples.iter().flatten().filter_map(|it| it.waited).fold(0.0, f64::max),
    )
}

const ATTEMPTS_MAX: usize = 2;
