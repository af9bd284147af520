//! The command line, as clap reads it and as `--help` teaches it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use duplexer::Deflate;
use http::header::{HeaderName, HeaderValue};

/// WebSockets from one program: a chat server, an echo server and a client.
///
/// Without a command it serves chat: start it, and open the address that it prints in two browser tabs.
#[derive(Debug, Parser)]
#[command(name = "duplexer", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Say more on standard error: -v what happens, -vv why, -vvv everything.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  duplexer                                             chat on http://127.0.0.1:8080/
  duplexer serve --listen 0.0.0.0:80                   the same for the whole network
  duplexer echo --listen 127.0.0.1:9001                an echo server
  duplexer connect ws://127.0.0.1:8080/rooms/lobby     chat from the terminal
  echo hi | duplexer connect ws://127.0.0.1:8080/echo  send a line, print the answer";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve chat rooms with a page for browsers, and an echo at /echo (the default command).
    ///
    /// What one client sends to /rooms/NAME, text or binary, all others in the room receive. Any WebSocket client will do.
    /// /echo sends everything back; /health/live and /health/ready are for whatever watches over the server.
    Serve(Serve),
    /// Serve an echo at every path: what comes in goes out.
    Echo(Echo),
    /// Connect to a server: lines from standard input go out, messages go to standard output.
    ///
    /// When the input ends, the answers are awaited before the connection is closed; with no input at all, messages are printed
    /// until the server closes. Text is printed as a line, binary as it is. The exit status is 0 after a
    /// clean close (1000, 1001 or no code) and 1 otherwise.
    Connect(Connect),
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve(Serve { listen: Listen::default() })
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Listen {
    /// The address to listen on: ADDRESS:PORT, with port 0 for any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_ADDRESS, value_parser = parse_address)]
    pub(crate) listen: SocketAddr,

    /// Threads that serve, each with connections of its own [default: one for each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Seconds that open connections have to close when the server is told to stop (SIGINT or SIGTERM).
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub(crate) grace: Duration,
}

impl Default for Listen {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self { listen, threads: None, grace: Duration::from_secs(5) }
    }
}

const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) listen: Listen,
}

#[derive(Args, Debug)]
pub(crate) struct Echo {
    #[command(flatten)]
    pub(crate) listen: Listen,

    #[command(flatten)]
    pub(crate) wire: Wire,
}

/// What server and client have in common.
#[derive(Args, Debug)]
pub(crate) struct Wire {
    /// Whether and how messages are compressed (permessage-deflate).
    #[arg(long, value_enum, default_value_t = DeflateMode::Shared)]
    deflate: DeflateMode,

    /// The largest message that is received, in bytes after decompression.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    max_message: u64,
}

impl Wire {
    pub(crate) fn deflate(&self) -> Option<Deflate> {
        match self.deflate {
            DeflateMode::Off => None,
            DeflateMode::Shared => Some(Deflate::shared()),
            DeflateMode::Takeover => Some(Deflate::takeover()),
        }
    }

    pub(crate) fn limits(&self) -> duplexer::Limits {
        let mut limits = duplexer::Limits::default();
        limits.message_bytes_max = self.max_message;
        limits
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DeflateMode {
    /// Never.
    Off,
    /// Each message by itself: connections keep nothing between messages.
    Shared,
    /// Each message with the memory of those before it: smaller on the wire, but up to 400 KiB for each connection.
    Takeover,
}

#[derive(Args, Debug)]
pub(crate) struct Connect {
    /// Where to connect: ws://HOST[:PORT]/PATH
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// A header for the opening request, as 'Name: value'; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<Header>,

    /// A subprotocol to offer, the preferred one first; may be repeated.
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,

    /// Seconds to wait for an answer after the input has ended.
    #[arg(short, long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,

    #[command(flatten)]
    pub(crate) wire: Wire,
}

/// A header as it stands on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
        let name = name.trim().parse().map_err(|_| format!("`{name}` is no header name"))?;
        let value =
            value.trim().parse().map_err(|_| "the value has characters that no header may have")?;
        Ok(Self { name, value })
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| format!("write it as ADDRESS:PORT, such as 127.0.0.1:8080 ({error})"))?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds, such as 2.5")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= SECONDS_MAX => Ok(duration),
        _ => Err("choose between 0 and 86400 seconds".to_owned()),
    }
}

const SECONDS_MAX: Duration = Duration::from_secs(86400);
