//! Network namespaces of Linux, for tests of networks that are broken in ways that a loopback interface never is. Need root.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::setting;

/// A network of its own, with a loopback interface and no way out. The one who made it removes it by dropping it.
#[derive(Debug)]
pub struct Network {
    name: String,
    ip: String,
    made: bool,
}

impl Network {
    /// Makes a network whose name holds `label` and this process' number.
    ///
    /// # Errors
    /// When this process is not root, may not make networks all the same, or was not started by `chore`.
    pub async fn new(label: &str, chore: &str) -> anyhow::Result<Self> {
        let user = std::fs::metadata("/proc/self").context("this is no Linux")?.uid();
        ensure!(user == 0, "only root can make network namespaces, and this is user {user}");
        let ip = setting("DUPLEXER_IP", chore)?;
        let name = format!("duplexer-{label}-{}", std::process::id());
        run(Command::new(&ip).args(["netns", "add", &name])).await.context(
            "root may not make network namespaces here, as in a container without CAP_SYS_ADMIN",
        )?;
        let network = Self { name, ip, made: true };
        network.configure("link set lo up").await?;
        Ok(network)
    }

    /// The network that another process has made under this name, and will remove.
    ///
    /// # Errors
    /// When this process was not started by `chore`.
    pub fn existing(name: String, chore: &str) -> anyhow::Result<Self> {
        Ok(Self { name, ip: setting("DUPLEXER_IP", chore)?, made: false })
    }

    /// What it is called, by `ip netns` as well.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes it: `line` is what follows `ip` on a command line.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub async fn configure(&self, line: &str) -> anyhow::Result<()> {
        run(Command::new(&self.ip).args(["-n", &self.name]).args(line.split(' '))).await
    }

    /// Gives those inside it their own /etc/hosts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn hosts(&self, lines: &str) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.folder())?;
        Ok(std::fs::write(self.folder().join("hosts"), lines)?)
    }

    /// A program inside it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", &self.name]).arg(program).kill_on_drop(true);
        command
    }

    /// Runs the ignored test of this name once more, inside this network, with a variable by which it knows that it is there.
    ///
    /// # Errors
    /// When the test fails there, or takes longer than a minute.
    pub async fn repeat(&self, test: &str, variable: &str, value: &str) -> anyhow::Result<()> {
        let mut command = self.command(std::env::current_exe()?);
        command.args(["--ignored", "--exact", "--nocapture", test]).env(variable, value);
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.with_context(|| format!("{test} took longer than {PATIENCE:?}"))??;
        let told = String::from_utf8_lossy(&output.stdout);
        print!("{told}");
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        // A name that no test has would be a success as well.
        let passed = output.status.success() && told.contains("test result: ok. 1 passed");
        ensure!(passed, "{test}, inside {}: {}", self.name, output.status);
        Ok(())
    }

    /// Where its own files of /etc are.
    fn folder(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if self.made {
            let delete = ["netns", "delete", &self.name];
            let _ = std::process::Command::new(&self.ip).args(delete).status();
            let _ = std::fs::remove_dir_all(self.folder());
        }
    }
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = timeout(PATIENCE, command.kill_on_drop(true).status()).await;
    let status = status.with_context(|| format!("{command:?} took longer than {PATIENCE:?}"))??;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(60);
