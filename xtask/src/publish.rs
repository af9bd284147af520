//! Packages the libraries as they would be published, and builds them from the packages alone. Uploads nothing.

use std::process::Command;

use anyhow::{Context, ensure};

use crate::tools::{repository, target_folder};

/// What `cargo xtask publish` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(_: Args) -> anyhow::Result<()> {
    // A folder that never was before: cargo remembers by its path what it once unpacked from the registry in it, and would
    // build duplexer on the duplexer-proto of an earlier run.
    let folder = target_folder()?.join(format!("publish-{}", std::process::id()));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Named together, the one is found by the other before it is in any registry.
    let status = Command::new(cargo)
        .args(["publish", "--dry-run", "--allow-dirty"])
        .args(["--package", "duplexer-proto", "--package", "duplexer", "--target-dir"])
        .arg(&folder)
        .current_dir(repository())
        .status()
        .context("cannot start cargo");
    // It is absent where cargo refused at once.
    let _ = std::fs::remove_dir_all(&folder);
    let status = status?;
    ensure!(status.success(), "the libraries cannot be published ({status})");
    println!("publish: the packages of duplexer-proto and duplexer build by themselves");
    Ok(())
}
