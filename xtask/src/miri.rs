//! Runs under miri, on nightly, what uses the one module that is allowed unsafe code. The rest of the workspace denies it.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::tools::{self, repository, target_folder};

/// What `cargo xtask miri` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(_: Args) -> anyhow::Result<()> {
    let components = ["component", "add", "miri", "rust-src", "--toolchain", "nightly"];
    let added = rustup().args(components).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !added.is_ok_and(|status| status.success()) {
        println!("left out: miri; it needs `rustup toolchain install nightly`, and its components");
        return Ok(());
    }
    let status = rustup()
        .args(["run", "nightly", "cargo", "miri", "test"])
        .args(["--package", "duplexer-proto", "--lib", "--"])
        .args(TESTS)
        // What is compiled for wide vectors runs only where the processor, here an imagined one, has them.
        .env("RUSTFLAGS", if cfg!(target_arch = "x86_64") { "-Ctarget-feature=+avx2" } else { "" })
        .current_dir(repository())
        .env("CARGO_TARGET_DIR", target_folder()?.join("miri"))
        .status()
        .context("cannot start rustup")?;
    ensure!(status.success(), "miri found something ({status})");
    Ok(())
}

fn rustup() -> Command {
    let mut rustup = tools::of_any_toolchain("rustup");
    rustup.stdin(Stdio::null());
    rustup
}

/// The tests of what uses the unsafe code.
const TESTS: [&str; 3] = ["message::tests", "mask::tests", "payload::tests"];
