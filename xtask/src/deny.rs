//! Holds the dependency tree to `deny.toml`: licences, sources, bans, and advisories where their database can be reached.

use anyhow::{Context, bail};

use crate::tools::{self, Place, Step, repository};

/// What `cargo xtask deny` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(_: Args) -> anyhow::Result<()> {
    let deny = tools::cargo_tool(&Place::open()?, "cargo-deny", VERSION)?;
    let check = |what: &[&str]| {
        let args = ["--color", "never", "check", "--hide-inclusion-graph"];
        Step::new(&deny).args(args).args(what).within(&repository()).run()
    };
    check(&["bans", "licenses", "sources"]).context("deny.toml forbids something")?;
    println!("deny: bans, licences and sources are as deny.toml wants them");
    match check(&["advisories"]) {
        Ok(_) => println!("deny: no advisory concerns what we build with"),
        Err(error) if format!("{error:#}").contains(UNREACHABLE) => {
            println!("left out: the advisories; their database cannot be reached from here");
        }
        Err(error) => bail!("advisories concern what we build with: {error:#}"),
    }
    Ok(())
}

const VERSION: &str = "0.20.2";
/// What cargo-deny says when it has no advisories to compare with.
const UNREACHABLE: &str = "failed to fetch advisory database";
