//! `duplexer echo`: the library's example server, with options. What is measured and tested is this.

use std::error::Error;
use std::process::ExitCode;

use duplexer::{Origins, Request, Server, WebSocket};

use crate::arguments::Echo;
use crate::threads::{self, reachable};
use crate::visits::Visits;

#[path = "../../../duplexer/examples/echo.rs"]
#[allow(dead_code, unreachable_pub, reason = "the example is a program of its own")]
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
    let visits = Visits::default();
    let counted = visits.clone();
    let handler = move |mut socket: WebSocket, request: Request| {
        let visit = counted.enter(&socket, &request);
        async move {
            let outcome = echo(&mut socket).await;
            visit.leave(socket.close_info());
            outcome
        }
    };
    let announce = |bound| {
        let (address, everywhere) = reachable(bound);
        println!("echo on ws://{address}/{everywhere}");
    };
    threads::serve(&options.listen, server, handler, visits, announce, || {})
}
