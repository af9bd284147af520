//! Programs that a test starts, talks to in lines, and ends. Each wait has a deadline, and a program never outlives its test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A running program. Dropping it ends it, by the pid that we were given when we started it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    talk: Option<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl Program {
    /// Starts a program that writes only for people: both its streams go into the file `log`.
    ///
    /// # Errors
    /// When the log cannot be written or the program not be started.
    pub fn logging(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = spawn(name, &mut command)?;
        Ok(Self { name: name.to_owned(), child, talk: None })
    }

    /// Starts a program that talks to the test in lines on its standard input and output; what it writes to standard error is
    /// shown with the test's own.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn talking(name: &str, mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(name, &mut command)?;
        let input = child.stdin.take().context("the standard input was asked for")?;
        let output = child.stdout.take().context("the standard output was asked for")?;
        let talk = Some((input, BufReader::new(output).lines()));
        Ok(Self { name: name.to_owned(), child, talk })
    }

    /// Writes one line to the program.
    ///
    /// # Errors
    /// When it no longer reads.
    pub async fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let name = &self.name;
        let (input, _) = self.talk.as_mut().with_context(|| format!("{name} does not talk"))?;
        let sent = input.write_all(format!("{line}\n").as_bytes()).await;
        sent.with_context(|| format!("{name} no longer reads"))
    }

    /// Waits for the program's next line, at most a minute.
    ///
    /// # Errors
    /// When it ends or stays silent.
    pub async fn hear(&mut self) -> anyhow::Result<String> {
        let name = &self.name;
        let (_, output) = self.talk.as_mut().with_context(|| format!("{name} does not talk"))?;
        match timeout(SILENCE, output.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => bail!("{name} closed its output"),
            Ok(Err(error)) => Err(error).with_context(|| format!("cannot read from {name}")),
            Err(_) => bail!("{name} said nothing for {SILENCE:?}"),
        }
    }

    /// Waits for the line in which the program names the loopback address it listens on.
    ///
    /// # Errors
    /// When its next line holds no such address.
    pub async fn hear_address(&mut self) -> anyhow::Result<SocketAddr> {
        let line = self.hear().await?;
        address(&line).with_context(|| format!("no address in {:?} from {}", line, self.name))
    }

    /// Waits for the program's own end. One that takes longer than `limit` is ended and counts as failed.
    ///
    /// # Errors
    /// When the limit is reached.
    pub async fn ended(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        match timeout(limit, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                self.child.kill().await?;
                bail!("{} was still running after {limit:?}", self.name)
            }
        }
    }

    /// Checks that the program has not ended by itself.
    ///
    /// # Errors
    /// When it has.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended early with {status}", self.name),
        }
    }

    /// Ends a program that should still be running.
    ///
    /// # Errors
    /// When it had already ended by itself.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.still_runs()?;
        Ok(self.child.kill().await?)
    }
}

fn spawn(name: &str, command: &mut Command) -> anyhow::Result<Child> {
    let child = command.kill_on_drop(true).spawn();
    child.with_context(|| format!("cannot start {name}: {command:?}"))
}

/// Finds `127.0.0.1:PORT` in a line meant for people.
fn address(line: &str) -> Option<SocketAddr> {
    let rest = &line[line.find(LOOPBACK)?..];
    let digits = rest[LOOPBACK.len()..].find(|c: char| !c.is_ascii_digit());
    rest[..digits.map_or(rest.len(), |end| LOOPBACK.len() + end)].parse().ok()
}

/// Reads a path or a setting that `cargo xtask` hands to the tests.
///
/// # Errors
/// When the variable is not set, which means that the test was started without the chore.
pub fn setting(name: &str, chore: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set; run `cargo xtask {chore}`"))
}

const LOOPBACK: &str = "127.0.0.1:";
const SILENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_a_line_for_people() {
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 4080)));
        assert_eq!(address("listening on ws://127.0.0.1:4080/ (deflate)"), expected);
        assert_eq!(address("127.0.0.1:4080"), expected);
        assert_eq!(address("listening on port 4080"), None);
        assert_eq!(address("127.0.0.1:"), None);
    }
}
