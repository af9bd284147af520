//! One command of a recipe: run to its end, quiet when it works, with its output shown when it does not, never without a deadline.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::place::target_folder;

/// A command of a recipe, being put together.
pub(crate) struct Step {
    command: Command,
    limit: Duration,
}

impl Step {
    /// Starts from the program's name or path.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Self { command, limit: LIMIT }
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets one variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Chooses the working directory.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it and returns what it wrote, both streams in one; fails with the end of that text when the command fails or takes
    /// longer than ten minutes.
    pub(crate) fn run(mut self) -> anyhow::Result<String> {
        let shown = format!("{:?}", self.command);
        let folder = target_folder()?.join("tools");
        fs::create_dir_all(&folder)?;
        let log = folder.join(format!("step-{}.log", std::process::id()));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        self.command.stdout(file.try_clone()?).stderr(file);
        let mut child = self.command.spawn().with_context(|| format!("cannot start {shown}"))?;
        let status = wait(&mut child, self.limit);
        let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        fs::remove_file(&log)?;
        match status? {
            Some(status) if status.success() => Ok(output),
            Some(status) => bail!("{shown}\nended with {status}:\n{}", tail(&output)),
            None => bail!("{shown}\ntook longer than {:?}:\n{}", self.limit, tail(&output)),
        }
    }
}

/// Waits for the child at most `limit`, then ends it and returns `None`.
fn wait(child: &mut Child, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// The last lines of a command's output, which is where the reason stands.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

const LIMIT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(20);
const SHOWN_LINES: usize = 30;
