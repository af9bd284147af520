//! Has system calls and allocations counted, and flame graphs drawn: finds strace and perf, and starts the bench's program
//! `spent` with them. A command that has been told the rest in; tables, JSON and pictures out.

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::tools;

/// Counts system calls and allocations, and fails when ours takes more of them than is kept.
pub(super) fn counts(mut spent: Command) -> anyhow::Result<()> {
    spent.args(["counts", "--strace"]).arg(tools::program("strace", &["strace"])?);
    run(spent)
}

/// Draws flame graphs. The quick form says so where perf is not to be had, and passes: that is the machine's to say.
pub(super) fn flames(mut spent: Command, is_quick: bool) -> anyhow::Result<()> {
    let perf = match tools::program("perf", &["linux-perf"]) {
        Err(reason) if is_quick => {
            println!("flames: SKIPPED: {reason:#}");
            return Ok(());
        }
        found => found?,
    };
    spent.args(["flames", "--perf"]).arg(perf);
    run(spent)
}

fn run(mut spent: Command) -> anyhow::Result<()> {
    let status = spent.status().context("cannot start the counting")?;
    if !status.success() {
        bail!("finding out what messages are spent on failed ({status})");
    }
    Ok(())
}
