//! Builds the libFuzzer programs on nightly and runs each for a while, from the kept inputs on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::tools::{self, repository, target_folder};

/// Whether there is a nightly toolchain.
pub(super) fn nightly_is_there() -> bool {
    let mut version = nightly();
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// Searches with each target in turn and prints how far it came. Fails after all have run if one
/// found something.
pub(super) fn search(targets: &[String], seconds: u64) -> anyhow::Result<()> {
    let programs = build()?;
    let mut broken = Vec::new();
    for target in targets {
        match run(&programs, target, seconds)? {
            Outcome::Clean { executions } => {
                println!("fuzz: {target:<20} {executions:>10} executions")
            }
            Outcome::Broken { log } => {
                println!("fuzz: {target:<20} FAILED, see {}\n{}", log.display(), reason(&log));
                broken.push(target.as_str());
            }
        }
    }
    if !broken.is_empty() {
        bail!("inputs that break a promise are in fuzz/artifacts: {}", broken.join(", "));
    }
    Ok(())
}

enum Outcome {
    Clean { executions: u64 },
    Broken { log: PathBuf },
}

/// Builds every program and returns the folder they are in.
fn build() -> anyhow::Result<PathBuf> {
    let target = target_folder()?.join("fuzz/build");
    println!("fuzz: building the targets");
    let status = nightly()
        .args(["build", "--quiet", "--release", "--package", "duplexer-fuzz"])
        .args(["--features", "libfuzzer", "--bins", "--target", TRIPLE])
        .current_dir(repository())
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true")
        .env("RUSTFLAGS", FLAGS.join(" "))
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the fuzz targets do not build on nightly");
    }
    Ok(target.join(TRIPLE).join("release"))
}

fn run(programs: &Path, target: &str, seconds: u64) -> anyhow::Result<Outcome> {
    let found = target_folder()?.join("fuzz/found").join(target);
    let artifacts = repository().join("fuzz/artifacts").join(target);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&artifacts)?;
    let log = target_folder()?.join("fuzz").join(format!("{target}.log"));
    let file = fs::File::create(&log)?;
    let status = Command::new(programs.join(target))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(BOUNDS)
        .arg(&found)
        .arg(repository().join("fuzz/corpus").join(target))
        .stdout(Stdio::null())
        .stderr(file)
        .status()
        .with_context(|| format!("cannot start the target {target}"))?;
    if !status.success() {
        return Ok(Outcome::Broken { log });
    }
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let executions = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .and_then(|count| count.trim().parse().ok())
        .with_context(|| format!("{target} did not say how often it ran; see {}", log.display()))?;
    Ok(Outcome::Clean { executions })
}

/// The lines of a log that say what went wrong.
fn reason(log: &Path) -> String {
    let said = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let said = said.unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    let tells = |line: &&str| line.contains("panicked at") || line.contains("ERROR: ");
    let first = lines.iter().position(tells).unwrap_or_default();
    lines.iter().skip(first).take(4).copied().collect::<Vec<_>>().join("\n")
}

/// A cargo of the nightly toolchain, whichever toolchain runs us.
fn nightly() -> Command {
    let mut cargo = tools::of_any_toolchain("cargo");
    cargo.arg("+nightly");
    cargo
}

/// The only one that is tried; build scripts must not be instrumented, hence a target by name.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &[&str] = &[
    "--cfg fuzzing",
    "-Zsanitizer=address",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// One input is short, ends within ten seconds, and takes no memory worth mentioning.
const BOUNDS: &[&str] = &[
    "-max_len=4096",
    "-timeout=10",
    "-rss_limit_mb=1024",
    "-malloc_limit_mb=64",
    "-print_final_stats=1",
];
