//! A point in time as the core sees it: a duration since an origin that the caller chooses and keeps.
//! The core never reads a clock; tests run on a virtual one.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Add;
use std::time::Duration;

/// A point in time, measured from an origin that the caller fixes once per connection.
///
/// ```
/// use duplexer_proto::Time;
/// use std::time::Duration;
/// let opened = Time::ORIGIN + Duration::from_secs(1);
/// assert_eq!((opened + Duration::from_secs(2)).since(opened), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Nanoseconds after the origin, and one: enough for 584 years, in half the room of a `Duration`, and of an
    /// `Option<Duration>` where there may be none.
    nanos: NonZeroU64,
}

impl Time {
    /// The caller's origin.
    pub const ORIGIN: Self = Self { nanos: NonZeroU64::MIN };

    /// The point `elapsed` after the origin.
    #[must_use]
    pub fn from_origin(elapsed: Duration) -> Self {
        Self::ORIGIN + elapsed
    }

    /// How long after the origin this is.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        Duration::from_nanos(self.nanos.get() - 1)
    }

    /// How long after `earlier` this is, zero when it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.get().saturating_sub(earlier.nanos.get()))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self { nanos: self.nanos.saturating_add(after) }
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::ORIGIN
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.elapsed()).finish()
    }
}
