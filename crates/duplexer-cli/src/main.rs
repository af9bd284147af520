//! The program: one subcommand a file. Parses the command line, sets up logging, and turns errors into an exit status.

mod arguments;
mod commands;
mod local;
mod pages;
mod rooms;
mod routes;
mod signals;
mod threads;
mod values;
mod visits;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let (verbose, command) = Arguments::read();
    log(verbose);
    let ended = match command {
        Command::Serve(options) => commands::serve::run(&options),
        Command::Echo(options) => commands::echo::run(&options),
        Command::Connect(options) => commands::connect::run(&options),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("duplexer: {error}");
        ExitCode::FAILURE
    })
}

/// Sends what the program and the libraries trace to standard error: as much as `-v` asks for, and what the environment's
/// `RUST_LOG` says of single targets.
fn log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let environment = std::env::var("RUST_LOG").unwrap_or_default();
    // Of two directives for the same target the later one counts.
    let filter = tracing_subscriber::EnvFilter::new(format!("{level},{environment}"));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && !plain)
        .with_writer(io::stderr)
        .init();
}
