//! What goes into a measurement and what comes out of it.

use std::net::SocketAddr;

/// The server that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Where it listens; a loopback address.
    pub address: SocketAddr,
    /// Its process, whose threads are charged.
    pub pid: u32,
    /// What it answers to a frame.
    pub reply: Reply,
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
    /// The figure: µs of the server's CPU per message or opening, or resident bytes per connection.
    pub figure: f64,
    /// What the generator itself spent on each message, µs of CPU; absent where it says nothing.
    pub generator_us: Option<f64>,
    /// How much of the measured time the server was running, 0 to 1; absent where it says nothing.
    pub server_busy: Option<f64>,
    /// How much of the measured time the server or the generator, whichever did longer, was ready to run while its core
    /// was taken by other programs; absent where it says nothing.
    pub waited: Option<f64>,
}
