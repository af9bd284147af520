//! Has system calls and allocations counted, and flame graphs drawn: finds strace and perf and starts the bench's program
//! `spent` with them. Paths in; tables, JSON and pictures out.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Args, program};
use crate::tools;

/// Counts system calls and allocations, and fails when ours takes more of them than is kept.
pub(super) fn counts(programs: &Path, peers: &[OsString], args: &Args) -> anyhow::Result<()> {
    let strace = tools::program("strace", &["strace"])?;
    spent(programs, peers, args, &["counts".into(), "--strace".into(), strace.into()])
}

/// Draws flame graphs. The quick form says so where perf is not to be had, and passes: that is the machine's to say.
pub(super) fn flames(programs: &Path, peers: &[OsString], args: &Args) -> anyhow::Result<()> {
    let perf = match tools::program("perf", &["linux-perf"]) {
        Err(reason) if args.quick => {
            println!("flames: SKIPPED: {reason:#}");
            return Ok(());
        }
        found => found?,
    };
    spent(programs, peers, args, &["flames".into(), "--perf".into(), perf.into()])
}

fn spent(
    programs: &Path,
    peers: &[OsString],
    args: &Args,
    task: &[OsString],
) -> anyhow::Result<()> {
    let mut spent = program("spent", programs, peers, args)?;
    let status = spent.args(task).status().context("cannot start the counting")?;
    if !status.success() {
        bail!("counting what messages are spent on failed ({status})");
    }
    Ok(())
}
