//! The command line, as clap reads it and as `--help` teaches it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use duplexer::Deflate;

use crate::local::Local;
use crate::values::{self, Authorities, Header, Patience};

/// WebSockets from one program: a chat server, an echo server and a client.
///
/// Without a command it serves chat: start it, and open the address that it prints in two browser tabs.
#[derive(Debug, Parser)]
#[command(name = "duplexer", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Say more on standard error: -v who connects, who is refused, how connections end and which handlers failed, -vv all that the
    /// library tells, -vvv everything.
    ///
    /// The environment's RUST_LOG, such as RUST_LOG=duplexer=debug, is added to it and wins where the two differ.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    #[command(flatten, next_help_heading = "Options of `serve`, the command when none is named")]
    serve: Serve,

    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  duplexer                                             chat on http://127.0.0.1:8080/
  duplexer serve --listen :80                          the same for the whole network
  duplexer echo --listen 127.0.0.1:9001                an echo server
  duplexer connect ws://127.0.0.1:8080/rooms/lobby     chat from the terminal
  echo hi | duplexer connect ws://127.0.0.1:8080/echo  send a line, print the answer";

impl Arguments {
    /// Reads the command line of this process: how much to say, and what to do. Ends the process where it is wrong, and
    /// for `--help` and `--version`.
    pub(crate) fn read() -> (u8, Command) {
        let matches = Self::command().try_get_matches().unwrap_or_else(|error| refuse(&error));
        let arguments = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        let command = match arguments.command {
            Some(command) => {
                refuse_misplaced(&matches);
                command
            }
            None => Command::Serve(arguments.serve),
        };
        (arguments.verbose, command)
    }
}

/// Ends the process for what clap has said: help, or what is wrong.
fn refuse(error: &clap::Error) -> ! {
    if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
        && given.contains("://")
    {
        let says = format!("to connect, write: duplexer connect {given}");
        Arguments::command().error(ErrorKind::InvalidSubcommand, says).exit();
    }
    error.exit()
}

/// Options of `serve` before the name of a command would change nothing.
fn refuse_misplaced(matches: &ArgMatches) {
    let mut command = Arguments::command();
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let misplaced =
        command.get_arguments().find(|one| !one.is_global_set() && given(one.get_id().as_str()));
    let option = misplaced.and_then(|one| one.get_long().map(str::to_owned));
    if let (Some(option), Some(name)) = (option, matches.subcommand_name()) {
        let says = format!("write --{option} behind the command: duplexer {name} --{option} …");
        command.error(ErrorKind::ArgumentConflict, says).exit();
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve chat rooms with a page for browsers, and an echo at /echo (the default command).
    ///
    /// What one client sends to /rooms/NAME, text or binary, all others in the room receive. Any WebSocket client will do;
    /// of pages in browsers only those of the same host and port may connect. /echo sends everything back; /health/live
    /// and /health/ready are for whatever watches over the server.
    ///
    /// SIGINT or SIGTERM closes every connection with 1001 and ends the server with status 0, at the latest after --grace; a
    /// second signal ends it at once, with status 130 or 143.
    Serve(Serve),
    /// Serve an echo at every path: what comes in goes out.
    ///
    /// Pages of all origins may connect. SIGINT and SIGTERM end it as they end `serve`.
    Echo(Echo),
    /// Connect to a server: lines from standard input go out, messages go to standard output.
    ///
    /// Text is printed as a line, binary as it is. At a terminal, Ctrl-D ends the conversation. When piped input ends, answers
    /// are awaited: each for --wait seconds, until as many messages have come as lines were sent, then for half a second
    /// more. With no line at all, messages are printed until none has come for --wait seconds.
    ///
    /// The exit status is 0 after that, and after a clean close of the server's (1000, 1001 or no code); 130 after SIGINT and 143
    /// after SIGTERM, which close with 1001; and 1 otherwise: no connection, another end of it, fewer messages than
    /// lines, or a line that could not be sent.
    Connect(Connect),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Listen {
    /// The address to listen on: ADDRESS:PORT, or :PORT for all IPv4 addresses; port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = values::address)]
    pub(crate) listen: SocketAddr,

    /// Threads that serve, each with connections of its own [default: one for each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Seconds that open connections have to close when the server is told to stop (SIGINT or SIGTERM).
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = values::seconds)]
    pub(crate) grace: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) listen: Listen,

    #[command(flatten)]
    pub(crate) wire: Wire,
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

    /// The largest message that is received, in bytes after decompression; 64K, 16M and 1G are understood.
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = values::bytes)]
    pub(crate) max_message: u64,
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
    /// Each message with the memory of those before it: smaller on the wire, but about 230 KB for each connection in use.
    Takeover,
}

#[derive(Args, Debug)]
pub(crate) struct Connect {
    /// Where to connect: ws://HOST[:PORT]/PATH, or wss:// for TLS; http:// is taken for ws://, https:// for wss://.
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// A header for the opening request, as 'Name: value'; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<Header>,

    /// A subprotocol to offer, the preferred one first; may be repeated.
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,

    /// Trust the authorities of this PEM file beside the system's, to a wss:// server; may be repeated.
    #[arg(long = "ca", value_name = "FILE", value_parser = values::authorities)]
    pub(crate) authorities: Vec<Authorities>,

    /// Dangerous: take any certificate of a wss:// server, so that anybody on the way can read and change everything.
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Send each line as a binary message, whatever its bytes; without this, a line that is not UTF-8 is left out.
    #[arg(short, long)]
    pub(crate) binary: bool,

    /// Seconds to wait for each answer after piped input has ended: 0 waits for none, `forever` until the server closes.
    #[arg(
        short,
        long,
        value_name = "SECONDS",
        default_value = "10",
        allow_negative_numbers = true
    )]
    pub(crate) wait: Patience,

    #[command(flatten)]
    pub(crate) way: Way,

    #[command(flatten)]
    pub(crate) wire: Wire,
}

/// How a server is reached.
#[derive(Args, Debug)]
pub(crate) struct Way {
    /// Connect through this proxy: [SCHEME://][USER:PASSWORD@]HOST[:PORT], with http (the default), https, socks5, socks5h (the proxy
    /// looks names up), socks4 or socks4a.
    ///
    /// Without this, the environment names it: for wss:// the first that is set of wss_proxy, https_proxy and all_proxy, for ws:// of
    /// ws_proxy, http_proxy and all_proxy, in lower case before upper case. Hosts in no_proxy, such as
    /// 'localhost,.example.com,10.0.0.0/8', are connected to directly; `*` means all.
    #[arg(long, value_name = "URL", value_parser = values::proxy, conflicts_with = "no_proxy")]
    pub(crate) proxy: Option<duplexer::Proxy>,

    /// Connect directly, whatever proxies the environment names.
    #[arg(long)]
    pub(crate) no_proxy: bool,

    #[command(flatten)]
    pub(crate) local: Local,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
