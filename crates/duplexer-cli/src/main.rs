//! The program: one subcommand a file. Parses the command line, sets up logging, and turns errors into an exit status.

mod arguments;
mod commands;
mod pages;
mod rooms;
mod threads;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log(arguments.verbose);
    let ended = match arguments.command.unwrap_or_default() {
        Command::Serve(options) => commands::serve::run(&options),
        Command::Echo(options) => commands::echo::run(&options),
        Command::Connect(options) => commands::connect::run(&options),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("duplexer: {error}");
        ExitCode::FAILURE
    })
}

/// Sends what the libraries trace to standard error, as `-v` or the environment's `RUST_LOG` ask for.
fn log(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if verbose == 0 => EnvFilter::new(filter),
        _ => EnvFilter::new(default),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
