//! Replays the kept inputs on stable and counts the lines of `duplexer-proto` that they reach.
//!
//! Only our own crates are instrumented, through a wrapper around rustc, so that dependencies are
//! compiled once for this and for every other test. rustup's llvm-tools may be out of reach;
//! Debian's LLVM 19 reads what today's rustc writes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::tools::{self, repository, target_folder};

/// Lines of `crates/duplexer-proto/src`.
#[derive(Debug)]
pub(super) struct Covered {
    reached: u64,
    all: u64,
}

impl Covered {
    /// Fails below the floor.
    pub(super) fn judge(&self) -> anyhow::Result<()> {
        let percent = self.percent();
        if percent < FLOOR_PERCENT {
            bail!(
                "the kept inputs reach {percent:.1} % of the lines, below the floor of {FLOOR_PERCENT} %"
            );
        }
        Ok(())
    }

    fn percent(&self) -> f64 {
        100.0 * self.reached as f64 / self.all.max(1) as f64
    }
}

/// Replays, prints a line for each file, and returns the sum.
pub(super) fn replay() -> anyhow::Result<Covered> {
    let profdata = tools::program("llvm-profdata-19", &["llvm-19"])?;
    let cov = tools::program("llvm-cov-19", &["llvm-19"])?;
    let folder = target_folder()?.join("fuzz/coverage");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let test = run_instrumented(&folder)?;
    let profiles: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    let profiles = profiles.into_iter().filter(|path| path.extension() == Some("profraw".as_ref()));
    let merged = folder.join("all.profdata");
    output(Command::new(profdata).args(["merge", "-sparse", "-o"]).arg(&merged).args(profiles))
        .context("LLVM 19 no longer reads what rustc writes? Debian may have a newer one")?;
    let sources = repository().join("crates/duplexer-proto/src");
    let lcov = output(
        Command::new(cov)
            .args(["export", "-format=lcov", "-instr-profile"])
            .args([&merged, &test])
            .arg(&sources),
    )?;
    let covered = summary(&lcov, &sources);
    let percent = covered.percent();
    println!(
        "coverage: {:<38} {percent:5.1} % of {} lines",
        "crates/duplexer-proto/src", covered.all
    );
    Ok(covered)
}

/// Builds the replay with our crates instrumented, runs it, and returns the path of its program.
fn run_instrumented(folder: &Path) -> anyhow::Result<PathBuf> {
    let wrapper = folder.join("instrument.sh");
    fs::write(&wrapper, "#!/bin/sh\nexec \"$@\" -Cinstrument-coverage\n")?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let replay = || {
        let mut command = Command::new(&cargo);
        command
            .args(["test", "--package", "duplexer-fuzz", "--test", "replay"])
            .current_dir(repository())
            .env("RUSTC_WORKSPACE_WRAPPER", &wrapper)
            .env("LLVM_PROFILE_FILE", folder.join("%p-%m.profraw"));
        command
    };
    let built = replay().arg("--no-run").output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&built.stderr);
    if !built.status.success() {
        bail!("the replay does not build:\n{said}");
    }
    let program = said
        .lines()
        .find_map(|line| {
            line.trim().strip_prefix("Executable tests/replay.rs (")?.strip_suffix(')')
        })
        .with_context(|| format!("cargo names no program:\n{said}"))?;
    if !replay().status().context("cannot start cargo")?.success() {
        bail!("a kept input breaks a promise; the last one named above is it");
    }
    Ok(repository().join(program))
}

/// Sums the lines of the files below `sources`, and prints each, in the order of their names.
fn summary(lcov: &str, sources: &Path) -> Covered {
    let mut files: Vec<(String, Covered)> = Vec::new();
    for line in lcov.lines() {
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        if let Some(path) = line.strip_prefix("SF:") {
            let path = Path::new(path);
            let name = path.strip_prefix(sources).unwrap_or(path).display().to_string();
            files.push((name, Covered { reached: 0, all: 0 }));
        } else if let (Some(count), Some((_, file))) = (line.strip_prefix("LF:"), files.last_mut())
        {
            file.all = number(count);
        } else if let (Some(count), Some((_, file))) = (line.strip_prefix("LH:"), files.last_mut())
        {
            file.reached = number(count);
        }
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, file) in &files {
        println!("coverage: {name:<30} {:5.1} % of {:4} lines", file.percent(), file.all);
    }
    let sum = |of: fn(&Covered) -> u64| files.iter().map(|(_, file)| of(file)).sum();
    Covered { reached: sum(|file| file.reached), all: sum(|file| file.all) }
}

/// Runs a command to its end and returns what it printed; fails with what it complained of.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!("{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Lines that the kept inputs must reach. What they cannot: messages to people, settings that only
/// tests change.
const FLOOR_PERCENT: f64 = 80.0;
