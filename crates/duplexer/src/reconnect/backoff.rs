//! How long to wait before the next attempt: failures and a random number in, a time out. Has neither a clock nor randomness.

use std::time::Duration;

/// Waits that grow with each failure, with full jitter: anything between nothing and the bound, so that those who lost a server
/// together do not come back together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// The bound of the first wait.
    pub(super) first: Duration,
    /// The bound of all.
    pub(super) max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait after so many failures in a row; `random` is within 0 and 1.
    pub(super) fn delay(&self, failures: u32, random: f64) -> Duration {
        let doublings = failures.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).filter(|_| doublings < u32::BITS);
        let bound = factor.and_then(|factor| self.first.checked_mul(factor));
        let bound = bound.map_or(self.max, |bound| bound.min(self.max));
        // The bound of a setting may be no finite number of seconds.
        Duration::try_from_secs_f64(bound.as_secs_f64() * random).unwrap_or(bound).min(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_bound_up_to_the_last() {
        let backoff = Backoff::default();
        let bounds: Vec<u128> =
            (0..9).map(|failures| backoff.delay(failures, 1.0).as_millis()).collect();
        assert_eq!(bounds, [500, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(backoff.delay(u32::MAX, 1.0), backoff.max);
        assert_eq!(backoff.delay(4, 0.25), Duration::from_secs(1));
        assert_eq!(backoff.delay(4, 0.0), Duration::ZERO);
    }

    #[test]
    fn no_setting_overflows() {
        let backoff = Backoff { first: Duration::MAX, max: Duration::MAX };
        for failures in [0, 1, 2, 31, 32, 33, 64, u32::MAX] {
            for random in [0.0, 0.5, 1.0] {
                assert!(backoff.delay(failures, random) <= Duration::MAX);
            }
        }
        let none = Backoff { first: Duration::ZERO, max: Duration::ZERO };
        assert_eq!(none.delay(7, 1.0), Duration::ZERO);
    }
}
