//! The repository's own chores, run as `cargo xtask <chore>`.
//!
//! Each chore is one module with an `Args` and a `run`; this file only chooses between them. Nothing here ships to users, and
//! no crate of the project depends on it.

mod bench;
mod conformance;
mod deny;
mod fuzz;
mod instructions;
mod interop;
mod miri;
mod platforms;
mod publish;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of the Duplexer repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Test the repository itself: layers, sizes, heads, dependencies, left-overs
    Tidy(tidy::Args),
    /// Run the third-party conformance suites
    Conformance(conformance::Args),
    /// Talk to real peers: other libraries, browsers, proxies
    Interop(interop::Args),
    /// Measure ours against rivals, side by side in one run
    Bench(bench::Args),
    /// Count the instructions of the micro-benchmarks, and hold them to what is kept
    Instructions(instructions::Args),
    /// Hold the dependency tree to deny.toml
    Deny(deny::Args),
    /// Run the tests of the unsafe code under miri
    Miri(miri::Args),
    /// Run the fuzz targets over their kept corpora
    Fuzz(fuzz::Args),
    /// Compile the libraries for platforms that no test runs on
    Platforms(platforms::Args),
    /// Package the libraries as they would be published, and build the packages
    Publish(publish::Args),
}

fn main() -> ExitCode {
    let done = match Xtask::parse().chore {
        Chore::Tidy(args) => tidy::run(args),
        Chore::Conformance(args) => conformance::run(args),
        Chore::Interop(args) => interop::run(args),
        Chore::Bench(args) => bench::run(args),
        Chore::Instructions(args) => instructions::run(args),
        Chore::Deny(args) => deny::run(args),
        Chore::Miri(args) => miri::run(args),
        Chore::Fuzz(args) => fuzz::run(args),
        Chore::Platforms(args) => platforms::run(args),
        Chore::Publish(args) => publish::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
