//! A point in time as the core sees it: a duration since an origin that the caller chooses and keeps.
//! The core never reads a clock; tests run on a virtual one.

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The caller's origin.
    pub const ORIGIN: Self = Self(Duration::ZERO);

    /// The point `elapsed` after the origin.
    #[must_use]
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the origin this is.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is, zero when it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after))
    }
}
