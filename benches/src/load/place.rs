//! Places a process on the machine: the core it runs on and how many files it may open.

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Pins the calling thread, and what it starts from now on, to one core.
///
/// # Errors
/// Fails when the machine has no such core or it may not be used.
pub fn pin_to(core: usize) -> anyhow::Result<()> {
    pin_to_all(&[core])
}

/// Pins the calling thread, and what it starts from now on, to some cores.
///
/// # Errors
/// Fails when the machine has no such core or it may not be used.
pub fn pin_to_all(cores: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).with_context(|| format!("pinning to cores {cores:?}"))
}

/// Raises the number of files that this process, and what it starts, may open, as far as the hard limit allows.
///
/// # Errors
/// Fails when the hard limit is below `files`, and says how to raise it.
pub fn raise_file_limit(files: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= files) {
        return Ok(());
    }
    anyhow::ensure!(
        limit.maximum.is_none_or(|maximum| maximum >= files),
        "{files} open files are needed and the hard limit is {:?}: raise it (`ulimit -Hn {files}`, as root)",
        limit.maximum
    );
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: limit.maximum })
        .with_context(|| format!("raising the number of open files to {files}"))
}
