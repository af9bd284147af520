//! A point in time after which a measurement is given up, so that a server that stops answering ends the run.

use std::time::{Duration, Instant};

/// When a measurement must be over.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// Sets the deadline `wait` from now.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    /// Returns the time that is left.
    ///
    /// # Errors
    /// Fails once nothing is left, naming `waiting_for`.
    pub fn left(self, waiting_for: &str) -> anyhow::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        anyhow::ensure!(!left.is_zero(), "the time was over while waiting for {waiting_for}");
        Ok(left)
    }
}
