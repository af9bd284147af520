//! Compiles the libraries, without linking, for platforms that no test runs on: 32 bits, Windows and macOS.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::tools::repository;

/// What `cargo xtask platforms` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(_: Args) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for target in TARGETS {
        if !installed(target) {
            println!("left out: {target}; it needs `rustup target add {target}`");
        } else if check(target)? {
            println!("platforms: the libraries compile for {target}");
        } else {
            failed.push(target);
        }
    }
    ensure!(failed.is_empty(), "the libraries do not compile for {failed:?}");
    Ok(())
}

/// Gets the target's standard library, if it can be had.
fn installed(target: &str) -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]).current_dir(repository());
    rustup.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    rustup.status().is_ok_and(|status| status.success())
}

fn check(target: &str) -> anyhow::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["check", "--package", "duplexer-proto", "--package", "duplexer"])
        .args(["--no-default-features", "--features", FEATURES, "--target", target])
        .current_dir(repository())
        .status();
    Ok(status.context("cannot start cargo")?.success())
}

/// All but those with TLS, whose cryptography needs a C compiler for each target.
const FEATURES: &str = "duplexer/axum,duplexer/blocking,duplexer/metrics,duplexer/testing";
const TARGETS: [&str; 3] =
    ["i686-unknown-linux-gnu", "x86_64-pc-windows-gnu", "aarch64-apple-darwin"];
