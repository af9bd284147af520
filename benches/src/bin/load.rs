//! The load generator as a program, to put one load on one running server: for profiling, and for measuring by hand.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser as _;
use duplexer_benches::load::{
    Deadline, Echo, Idle, Openings, Reply, Target, pin_to, raise_file_limit,
};

/// Put a load on a running server and print what it cost
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Where the server listens
    #[arg(long)]
    address: SocketAddr,
    /// The server's process
    #[arg(long)]
    pid: u32,
    /// The core that the generator runs on
    #[arg(long, default_value_t = 1)]
    core: usize,
    /// Give up after this many seconds
    #[arg(long, default_value_t = 60)]
    deadline_s: u64,
    /// Expect the very bytes back that were sent, as from the server `tcp`
    #[arg(long)]
    verbatim: bool,
    #[command(subcommand)]
    load: Load,
}

#[derive(Debug, clap::Subcommand)]
enum Load {
    /// Echo messages; prints µs of server CPU per message
    Echo {
        #[arg(long, default_value_t = 100)]
        connections: usize,
        #[arg(long, default_value_t = 20)]
        payload_bytes: usize,
        /// Messages in flight on each connection
        #[arg(long, default_value_t = 1)]
        depth: usize,
        #[arg(long, default_value_t = 500_000)]
        messages: usize,
    },
    /// Leave connections idle; prints resident bytes per connection
    Idle {
        #[arg(long, default_value_t = 9_000)]
        connections: usize,
    },
    /// Open connections; prints µs of server CPU per opening
    Openings {
        #[arg(long, default_value_t = 10_000)]
        count: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let Arguments { address, pid, core, deadline_s, verbatim, load } = Arguments::parse();
    let reply = if verbatim { Reply::Verbatim } else { Reply::Unmasked };
    let target = Target { address, pid, reply };
    pin_to(core)?;
    let deadline = Deadline::after(Duration::from_secs(deadline_s));
    let sample = match load {
        Load::Echo { connections, payload_bytes, depth, messages } => {
            raise_file_limit(connections as u64 + 64)?;
            Echo { connections, payload_bytes, depth, messages, check_all: false }
                .run(&target, deadline)?
        }
        Load::Idle { connections } => {
            raise_file_limit(connections as u64 + 64)?;
            let rest = Duration::from_secs(2);
            Idle { connections, payload_bytes: 20, rest }.run(&target, deadline)?
        }
        Load::Openings { count } => Openings { count, together: 32 }.run(&target, deadline)?,
    };
    println!("{sample:?}");
    Ok(())
}
