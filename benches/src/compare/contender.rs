//! The servers that are compared and how each is started. Programs in, running processes out.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;

use super::library::Library;
use super::machine::{GENERATOR_CORE, SERVER_CORE};
use super::plot::Side;
use super::programs::{Program, Programs};
use crate::load::{Reply, Target, pin_to};

/// One server that is measured: a program and its settings.
#[derive(Debug)]
pub struct Contender {
    /// What tables and `--server` call it.
    pub name: &'static str,
    /// What it is written with.
    pub library: Library,
    /// How it uses the library, in a few words.
    pub manner: &'static str,
    program: Program,
    arguments: &'static [&'static str],
    reply: Reply,
}

/// Returns every server, the one that the others are divided by first.
#[must_use]
pub fn contenders() -> Vec<Contender> {
    use Library::{Crate, Npm, UWebSockets};
    use Program::{Built, Bun, Node};
    let row = |name, library, manner, program, arguments| {
        let reply = Reply::Unmasked;
        Contender { name, library, manner, program, arguments, reply }
    };
    let bytes = |name, manner, arguments| Contender {
        reply: Reply::Verbatim,
        ..row(name, Library::Nothing, manner, Built("tcp"), arguments)
    };
    let (fast, sockudo) = (Crate("fastwebsockets"), Crate("sockudo-ws"));
    let (tungstenite, yawc) = (Crate("tokio-tungstenite"), Crate("yawc"));
    let (tokio_websockets, axum) = (Crate("tokio-websockets"), Crate("axum"));
    vec![
        row("ideal", Library::Nothing, "the floor on tokio, no protocol", Built("ideal"), &[]),
        bytes("tcp-epoll", "bytes sent back as they came, bare epoll", &["--epoll"]),
        bytes("tcp-tokio", "bytes sent back as they came, tokio", &[]),
        row(
            "duplexer",
            Crate("duplexer-cli"),
            "this project's program",
            Built("duplexer"),
            &["echo", "--threads", "1"],
        ),
        row("fastwebsockets", fast, "upgraded by hyper", Built("fastwebsockets"), &[]),
        row("fastwebsockets-bare", fast, "handshake by hand", Built("fastwebsockets"), &["--bare"]),
        row("tokio-websockets", tokio_websockets, "defaults", Built("tokio-websockets"), &[]),
        row(
            "tokio-websockets-batch",
            tokio_websockets,
            "as its echo_server, one flush for all that arrived",
            Built("tokio-websockets"),
            &["--batch"],
        ),
        row("sockudo-ws", sockudo, "defaults", Built("sockudo-ws"), &[]),
        row("sockudo-ws-batch", sockudo, "feed", Built("sockudo-ws"), &["--batch"]),
        row("yawc", yawc, "upgraded by hyper", Built("yawc"), &[]),
        row("yawc-batch", yawc, "its README's tuning", Built("yawc"), &["--batch"]),
        row("tungstenite", tungstenite, "defaults", Built("tungstenite"), &[]),
        row(
            "tungstenite-batch",
            tungstenite,
            "feed then flush",
            Built("tungstenite"),
            &["--batch"],
        ),
        row(
            "tungstenite-4k",
            tungstenite,
            "4 KiB read buffer",
            Built("tungstenite"),
            &["--read-buffer", "4096"],
        ),
        row(
            "tungstenite-4k-batch",
            tungstenite,
            "both",
            Built("tungstenite"),
            &["--read-buffer", "4096", "--batch"],
        ),
        row("axum", axum, "defaults", Built("axum"), &[]),
        row("axum-4k", axum, "4 KiB read buffer", Built("axum"), &["--read-buffer", "4096"]),
        row("bun", Npm("bun"), "Bun.serve", Bun("bun.js"), &[]),
        row("ws", Npm("ws"), "on node", Node("ws.js"), &[]),
        row("uwebsockets", UWebSockets, "one thread", Program::UWebSockets, &[]),
    ]
}

impl Contender {
    /// Returns why the server cannot be started, where what runs it was not given.
    #[must_use]
    pub fn missing(&self, programs: &Programs) -> Option<&'static str> {
        programs.command(self.program).err()
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

    /// Returns the arguments that make a program this server, for the record.
    #[must_use]
    pub fn arguments(&self) -> &'static [&'static str] {
        self.arguments
    }

    /// Starts the server on its own core, with `more` arguments than its own, and waits until it listens.
    ///
    /// # Errors
    /// Fails when the program is not in `programs`, ends, or prints no loopback address within ten seconds.
    pub fn start(&self, programs: &Programs, more: &[&str]) -> anyhow::Result<Running> {
        let mut command = programs.command(self.program).map_err(anyhow::Error::msg)?;
        // A child inherits the cores of the thread that starts it.
        pin_to(SERVER_CORE)?;
        let child = command
            .args(self.arguments)
            .args(more)
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        pin_to(GENERATOR_CORE)?;
        let program = command.get_program().display();
        let mut child = Guard(child.with_context(|| format!("starting {program}"))?);
        let address = child.listening_at().with_context(|| format!("starting {}", self.name))?;
        let target = Target { address, pid: child.0.id(), reply: self.reply };
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
