//! Builds every measured program alike and has them compared: ours, its rivals and the floors. Choices in; a table,
//! JSON and pictures out. The measuring itself is `benches/`; what the figures mean is in `benches/README.md`.

mod network;
mod peers;
mod spent;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::tools::{Step, repository, target_folder};

/// What `cargo xtask bench` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prove that the bench works and that every server answers rightly, and judge no times
    #[arg(long)]
    quick: bool,
    /// Measure how cost grows with connections, sizes, subscribers and workers, instead of the workloads
    #[arg(long, conflicts_with_all = ["allow", "counts", "flames"])]
    curves: bool,
    /// Only these workloads, or curves; an unknown name lists them
    #[arg(long, value_name = "WORKLOAD,...")]
    only: Option<String>,
    /// Only these servers, beside the floor; an unknown name lists them
    #[arg(long, value_name = "SERVER,...")]
    server: Option<String>,
    /// How often each server is measured under each workload [default: 3, quick: 1]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Put the figures into `benches/results`, in a folder named by day and processor, instead of `target/bench`
    #[arg(long, conflicts_with = "quick")]
    keep: bool,
    /// Go on although this rival measures worse than `benches/expected.json` has it, for this reason
    #[arg(long, value_name = "SERVER=REASON")]
    allow: Vec<String>,
    /// Count system calls and allocations for each message instead of measuring time
    #[arg(long, conflicts_with_all = ["flames", "rounds", "allow"])]
    counts: bool,
    /// Draw a flame graph of ours under each workload instead of measuring
    #[arg(long, conflicts_with_all = ["rounds", "allow"])]
    flames: bool,
    /// Measure in a network of its own, in which TCP chooses its pace by this: bbr, which some machines set, holds large messages
    /// back even on loopback. Needs `unshare` and `ip`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["counts", "flames"])]
    congestion_control: Option<String>,
    /// Also measure uWebSockets, from a checkout of it with its submodule uSockets
    #[arg(long, value_name = "FOLDER")]
    uwebsockets: Option<PathBuf>,
}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let target = target_folder()?;
    // A folder of its own: the profile differs from all others, and a bench does not wait for another build's lock.
    let folder = target.join("benches");
    build(&folder, &["--package", "duplexer-benches", "--features", "rivals", "--bins"])?;
    build(&folder, &["--package", "duplexer-cli", "--bin", "duplexer"])?;
    let peers = peers::arguments(&folder, args.uwebsockets.as_deref())?;
    let programs = folder.join(PROFILE);
    let spent = || program("spent", &programs, &peers, &args);
    if args.counts {
        return spent::counts(spent()?);
    }
    if args.flames {
        return spent::flames(spent()?, args.quick);
    }
    if args.curves {
        return measure(&programs, "curves", &peers, &args);
    }
    measure(&programs, "compare", &peers, &args)?;
    // What is chosen is chosen of the workloads.
    if args.quick && args.only.is_none() && args.server.is_none() {
        measure(&programs, "curves", &peers, &args)?;
        spent::counts(spent()?)?;
        spent::flames(spent()?, args.quick)?;
    }
    Ok(())
}

/// Builds in one call for each package, so that none is compiled with features that only another one asks for.
fn build(folder: &Path, what: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--profile", PROFILE, "--target-dir"])
        .arg(folder)
        .args(what)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the measured programs do not build: {}", what.join(" "));
    }
    Ok(())
}

/// Runs the program that measures: `compare` or `curves`.
fn measure(programs: &Path, name: &str, peers: &[OsString], args: &Args) -> anyhow::Result<()> {
    let mut measure = program(name, programs, peers, args)?;
    let compiler = Step::new("rustc").args(["--version"]).run()?;
    measure.args(["--compiler", compiler.trim()]);
    for explanation in &args.allow {
        measure.args(["--allow", explanation]);
    }
    if let Some(rounds) = args.rounds {
        measure.args(["--rounds", &rounds.to_string()]);
    }
    if let Some(control) = &args.congestion_control {
        measure = network::of_its_own(&measure, control)?;
    }
    let status = measure.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Starts a command of a program of the bench, with what all of them are told.
fn program(
    name: &str,
    programs: &Path,
    peers: &[OsString],
    args: &Args,
) -> anyhow::Result<Command> {
    let mut command = Command::new(programs.join(name));
    command.arg("--programs").arg(programs).args(peers);
    if args.keep {
        command.arg("--dated").arg("--results").arg(repository().join("benches/results"));
    } else {
        command.arg("--results").arg(target_folder()?.join("bench"));
    }
    if args.quick {
        command.arg("--quick");
    }
    if let Some(only) = &args.only {
        command.args(["--only", only]);
    }
    if let Some(server) = &args.server {
        command.args(["--server", server]);
    }
    Ok(command)
}

/// The profile of the workspace that all measured programs are built with.
const PROFILE: &str = "bench-server";
