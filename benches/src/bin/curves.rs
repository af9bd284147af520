//! Measures how cost grows, point by point, and prints and stores it. `cargo xtask bench --curves` builds the programs and calls
//! this one.

use std::path::PathBuf;

use clap::Parser as _;
use duplexer_benches::compare::{
    Extent, Figures, GENERATOR_CORE, Machine, Outcome, Programs, calmest,
};
use duplexer_benches::curves::{Curve, CurvesReport, Plan, Series, plans};
use duplexer_benches::load::{Sample, pin_to, raise_file_limit};

/// Measure how cost grows
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// Where the figures go: JSON, tables, a picture for each curve
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// Put them into a folder of that folder, named by day and processor
    #[arg(long)]
    dated: bool,
    /// What the programs were compiled with, for the record
    #[arg(long, value_name = "TEXT")]
    compiler: Option<String>,
    /// Measure few points, and judge no times
    #[arg(long)]
    quick: bool,
    /// Only these curves
    #[arg(long, value_delimiter = ',', value_name = "CURVE,...")]
    only: Vec<String>,
    /// Only these servers, beside `ideal`
    #[arg(long, value_delimiter = ',', value_name = "SERVER,...")]
    server: Vec<String>,
    /// How often each point is measured
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let extent = if arguments.quick { Extent::Quick } else { Extent::Full };
    let machine = Machine::read();
    anyhow::ensure!(
        machine.cores >= 2,
        "one core for the server and one for the generator are needed"
    );
    let folder = match arguments.dated {
        true => machine.folder(&arguments.results),
        false => arguments.results.clone(),
    };
    pin_to(GENERATOR_CORE)?;
    let mut report = CurvesReport {
        machine,
        compiler: arguments.compiler.clone(),
        is_quick: arguments.quick,
        curves: Vec::new(),
        left_out: Vec::new(),
    };
    let mut failures = 0;
    for plan in chosen_plans(extent, &arguments.only)? {
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

fn chosen_plans(extent: Extent, names: &[String]) -> anyhow::Result<Vec<Plan>> {
    let mut plans = plans(extent);
    for name in names {
        let known: Vec<_> = plans.iter().map(|it| it.name).collect();
        anyhow::ensure!(known.contains(&name.as_str()), "no curve {name:?}; there are {known:?}");
    }
    plans.retain(|it| names.is_empty() || names.iter().any(|name| name == it.name));
    Ok(plans)
}

/// Measures all points of a plan; returns the failures' number.
fn measure(
    mut plan: Plan,
    arguments: &Arguments,
    report: &mut CurvesReport,
) -> anyhow::Result<usize> {
    let chosen = |name: &str| {
        let names = &arguments.server;
        names.is_empty() || name == "ideal" || names.iter().any(|it| it == name)
    };
    plan.series.retain(|it| chosen(it.name));
    for series in &plan.series {
        if let Some(reason) = plan.missing(series, &arguments.programs) {
            report.left_out.push((format!("{}, {}", plan.name, series.name), reason.to_owned()));
        }
    }
    let mut series = std::mem::take(&mut plan.series);
    series.retain(|it| plan.missing(it, &arguments.programs).is_none());
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
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { plan.rounds });
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
                let samples = sample(&plan, series, at, arguments).unwrap_or_else(|error| {
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
    arguments: &Arguments,
) -> anyhow::Result<Vec<Option<Sample>>> {
    let once = arguments.quick || plan.is_crowded(at);
    calmest(
        if once { 1 } else { ATTEMPTS_MAX },
        || plan.measure(series, at, &arguments.programs),
        |samples| samples.iter().flatten().filter_map(|it| it.waited).fold(0.0, f64::max),
    )
}

const ATTEMPTS_MAX: usize = 2;
