//! Reads what a process has cost so far: CPU time of its threads and resident memory. A process id in, numbers out.
//!
//! The scheduler brings a thread's account up to date when the thread is switched out, so a reader lets the process fall
//! idle first. Threads that have ended are deliberately not counted: no measured server ends a thread while it serves.

use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::sample::{Sample, Target};
use super::witness::Witness;

/// An account opened on a server and on this thread, to be closed when the counted part is over.
#[derive(Debug)]
pub(super) struct Account {
    pid: u32,
    witness: Option<Rc<dyn Witness>>,
    server: Schedule,
    generator: Schedule,
    opened: Instant,
}

impl Account {
    /// Opens the account once the server has had time to fall idle.
    ///
    /// # Errors
    /// Fails when the process is gone, the kernel keeps no `schedstat`, or a witness cannot look.
    pub(super) fn open(target: &Target) -> anyhow::Result<Self> {
        settle();
        let (pid, witness) = (target.pid, target.witness.clone());
        if let Some(witness) = &witness {
            witness.begin(pid)?;
        }
        let (server, generator) = (Schedule::of_process(pid)?, Schedule::of_this_thread()?);
        Ok(Self { pid, witness, server, generator, opened: Instant::now() })
    }

    /// Closes the account and divides it by what was done: `count` messages or openings.
    ///
    /// # Errors
    /// Fails when the process is gone or a witness has seen nothing.
    pub(super) fn close(self, count: u64) -> anyhow::Result<Sample> {
        let elapsed_ns = self.opened.elapsed().as_nanos() as f64;
        let generator = Schedule::of_this_thread()?.since(self.generator);
        settle();
        let server = Schedule::of_process(self.pid)?.since(self.server);
        if let Some(witness) = &self.witness {
            witness.end(count)?;
        }
        Ok(Sample {
            generator_us: Some(generator.ran_ns as f64 / 1e3 / count as f64),
            server_busy: Some(server.ran_ns as f64 / elapsed_ns),
            waited: Some(server.waited_ns.max(generator.waited_ns) as f64 / elapsed_ns),
            ..Sample::of(server.ran_ns as f64 / 1e3 / count as f64)
        })
    }
}

/// How long threads ran, and how long they were ready while something else ran on their core.
#[derive(Debug, Clone, Copy, Default)]
struct Schedule {
    ran_ns: u64,
    waited_ns: u64,
}

impl Schedule {
    fn of_process(pid: u32) -> anyhow::Result<Self> {
        let tasks = format!("/proc/{pid}/task");
        let mut sum = Self::default();
        for thread in
            fs::read_dir(&tasks).with_context(|| format!("the server is gone: {tasks}"))?
        {
            let thread = Self::read(&format!("{}/schedstat", thread?.path().display()))?;
            sum.ran_ns += thread.ran_ns;
            sum.waited_ns += thread.waited_ns;
        }
        Ok(sum)
    }

    fn of_this_thread() -> anyhow::Result<Self> {
        // Yielding makes the scheduler bring this thread's own account up to date.
        std::thread::yield_now();
        Self::read("/proc/thread-self/schedstat")
    }

    fn read(path: &str) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        let mut fields = text.split_whitespace();
        let mut field =
            || anyhow::Ok(fields.next().with_context(|| format!("{path} is short"))?.parse()?);
        Ok(Self { ran_ns: field()?, waited_ns: field()? })
    }

    fn since(self, earlier: Self) -> Self {
        // The sum shrinks when a thread has ended, which no measured server lets happen.
        Self {
            ran_ns: self.ran_ns.saturating_sub(earlier.ran_ns),
            waited_ns: self.waited_ns.saturating_sub(earlier.waited_ns),
        }
    }
}

/// Returns the resident bytes of a process.
///
/// # Errors
/// Fails when the process is gone.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: u64 = kib.with_context(|| format!("no VmRSS in {path}"))?.parse()?;
    Ok(kib * 1024)
}

/// Gives the server time to fall idle.
pub(super) fn settle() {
    std::thread::sleep(Duration::from_millis(20));
}
