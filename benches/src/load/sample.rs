//! What goes into a measurement and what comes out of it.

use std::net::SocketAddr;
use std::rc::Rc;

use super::witness::Witness;

/// The server that is measured.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens; a loopback address.
    pub address: SocketAddr,
    /// Its process, whose threads are charged.
    pub pid: u32,
    /// What it answers to a frame.
    pub reply: Reply,
    /// Who looks on while it is measured, beside the clock.
    pub witness: Option<Rc<dyn Witness>>,
}

/// What a server that echoes sends back for a client's masked frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The same payload in an unmasked frame, as a server must (RFC 6455 §5.1).
    Unmasked,
    /// The very bytes of the masked frame: a floor that knows no frames.
    Verbatim,
}

/// What one measurement of one server gave.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The figure: µs of the server's CPU per message, delivery or opening, resident bytes per connection, or µs until an echo is
    /// home.
    pub figure: f64,
    /// What the generator itself spent on each message, µs of CPU; absent where it says nothing.
    pub generator_us: Option<f64>,
    /// How much of the measured time the server was running, 0 to 1; absent where it says nothing.
    pub server_busy: Option<f64>,
    /// How much of the measured time the server or the generator, whichever did longer, was ready to run while its core
    /// was taken by other programs; absent where it says nothing.
    pub waited: Option<f64>,
    /// The mean of the replies' payload bytes as they came; absent where they are not compressed.
    pub reply_bytes: Option<f64>,
    /// How many pings each connection was sent, on average; absent where it says nothing.
    pub pings: Option<f64>,
    /// How long echoes took; absent where only their cost is asked.
    pub latencies: Option<Latencies>,
}

/// How long echoes took, each from when its message should have left.
#[derive(Debug, Clone, Copy)]
pub struct Latencies {
    /// How many messages left in a second: half of what the server manages.
    pub per_second: f64,
    /// The time within which half of the echoes were home, µs.
    pub p50_us: f64,
    /// The same for 99 of 100.
    pub p99_us: f64,
    /// The same for 999 of 1,000.
    pub p999_us: f64,
}

impl Sample {
    /// A figure of which nothing else is known.
    #[must_use]
    pub const fn of(figure: f64) -> Self {
        Self {
            figure,
            generator_us: None,
            server_busy: None,
            waited: None,
            reply_bytes: None,
            pings: None,
            latencies: None,
        }
    }
}
