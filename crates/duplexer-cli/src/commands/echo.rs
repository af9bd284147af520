//! `duplexer echo`: the library's example server, with options. What is measured and tested is this.

use std::error::Error;
use std::process::ExitCode;

use duplexer::{Origins, Server};

use crate::arguments::Echo;
use crate::threads;

#[path = "../../../duplexer/examples/echo.rs"]
#[allow(dead_code, reason = "the example has a `main` of its own")]
mod example;

pub(crate) use example::echo;

/// Serves until a signal comes.
pub(crate) fn run(options: &Echo) -> Result<ExitCode, Box<dyn Error>> {
    let server = Server::builder()
        .deflate(options.wire.deflate())
        .limits(options.wire.limits())
        // It gives nothing that a page of anywhere could not make itself.
        .origins(Origins::any())
        .build();
    threads::serve(
        &options.listen,
        server,
        |socket, _| echo(socket),
        |address| {
            println!("echo on ws://{address}/");
        },
    )?;
    Ok(ExitCode::SUCCESS)
}
