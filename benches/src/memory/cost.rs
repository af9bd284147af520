//! What this process has cost so far: CPU time, wall-clock time and resident memory. Nothing in, numbers out.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::load::resident_bytes;

/// What has been spent at one point in time, to be compared with a later one.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    cpu: Duration,
    at: Instant,
    resident_bytes: u64,
}

impl Cost {
    /// Reads the clocks of this process and weighs it.
    ///
    /// # Errors
    /// Fails when `/proc` does not tell.
    pub fn now() -> anyhow::Result<Self> {
        let resident_bytes = resident_bytes(std::process::id())?;
        let cpu = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?;
        Ok(Self { cpu, at: Instant::now(), resident_bytes })
    }

    /// Returns the seconds that have passed since `earlier`.
    #[must_use]
    pub fn seconds_since(&self, earlier: &Self) -> f64 {
        self.at.duration_since(earlier.at).as_secs_f64()
    }

    /// Returns the µs of CPU since `earlier` for each of `count`.
    #[must_use]
    pub fn cpu_us_since(&self, earlier: &Self, count: u64) -> f64 {
        self.cpu.saturating_sub(earlier.cpu).as_secs_f64() * 1e6 / count as f64
    }

    /// Returns the resident bytes that have been added since `earlier` for each of `count`; none where the process has shrunk.
    #[must_use]
    pub fn bytes_since(&self, earlier: &Self, count: u64) -> f64 {
        self.resident_bytes.saturating_sub(earlier.resident_bytes) as f64 / count as f64
    }
}

/// Sees to it that this process never has more memory than so many bytes: it ends when it asks for more.
///
/// # Errors
/// Fails when the kernel refuses.
pub fn bound_memory(bytes: u64) -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::As);
    let bound = Rlimit { current: Some(maximum.map_or(bytes, |it| it.min(bytes))), maximum };
    setrlimit(Resource::As, bound).context("bounding this process' memory")
}
