//! Replays the kept corpora with coverage counted, on stable, then lets libFuzzer search from them,
//! on nightly.
//!
//! The programs are built with the sanitizer flags that cargo-fuzz would set, by cargo itself: one
//! tool less to install and to keep in step, and the targets stay members of the workspace. What a
//! search finds beyond the kept inputs stays in `target/fuzz/found`; what breaks a promise is
//! written to `fuzz/artifacts`, and belongs into `fuzz/corpus` once it is mended.

mod coverage;
mod search;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::tools::repository;

/// What `cargo xtask fuzz` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long libFuzzer searches with each target; 0 only replays the kept inputs
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// Search with this target only; the kept inputs of all are replayed
    #[arg(long, value_name = "T")]
    target: Option<String>,
}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let mut targets = targets()?;
    if let Some(only) = &args.target {
        let known = targets.join(", ");
        targets.retain(|target| target == only);
        if targets.is_empty() {
            bail!("there is no target `{only}`; known are {known}");
        }
    }
    let covered = coverage::replay()?;
    if args.seconds == 0 {
        println!("left out: the search, as asked");
    } else if search::nightly_is_there() {
        search::search(&targets, args.seconds)?;
    } else {
        println!("left out: the search; libFuzzer needs `rustup toolchain install nightly`");
    }
    covered.judge()
}

/// The names of all targets, from their programs.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder: PathBuf = repository().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
