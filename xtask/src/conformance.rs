//! Runs the Autobahn TestSuite against our server and our client, side by side, and prints a verdict on every case.
//!
//! This file provides the suite, builds ours and chooses what runs; running and judging is `conformance/tests/autobahn.rs`.

use std::fs;
use std::path::Path;

use anyhow::bail;

use crate::tools::{self, Place, Python27, TestRun};

/// What `cargo xtask conformance` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which side of ours to test
    #[arg(long, value_enum, default_value_t = Direction::Both)]
    direction: Direction,
    /// Only these cases, such as `7.*` or `12.1.1,12.1.2`; all 517 by default
    #[arg(long, value_name = "GLOB", default_value = "*")]
    cases: String,
    /// Where the Python 2.7 comes from that the suite needs
    #[arg(long, value_enum, default_value_t = Python27::Auto)]
    python27: Python27,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Direction {
    /// The suite is the client, `duplexer echo` the server
    Server,
    /// The suite is the server, our library the client
    Client,
    /// Both, side by side
    Both,
}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let place = Place::open()?;
    let wstest = tools::wstest(&place, args.python27)?;
    let node = tools::program("node", &["nodejs"])?;
    let node_modules = tools::node_modules(&place, "peers-node", "conformance/peers/package.json")?;
    drop(place);
    let program = tools::build_program()?;

    let reports = tools::target_folder()?.join("conformance/autobahn");
    if reports.exists() {
        fs::remove_dir_all(&reports)?;
    }
    fs::create_dir_all(&reports)?;
    let tests = |names: &[&'static str]| {
        let tests = TestRun::new("autobahn")
            .optimised()
            .env("DUPLEXER_BIN", &program)
            .env("DUPLEXER_WSTEST", &wstest)
            .env("DUPLEXER_NODE", &node)
            .env("NODE_PATH", &node_modules)
            .env("DUPLEXER_REPORTS", &reports)
            .env("DUPLEXER_CASES", &args.cases);
        names.iter().fold(tests, |tests, name| tests.only(name)).run()
    };
    // A harness that cannot refuse shows nothing.
    tests(&[SELF_CHECK])?;
    print_summaries(&reports, &[SELF_CHECK])?;
    let runs = chosen(args.direction, &args.cases);
    let outcome = tests(&runs);
    let complete = print_summaries(&reports, &runs);
    println!("reports: {}", reports.display());
    outcome.and(complete)
}

/// The names of the tests to run.
fn chosen(direction: Direction, cases: &str) -> Vec<&'static str> {
    let mut runs = Vec::new();
    if direction != Direction::Client {
        runs.push("server_with_context_takeover");
        // The shared mode differs only in compression, so only the first group of compression cases runs again.
        if cases.split(',').any(|glob| glob.starts_with('*') || glob.starts_with("12")) {
            runs.push("server_with_shared_compression");
        }
    }
    if direction != Direction::Server {
        runs.push("client_with_context_takeover");
    }
    runs
}

/// Prints what each run left as its summary. A run without one did not happen, whatever else claims success.
fn print_summaries(reports: &Path, runs: &[&str]) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for run in runs {
        match fs::read_to_string(reports.join(run).join("summary.txt")) {
            Ok(summary) => println!("\n{summary}"),
            Err(_) => missing.push(*run),
        }
    }
    if !missing.is_empty() {
        bail!("no summary was written by {}", missing.join(", "));
    }
    Ok(())
}

const SELF_CHECK: &str = "the_harness_refuses_a_peer_with_known_faults";
