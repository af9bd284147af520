//! The servers that are compared and how each is started. Programs in, running processes out.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;

use super::library::Library;
use super::machine::{SERVER_CORE, pinned};
use super::mode::Mode;
use super::plot::Side;
use super::programs::{Program, Programs};
use crate::load::{Reply, Target};

/// One server that is measured: its programs and their settings.
#[derive(Debug)]
pub struct Contender {
    /// What tables and `--server` call it.
    pub name: &'static str,
    /// What it is written with.
    pub library: Library,
    /// How it uses the library, in a few words.
    pub manner: &'static str,
    ways: Vec<Way>,
    reply: Reply,
}

/// How a server is started for one mode.
#[derive(Debug)]
struct Way {
    mode: Mode,
    program: Program,
    arguments: Vec<&'static str>,
}

/// Returns every server, the one that the others are divided by first.
#[must_use]
pub fn contenders() -> Vec<Contender> {
    [floors(), ours(), crates(), others()].into_iter().flatten().collect()
}

fn floors() -> Vec<Contender> {
    let row = |name, manner, program, arguments| {
        let program = Program::Built(program);
        Contender::echoing(name, Library::Nothing, manner, program, arguments)
            .can(Mode::Streamed, &[])
    };
    let bytes = |name, manner, arguments| Contender {
        reply: Reply::Verbatim,
        ..row(name, manner, "tcp", arguments)
    };
    vec![
        row("ideal", "the floor on tokio, no protocol", "ideal", &[])
            .can(Mode::FanOut, &["--fan-out"])
            .can(Mode::Tls, &["--tls"])
            .can(Mode::Large, &[])
            .can(Mode::Workers, &["--workers"]),
        bytes("tcp-epoll", "bytes sent back as they came, bare epoll", &["--epoll"]),
        bytes("tcp-tokio", "bytes sent back as they came, tokio", &[]),
    ]
}

fn ours() -> Vec<Contender> {
    let threads = |name, manner, count: &'static str| {
        let (library, program) = (Library::Crate("duplexer-cli"), Program::Built("duplexer"));
        Contender::echoing(name, library, manner, program, &["echo", "--threads", count])
    };
    let program = Program::Built("ours");
    vec![
        threads("duplexer", "this project's program", "1")
            .can(Mode::DeflateNoTakeover, &[])
            .can(Mode::DeflateTakeover, &["--deflate", "takeover"])
            .can_as(Mode::Client, Program::Built("client_duplexer"), &[])
            .can_as(Mode::FanOut, program, &["--fan-out"])
            .can_as(Mode::KeptAlive, program, &["--keepalive-ms", "2000"])
            .can_as(Mode::KeptAliveDeflate, program, &["--keepalive-ms", "2000"])
            .can_as(Mode::KeptAliveTls, program, &["--tls", "--keepalive-ms", "2000"])
            .can_as(Mode::Streamed, program, &["--streamed"])
            .can_as(Mode::Tls, program, &["--tls"])
            .can(Mode::Large, &["--max-message", "64M"])
            .can_as(Mode::Workers, program, &["--workers"]),
        Contender::new(
            "duplexer-batch",
            Library::Crate("duplexer"),
            "feed, and a flush after sixteen",
        )
        .can_as(Mode::Client, Program::Built("client_duplexer"), &["--batch"]),
        Contender::echoing(
            "duplexer-reader",
            Library::Crate("duplexer"),
            "its reader, piece by piece",
            program,
            &["--reader"],
        )
        .can(Mode::KeptAlive, &["--keepalive-ms", "2000"]),
        threads("duplexer-2-threads", "two threads on the one core", "2"),
    ]
}

/// Rivals of crates.io.
fn crates() -> Vec<Contender> {
    let row = |name, library, manner, program, arguments| {
        let (library, program) = (Library::Crate(library), Program::Built(program));
        Contender::echoing(name, library, manner, program, arguments)
    };
    let fast = |name, manner, more| row(name, "fastwebsockets", manner, "fastwebsockets", more);
    let tokio =
        |name, manner, more| row(name, "tokio-websockets", manner, "tokio-websockets", more);
    let sockudo = |name, manner, more| row(name, "sockudo-ws", manner, "sockudo-ws", more);
    let yawc = |name, manner, more| row(name, "yawc", manner, "yawc", more);
    let tungstenite = |name, manner, more| {
        row(name, "tokio-tungstenite", manner, "tungstenite", more)
            .can(Mode::FanOut, &["--fan-out"])
    };
    let axum = |name, manner, more| row(name, "axum", manner, "axum", more);
    let over_tls = Program::Built("over_tls");
    let (fast_client, tungstenite_client) =
        (Program::Built("client_fastwebsockets"), Program::Built("client_tungstenite"));
    vec![
        fast("fastwebsockets", "upgraded by hyper", &[])
            .can_as(Mode::Client, fast_client, &[])
            .can(Mode::Large, &["--large"])
            .can(Mode::Workers, &["--workers"]),
        fast("fastwebsockets-bare", "handshake by hand", &["--bare"]).can_as(
            Mode::Tls,
            over_tls,
            &["--library", "fastwebsockets"],
        ),
        tokio("tokio-websockets", "defaults", &[]),
        tokio(
            "tokio-websockets-batch",
            "as its echo_server, one flush for all that arrived",
            &["--batch"],
        ),
        sockudo("sockudo-ws", "defaults", &[]).deflating(),
        sockudo("sockudo-ws-batch", "feed", &["--batch"]),
        yawc("yawc", "upgraded by hyper", &[]).deflating(),
        yawc("yawc-batch", "its README's tuning", &["--batch"]),
        tungstenite("tungstenite", "defaults", &[])
            .can_as(Mode::Client, tungstenite_client, &[])
            .can_as(Mode::Tls, over_tls, &["--library", "tungstenite"]),
        tungstenite("tungstenite-batch", "feed then flush", &["--batch"]).can_as(
            Mode::Client,
            tungstenite_client,
            &["--batch"],
        ),
        tungstenite("tungstenite-4k", "4 KiB read buffer", &["--read-buffer", "4096"]),
        tungstenite("tungstenite-4k-batch", "both", &["--read-buffer", "4096", "--batch"]),
        axum("axum", "defaults", &[]),
        axum("axum-4k", "4 KiB read buffer", &["--read-buffer", "4096"]),
    ]
}

/// Rivals in other languages.
fn others() -> Vec<Contender> {
    let (bun, ws) = (Program::Bun("bun.js"), Program::Node("ws.js"));
    let uwebsockets = Program::UWebSockets;
    vec![
        Contender::echoing("bun", Library::Npm("bun"), "Bun.serve", bun, &[])
            .deflating()
            .can(Mode::FanOut, &["--fan-out"]),
        Contender::echoing("ws", Library::Npm("ws"), "on node", ws, &[]).deflating(),
        Contender::echoing("uwebsockets", Library::UWebSockets, "one thread", uwebsockets, &[])
            .deflating()
            .can(Mode::FanOut, &["--fan-out"])
            .can(Mode::Large, &["--large"]),
    ]
}

impl Contender {
    /// Describes what knows no mode until [`can_as`](Self::can_as) says so.
    #[must_use]
    pub fn new(name: &'static str, library: Library, manner: &'static str) -> Self {
        Self { name, library, manner, ways: Vec::new(), reply: Reply::Unmasked }
    }

    /// Describes a server that echoes, and does nothing else until [`can`](Self::can) says so.
    #[must_use]
    pub fn echoing(
        name: &'static str,
        library: Library,
        manner: &'static str,
        program: Program,
        arguments: &[&'static str],
    ) -> Self {
        Self::new(name, library, manner).can_as(Mode::Echo, program, arguments)
    }

    /// Adds a mode, which the program that echoes is switched to by `arguments` beside its others.
    ///
    /// # Panics
    /// Panics where no program echoes.
    #[must_use]
    pub fn can(self, mode: Mode, arguments: &[&'static str]) -> Self {
        let Way { program, arguments: others, .. } = &self.ways[0];
        let (program, arguments) = (*program, [others, arguments].concat());
        self.can_as(mode, program, &arguments)
    }

    /// Adds a mode, for which another program stands in.
    #[must_use]
    pub fn can_as(mut self, mode: Mode, program: Program, arguments: &[&'static str]) -> Self {
        self.ways.push(Way { mode, program, arguments: arguments.to_vec() });
        self
    }

    /// Adds compression, as every program here is told of it.
    fn deflating(self) -> Self {
        self.can(Mode::DeflateNoTakeover, &["--deflate", "no-takeover"])
            .can(Mode::DeflateTakeover, &["--deflate", "takeover"])
    }

    /// Tells whether the server can be what a workload asks for.
    #[must_use]
    pub fn knows(&self, mode: Mode) -> bool {
        self.way(mode).is_some()
    }

    /// Returns what is started for a mode. Who says nothing of pings echoes without them, and a rival that cannot pass on a frame
    /// before it is whole sends it back then.
    fn way(&self, mode: Mode) -> Option<&Way> {
        let of = |mode| self.ways.iter().find(|way| way.mode == mode);
        of(mode).or_else(|| match mode {
            Mode::KeptAlive => of(Mode::Echo),
            Mode::Streamed if self.is_rival() => of(Mode::Echo),
            Mode::KeptAliveDeflate => of(Mode::DeflateNoTakeover),
            Mode::KeptAliveTls => of(Mode::Tls),
            _ => None,
        })
    }

    /// Tells whether what runs in a mode takes its memory from glibc, as programs do that bring no allocator.
    #[must_use]
    pub fn takes_memory_of_glibc(&self, mode: Mode) -> bool {
        match self.way(mode).map(|way| way.program) {
            Some(Program::Built(_) | Program::UWebSockets) => true,
            Some(Program::Node(_) | Program::Bun(_)) | None => false,
        }
    }

    /// Returns why the server cannot be started, where what runs it was not given.
    #[must_use]
    pub fn missing(&self, programs: &Programs) -> Option<&'static str> {
        self.ways.iter().find_map(|way| programs.command(way.program).err())
    }

    /// Returns whose server it is: a floor has no library, and ours is this project's program.
    #[must_use]
    pub fn side(&self) -> Side {
        match self.library {
            Library::Nothing => Side::Floor,
            Library::Crate(name) if name.starts_with("duplexer") => Side::Ours,
            Library::Crate(_) | Library::Npm(_) | Library::UWebSockets => Side::Rival,
        }
    }

    /// Returns whether it is neither ours nor a floor.
    #[must_use]
    pub fn is_rival(&self) -> bool {
        self.side() == Side::Rival
    }

    /// Returns how the server is started in each mode that it knows, for the record.
    pub fn commands(&self) -> impl Iterator<Item = (Mode, String)> {
        self.ways.iter().map(|Way { mode, program, arguments }| {
            let words = [&[program.name()], arguments.as_slice()].concat();
            (*mode, words.join(" "))
        })
    }

    /// Starts the server on its own core and waits until it listens.
    ///
    /// # Errors
    /// Fails when the server does not know the mode, its program is not in `programs`, ends, or prints no loopback
    /// address within ten seconds.
    pub fn start(&self, programs: &Programs, mode: Mode) -> anyhow::Result<Running> {
        self.start_placed(programs, mode, &Placed::default())
    }

    /// The same, after `prepare` has had the command.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_as(
        &self,
        programs: &Programs,
        mode: Mode,
        prepare: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Running> {
        self.start_with(programs, mode, &Placed::default(), prepare)
    }

    /// Starts the server where it is told to run, as [`start`](Self::start) does on its own core.
    ///
    /// # Errors
    /// See [`start`](Self::start); also when there is no such core.
    pub fn start_placed(
        &self,
        programs: &Programs,
        mode: Mode,
        placed: &Placed,
    ) -> anyhow::Result<Running> {
        self.start_with(programs, mode, placed, |_| {})
    }

    fn start_with(
        &self,
        programs: &Programs,
        mode: Mode,
        placed: &Placed,
        prepare: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Running> {
        let Way { program, arguments, .. } =
            self.way(mode).with_context(|| format!("{} does not know {mode:?}", self.name))?;
        let mut command = programs.command(*program).map_err(anyhow::Error::msg)?;
        prepare(&mut command);
        command.args(arguments).args(placed.workers.map(|it| it.to_string()));
        command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let child = pinned(&placed.cores, || command.spawn())?;
        let program = command.get_program().display();
        let mut child = Guard(child.with_context(|| format!("starting {program}"))?);
        let address = child.listening_at().with_context(|| format!("starting {}", self.name))?;
        let target = Target { address, pid: child.0.id(), reply: self.reply, witness: None };
        Ok(Running { target, _child: child })
    }
}

/// Where a server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The cores that it may use.
    pub cores: Vec<usize>,
    /// How many workers it is told to have; only in [`Mode::Workers`], and there always.
    pub workers: Option<u64>,
}

impl Default for Placed {
    /// On the servers' core alone.
    fn default() -> Self {
        Self { cores: vec![SERVER_CORE], workers: None }
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
