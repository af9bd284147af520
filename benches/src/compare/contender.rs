//! The servers that are compared and how each is started. A folder of programs in, running processes out.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;

use super::machine::{GENERATOR_CORE, SERVER_CORE};
use super::mode::Mode;
use crate::load::{Target, pin_to};

/// One server that is measured: its programs and their settings.
#[derive(Debug)]
pub struct Contender {
    /// What tables and `--server` call it.
    pub name: &'static str,
    /// The library and version behind it.
    pub what: &'static str,
    programs: Vec<Program>,
}

/// How a server is started for one mode.
#[derive(Debug)]
struct Program {
    mode: Mode,
    name: &'static str,
    arguments: Vec<&'static str>,
}

/// Returns every server, the one that the others are divided by first.
#[must_use]
pub fn contenders() -> Vec<Contender> {
    let contender = Contender::echoing;
    vec![
        contender("ideal", "the floor on tokio, no protocol", "ideal", &[])
            .can(Mode::Tls, &["--tls"])
            .can(Mode::Streamed, &[]),
        contender("duplexer", "this project's program", "duplexer", &["echo", "--threads", "1"])
            .can(Mode::DeflateNoTakeover, &[])
            .can(Mode::DeflateTakeover, &["--deflate", "takeover"])
            .can_as(Mode::Client, "client_duplexer", &[])
            .can_as(Mode::FanOut, "ours", &["--fan-out"])
            .can_as(Mode::KeptAlive, "ours", &["--keepalive-ms", "2000"])
            .can_as(Mode::Streamed, "ours", &["--streamed"])
            .can_as(Mode::Tls, "ours", &["--tls"]),
        Contender::new("duplexer-batch", "feed, and a flush after sixteen").can_as(
            Mode::Client,
            "client_duplexer",
            &["--batch"],
        ),
        contender("duplexer-reader", "its reader, piece by piece", "ours", &["--reader"])
            .can(Mode::KeptAlive, &["--keepalive-ms", "2000"]),
        contender(
            "duplexer-2-threads",
            "two threads on the one core",
            "duplexer",
            &["echo", "--threads", "2"],
        ),
        contender("fastwebsockets", "0.10.0, upgraded by hyper", "fastwebsockets", &[]).can_as(
            Mode::Client,
            "client_fastwebsockets",
            &[],
        ),
        contender(
            "fastwebsockets-bare",
            "0.10.0, handshake by hand",
            "fastwebsockets",
            &["--bare"],
        )
        .can_as(Mode::Tls, "over_tls", &["--library", "fastwebsockets"]),
        contender("tungstenite", "tokio-tungstenite 0.30.0", "tungstenite", &[])
            .can_as(Mode::Client, "client_tungstenite", &[])
            .can_as(Mode::Tls, "over_tls", &["--library", "tungstenite"]),
        contender("tungstenite-batch", "the same, feed then flush", "tungstenite", &["--batch"])
            .can_as(Mode::Client, "client_tungstenite", &["--batch"]),
        contender(
            "tungstenite-4k",
            "the same, 4 KiB read buffer",
            "tungstenite",
            &["--read-buffer", "4096"],
        ),
        contender(
            "tungstenite-4k-batch",
            "the same, both",
            "tungstenite",
            &["--read-buffer", "4096", "--batch"],
        ),
    ]
}

impl Contender {
    /// Describes what knows no mode until [`can_as`](Self::can_as) says so.
    #[must_use]
    pub fn new(name: &'static str, what: &'static str) -> Self {
        Self { name, what, programs: Vec::new() }
    }

    /// Describes a server that echoes, and does nothing else until [`can`](Self::can) says so.
    #[must_use]
    pub fn echoing(
        name: &'static str,
        what: &'static str,
        program: &'static str,
        arguments: &[&'static str],
    ) -> Self {
        Self::new(name, what).can_as(Mode::Echo, program, arguments)
    }

    /// Adds a mode, which the program that echoes is switched to by `arguments` beside its others.
    ///
    /// # Panics
    /// Panics where no program echoes.
    #[must_use]
    pub fn can(self, mode: Mode, arguments: &[&'static str]) -> Self {
        let Program { name, arguments: others, .. } = &self.programs[0];
        let (name, arguments) = (*name, [others, arguments].concat());
        self.can_as(mode, name, &arguments)
    }

    /// Adds a mode, for which another program stands in.
    #[must_use]
    pub fn can_as(mut self, mode: Mode, program: &'static str, arguments: &[&'static str]) -> Self {
        self.programs.push(Program { mode, name: program, arguments: arguments.to_vec() });
        self
    }

    /// Tells whether the server can be what a workload asks for.
    #[must_use]
    pub fn knows(&self, mode: Mode) -> bool {
        self.program(mode).is_some()
    }

    /// Returns what is started for a mode. Who says nothing of pings echoes without them.
    fn program(&self, mode: Mode) -> Option<&Program> {
        let of = |mode| self.programs.iter().find(|program| program.mode == mode);
        of(mode).or_else(|| if mode == Mode::KeptAlive { of(Mode::Echo) } else { None })
    }

    /// Starts the server on its own core and waits until it listens.
    ///
    /// # Errors
    /// Fails when the server does not know the mode, its program is not in `programs`, ends, or prints no loopback
    /// address within ten seconds.
    pub fn start(&self, programs: &Path, mode: Mode) -> anyhow::Result<Running> {
        let Program { name, arguments, .. } =
            self.program(mode).with_context(|| format!("{} does not know {mode:?}", self.name))?;
        let program = programs.join(name);
        // A child inherits the cores of the thread that starts it.
        pin_to(SERVER_CORE)?;
        let child = Command::new(&program)
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        pin_to(GENERATOR_CORE)?;
        let mut child = Guard(child.with_context(|| format!("starting {}", program.display()))?);
        let address = child.listening_at().with_context(|| format!("starting {}", self.name))?;
        let target = Target { address, pid: child.0.id() };
        Ok(Running { target, _child: child })
    }
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it is and whom to charge.
    pub target: Target,
    _child: Guard,
}

/// A child process that does not outlive its owner.
#[derive(Debug)]
struct Guard(Child);

impl Guard {
    /// Waits for the line that names the address, and goes on emptying the pipe so that the server never waits for it.
    fn listening_at(&mut self) -> anyhow::Result<SocketAddr> {
        let printed = self.0.stdout.take().context("its output is not piped")?;
        let (found, address) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(printed).lines().map_while(Result::ok) {
                if let Some(address) = loopback_address(&line) {
                    // Nobody listens any more once the first address was taken.
                    let _heard = found.send(address);
                }
            }
        });
        address.recv_timeout(START_WAIT).context("it printed no 127.0.0.1 address to connect to")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only when the server has ended by itself, which the measurement has then reported.
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Finds `127.0.0.1:PORT` anywhere in a line.
fn loopback_address(line: &str) -> Option<SocketAddr> {
    let start = line.find("127.0.0.1:")?;
    let end = line[start..].find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    line[start..end.map_or(line.len(), |length| start + length)].parse().ok()
}

const START_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::loopback_address;

    #[test]
    fn the_address_is_found_within_a_sentence() {
        let expected = "127.0.0.1:4321".parse().ok();
        assert_eq!(loopback_address("listening on 127.0.0.1:4321"), expected);
        assert_eq!(loopback_address("Echoing at ws://127.0.0.1:4321/ (1 thread)"), expected);
        assert_eq!(loopback_address("listening on 127.0.0.1:port"), None);
    }
}
