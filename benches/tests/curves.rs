//! The curves judged: every plan gives samples for each of its charts, and what is served in memory is counted to the last one.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::Context as _;
use duplexer_benches::compare::{Extent, Programs, Side};
use duplexer_benches::curves::plans;
use serde_json::Value;

#[test]
fn every_plan_gives_a_sample_for_each_of_its_charts() -> anyhow::Result<()> {
    let programs = Programs::built_in(
        Path::new(env!("CARGO_BIN_EXE_in_memory")).parent().expect("a program lies in a folder"),
    );
    for plan in plans(Extent::Quick, 2) {
        // The least; a point of each server is measured by `cargo xtask bench --quick`.
        let point = plan.points[0];
        for series in plan.series.iter().filter(|it| it.side == Side::Floor) {
            let samples = plan.measure(series, point, &programs);
            let samples = samples.with_context(|| format!("{}, {}", plan.name, series.name))?;
            assert_eq!(samples.len(), plan.charts.len(), "{}", plan.name);
            let found: Vec<f64> = samples.iter().flatten().map(|it| it.figure).collect();
            assert!(!found.is_empty() && found.iter().all(|it| *it > 0.0), "{found:?}");
            // The transport that is only there is weighed, and no more; of timers a round is measured as well.
            let measured = match series.name {
                "none" => 1,
                "timer" => 2,
                _ => samples.len(),
            };
            assert_eq!(found.len(), measured, "{}, {}: {found:?}", plan.name, series.name);
        }
    }
    Ok(())
}

#[test]
fn points_of_full_curves_are_spaced_by_about_the_root_of_ten() {
    for plan in plans(Extent::Full, 2).iter().filter(|it| !it.name.starts_with("workers")) {
        for pair in plan.points.windows(2) {
            let step = pair[1] as f64 / pair[0] as f64;
            assert!((1.8..3.5).contains(&step), "{}: {pair:?}", plan.name);
        }
    }
    let last = |name: &str| {
        let plans = plans(Extent::Full, 2);
        plans.iter().find(|it| it.name == name).and_then(|it| it.points.last().copied())
    };
    for (name, end) in [
        ("connections", 19_000),
        ("sizes", 64 << 20),
        ("fanout-in-memory", 100_000),
        ("million", 1_000_000),
    ] {
        assert_eq!(last(name), Some(end), "{name}");
    }
}

#[test]
fn connections_in_memory_weigh_more_the_more_serves_them() -> anyhow::Result<()> {
    let weigh = |server| {
        let idle = ["idle", "--connections", "2000", "--interval-ms", "100"];
        Ok::<_, anyhow::Error>(found(&in_memory(server, &idle)?)?["resident_bytes"].clone())
    };
    let [none, floor, ours] = [weigh("none")?, weigh("ideal")?, weigh("duplexer")?];
    let bytes = [none.as_f64(), floor.as_f64(), ours.as_f64()];
    assert!(bytes[0] > Some(0.0) && bytes.is_sorted(), "{bytes:?}");
    Ok(())
}

#[test]
fn every_subscriber_in_memory_hears_every_message() -> anyhow::Result<()> {
    // The program itself waits until each has heard each.
    for server in ["ideal", "duplexer"] {
        let output = in_memory(server, &["fan-out", "--subscribers", "500", "--rounds", "5"])?;
        let found = found(&output)?;
        assert!(found["delivery_us"].as_f64() > Some(0.0), "{server}: {found}");
    }
    Ok(())
}

#[test]
fn a_process_that_asks_for_more_memory_than_it_may_have_ends() -> anyhow::Result<()> {
    let job = ["idle", "--connections", "100000000"];
    let output = in_memory("none", &[&["--memory-max-mib", "200"][..], &job].concat())?;
    let fault = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && fault.contains("memory allocation"), "{fault}");
    Ok(())
}

fn in_memory(server: &str, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_in_memory"));
    Ok(command.args(["--server", server]).args(arguments).output()?)
}

fn found(output: &Output) -> anyhow::Result<Value> {
    let faults = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| format!("it printed no JSON: {faults}"))
}
