//! Counts a server's system calls with strace. A process in, a number for each name out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

/// How often each system call was made, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls(BTreeMap<String, u64>);

/// What a system call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Takes bytes in.
    Receive,
    /// Sends bytes away.
    Send,
    /// Waits for what is next.
    Wait,
    /// Everything else: sockets opened and closed, memory, clocks, other threads woken.
    Other,
}

impl Kind {
    /// All kinds, as tables have them.
    pub const ALL: [Self; 4] = [Self::Receive, Self::Send, Self::Wait, Self::Other];

    /// Returns what tables and files call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
            Self::Wait => "wait",
            Self::Other => "other",
        }
    }

    /// Sorts a system call. A pipe or an event that wakes another thread is taken for what it is read and written with.
    #[must_use]
    pub fn of(call: &str) -> Self {
        match call {
            "read" | "readv" | "recvfrom" | "recvmsg" | "recvmmsg" => Self::Receive,
            "write" | "writev" | "sendto" | "sendmsg" | "sendmmsg" => Self::Send,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll" | "ppoll" | "select" => {
                Self::Wait
            }
            _ => Self::Other,
        }
    }
}

impl Calls {
    /// Returns each call's name and number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }

    /// Reads the table that `strace -c -U name,calls` writes; one without any call is empty.
    fn parsed(table: &str) -> anyhow::Result<Self> {
        let mut calls = BTreeMap::new();
        for line in table.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(count), None) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if name == "syscall" || name == "total" || name.starts_with('-') {
                continue;
            }
            let count = count.parse().with_context(|| format!("strace says {line:?}"))?;
            calls.insert(name.to_owned(), count);
        }
        Ok(Self(calls))
    }
}

/// Finds out whether strace may trace a process that it has not started, by one that does nothing; `scratch` is a folder.
///
/// # Errors
/// Fails with what strace says: the system forbids it, or there is none.
pub fn probe(strace: &Path, scratch: &Path) -> anyhow::Result<()> {
    let mut idle = Command::new("sleep").arg("60").spawn().context("starting sleep")?;
    let traced = Tracer::attach(strace, idle.id(), &scratch.join("probe"));
    let _ended = idle.kill().and_then(|()| idle.wait());
    traced.map(drop)
}

/// strace at work on a process; it lets go when this is dropped.
#[derive(Debug)]
pub(super) struct Tracer {
    strace: Child,
    /// Held open, since strace says there that it lets go.
    _said: BufReader<ChildStderr>,
    table: PathBuf,
}

impl Tracer {
    /// Has `strace` count the calls of all threads of a process, and writes its table into `table` in the end.
    pub(super) fn attach(strace: &Path, pid: u32, table: &Path) -> anyhow::Result<Self> {
        let mut strace = Command::new(strace)
            .args(["-f", "-c", "-U", "name,calls", "-p", &pid.to_string(), "-o"])
            .arg(table)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting strace")?;
        let mut said = BufReader::new(strace.stderr.take().context("its errors are not piped")?);
        let mut heard = String::new();
        while !heard.contains("attached") {
            if said.read_line(&mut heard)? == 0 {
                let _ended = strace.wait();
                anyhow::bail!("strace may not trace the process {pid}: {}", heard.trim());
            }
        }
        Ok(Self { strace, _said: said, table: table.to_owned() })
    }

    /// Lets go of the process; returns what it has called since.
    pub(super) fn detach(mut self) -> anyhow::Result<Calls> {
        self.end();
        let table = fs::read_to_string(&self.table).context("strace has written no table")?;
        Calls::parsed(&table)
    }

    fn end(&mut self) {
        if let Ok(None) = self.strace.try_wait() {
            // Fails only when strace has ended meanwhile, with the process that it traced.
            let _told = kill_process(Pid::from_child(&self.strace), Signal::INT);
            let _ended = self.strace.wait();
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::{Calls, Kind};

    #[test]
    fn a_table_of_strace_is_read_without_its_frame() -> anyhow::Result<()> {
        let table = "syscall                  calls\n\
                     ---------------- -------------\n\
                     recvfrom                   120\n\
                     epoll_wait                   7\n\
                     ---------------- -------------\n\
                     total                      127\n";
        let calls = Calls::parsed(table)?;
        assert_eq!(calls.iter().collect::<Vec<_>>(), [("epoll_wait", 7), ("recvfrom", 120)]);
        assert_eq!(Calls::parsed("")?, Calls::default());
        assert!(Calls::parsed("recvfrom many\n").is_err());
        Ok(())
    }

    #[test]
    fn a_call_of_no_other_kind_is_counted_as_other() {
        let kinds = ["recvfrom", "writev", "epoll_wait", "futex"].map(Kind::of);
        assert_eq!(kinds, [Kind::Receive, Kind::Send, Kind::Wait, Kind::Other]);
    }
}
