//! The time as the core counts it: since the first look of this process. Follows tokio's clock, which tests can pause.

use std::sync::OnceLock;

use duplexer_proto::Time;
use tokio::time::Instant;

/// The time now.
pub(crate) fn now() -> Time {
    Time::from_origin(Instant::now().saturating_duration_since(origin()))
}

/// The instant that `time` stands for.
pub(crate) fn instant(time: Time) -> Instant {
    origin().checked_add(time.elapsed()).unwrap_or_else(|| Instant::now() + FAR)
}

/// A while before this process first looked. Taken from the system's clock, not from tokio's: a paused clock begins at the
/// system's time, and must not lie before the origin.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        let now = std::time::Instant::now();
        now.checked_sub(std::time::Duration::from_secs(60)).unwrap_or(now).into()
    })
}

/// Later than any deadline that matters.
const FAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);
