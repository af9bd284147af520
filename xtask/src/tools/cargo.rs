//! Builds our own program and tools from crates.io, and runs the ignored tests of `conformance/` that need outside tools.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use super::place::{Place, repository, target_folder};
use super::step::Step;

/// Builds `duplexer` as it is released and returns its path.
pub(crate) fn build_program() -> anyhow::Result<PathBuf> {
    let args = ["build", "--release", "--package", "duplexer-cli", "--bin", "duplexer"];
    let status = cargo().args(args).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("duplexer does not build");
    }
    Ok(target_folder()?.join("release/duplexer"))
}

/// Builds a program of crates.io, whose package has its name, and returns its path. Not optimised: that takes less time than it saves.
pub(crate) fn cargo_tool(place: &Place, name: &str, version: &str) -> anyhow::Result<PathBuf> {
    let folder = place.prepare(name, &format!("cargo install {name} {version}"), |folder| {
        let program = cargo().get_program().to_owned();
        let args = ["install", "--locked", "--quiet", "--debug", "--version", version, name];
        let root = [OsStr::new("--root"), folder.as_os_str()];
        Step::new(program).args(args).args(root).run().map(drop)
    })?;
    Ok(folder.join("bin").join(name))
}

/// A program of rustup's, without what the toolchain that runs us says of itself: for one that is to choose another.
pub(crate) fn of_any_toolchain(program: &str) -> Command {
    let mut command = Command::new(program);
    for inherited in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(inherited);
    }
    command
}

/// One run of a test file of `conformance/`, being put together.
pub(crate) struct TestRun {
    command: Command,
    file: &'static str,
    names: Vec<&'static str>,
    all_at_once: bool,
}

impl TestRun {
    /// Runs the ignored tests of `conformance/tests/<file>.rs`.
    pub(crate) fn new(file: &'static str) -> Self {
        let mut command = cargo();
        command.args(["test", "--package", "duplexer-conformance", "--test", file]);
        Self { command, file, names: Vec::new(), all_at_once: false }
    }

    /// Builds the tests and what they use as they are released.
    pub(crate) fn optimised(mut self) -> Self {
        self.command.arg("--release");
        self
    }

    /// Runs all tests of the file at the same time, not one for each processor: they mostly wait.
    pub(crate) fn all_at_once(mut self) -> Self {
        self.all_at_once = true;
        self
    }

    /// Hands the tests a path or a setting.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs only the test of this very name; may be said again.
    pub(crate) fn only(mut self, name: &'static str) -> Self {
        self.names.push(name);
        self
    }

    /// Runs the tests; fails when one fails.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let mut args: Vec<OsString> = vec!["--".into(), "--ignored".into(), "--nocapture".into()];
        if !self.names.is_empty() {
            args.push("--exact".into());
            args.extend(self.names.iter().map(OsString::from));
        }
        if self.all_at_once {
            args.push(format!("--test-threads={TESTS_MAX}").into());
        }
        let status = self.command.args(args).status().context("cannot start cargo")?;
        if !status.success() {
            bail!("the tests in conformance/tests/{}.rs failed ({status})", self.file);
        }
        Ok(())
    }
}

/// More than any file of tests holds.
const TESTS_MAX: usize = 64;

fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(repository());
    command
}
