//! Tests the repository itself: `cargo xtask tidy` reads it once, asks every rule, and prints what they refuse.
//!
//! The architecture is data in `xtask/plan.toml`. There is no list of exceptions.

mod dependencies;
mod finding;
mod head;
mod layers;
mod left_overs;
mod manifest;
mod modules;
mod names;
mod plan;
mod reasons;
mod repo;
mod resolve;
mod sans_io;
mod size;
mod switched;
mod tokens;

use std::path::{Path, PathBuf};

use finding::Finding;
use plan::Plan;
use repo::Repo;

/// What `cargo xtask tidy` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository to judge
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    root: PathBuf,
}

/// Judges the repository, prints every refusal, and fails if there is one.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let findings = judge(&args.root)?;
    for finding in &findings {
        println!("{finding}\n");
    }
    match findings.len() {
        0 => Ok(()),
        1 => anyhow::bail!("tidy refuses 1 thing"),
        count => anyhow::bail!("tidy refuses {count} things"),
    }
}

/// Asks every rule, and orders what they refuse by place.
fn judge(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let plan = Plan::read(root)?;
    let mut repo = Repo::read(root)?;
    let mut findings = std::mem::take(&mut repo.unreadable);
    let test_files = layers::check(&repo, &plan, &mut findings);
    sans_io::check(&repo, &plan, &test_files, &mut findings);
    dependencies::check(&repo, &plan, &mut findings);
    size::check(&repo, &mut findings);
    head::check(&repo, &mut findings);
    reasons::check(&repo, &mut findings);
    switched::check(&repo, &mut findings);
    left_overs::check(&repo, &mut findings);
    findings.sort();
    Ok(findings)
}
