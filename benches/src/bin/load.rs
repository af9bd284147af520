//! The load generator as a program, to put one load on one running server: for profiling, and for measuring by hand.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser as _;
use duplexer_benches::load::{
    Deadline, Echo, FanOut, Idle, Latency, Openings, Reply, Takeover, Talk, Target, Words, pin_to,
    raise_file_limit,
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
        /// Speak TLS
        #[arg(long)]
        tls: bool,
    },
    /// Echo messages that may come back in other frames; prints µs of server CPU per message
    Streamed {
        #[arg(long, default_value_t = 4)]
        connections: usize,
        #[arg(long, default_value_t = 1024 * 1024)]
        payload_bytes: usize,
        #[arg(long, default_value_t = 4_000)]
        messages: usize,
    },
    /// Publish messages that many hear; prints µs of server CPU per delivery
    FanOut {
        #[arg(long, default_value_t = 1_000)]
        subscribers: usize,
        #[arg(long, default_value_t = 64)]
        payload_bytes: usize,
        /// Messages that leave together
        #[arg(long, default_value_t = 1)]
        together: usize,
        #[arg(long, default_value_t = 500)]
        rounds: usize,
    },
    /// Echo compressed JSON of 1 KiB; prints µs of server CPU per message
    Deflate {
        #[arg(long, default_value_t = 100)]
        connections: usize,
        /// Compress each message with the memory of those before it
        #[arg(long)]
        takeover: bool,
        #[arg(long, default_value_t = 100_000)]
        messages: usize,
    },
    /// Echo messages at half of the rate that the server manages; prints how long that takes
    Latency {
        #[arg(long, default_value_t = 100)]
        connections: usize,
        #[arg(long, default_value_t = 20)]
        payload_bytes: usize,
        #[arg(long, default_value_t = 200_000)]
        messages: usize,
    },
    /// Leave connections idle; prints resident bytes per connection
    Idle {
        #[arg(long, default_value_t = 9_000)]
        connections: usize,
        #[arg(long, default_value_t = 20)]
        payload_bytes: usize,
        /// Connections that have their message under way together
        #[arg(long, default_value_t = 1)]
        together: usize,
        /// Say compressed texts
        #[arg(long)]
        compressed: bool,
        /// Speak TLS
        #[arg(long)]
        tls: bool,
        /// Seconds before the server is weighed
        #[arg(long, default_value_t = 2)]
        rest_s: u64,
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
    let target = Target { address, pid, reply, witness: None };
    pin_to(core)?;
    raise_file_limit(10_000)?;
    let deadline = Deadline::after(Duration::from_secs(deadline_s));
    let sample = match load {
        Load::Echo { connections, payload_bytes, depth, messages, tls } => {
            Echo { connections, payload_bytes, depth, messages, tls, check_all: false }
                .run(&target, deadline)?
        }
        Load::Streamed { connections, payload_bytes, messages } => {
            let words = Words::Noise(payload_bytes);
            Talk { connections, words, messages, check_all: false }.run(&target, deadline)?
        }
        Load::FanOut { subscribers, payload_bytes, together, rounds } => {
            FanOut { subscribers, payload_bytes, together, rounds, check_all: false }
                .run(&target, deadline)?
        }
        Load::Deflate { connections, takeover, messages } => {
            let words = Words::Json(if takeover { Takeover::On } else { Takeover::Off });
            Talk { connections, words, messages, check_all: false }.run(&target, deadline)?
        }
        Load::Latency { connections, payload_bytes, messages } => {
            Latency { connections, payload_bytes, messages }.run(&target, deadline)?
        }
        Load::Idle { connections, payload_bytes, together, compressed, tls, rest_s } => {
            let of = if compressed { Words::Compressed } else { Words::Noise };
            let (words, rest) = (of(payload_bytes), Duration::from_secs(rest_s));
            Idle { connections, words, together, tls, rest }.run(&target, deadline)?
        }
        Load::Openings { count } => Openings { count, together: 32 }.run(&target, deadline)?,
    };
    println!("{sample:?}");
    Ok(())
}
