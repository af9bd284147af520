//! How fast something may happen: a token bucket in one number, the time at which it will be full again. Points in time come
//! in; reads no clock.

use std::time::Duration;

use duplexer_proto::Time;

/// One bucket. It holds as much as flows into it in a second, and is full at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    full_at: Time,
}

impl Pace {
    /// Takes `amount` where `per_second` flow in, if there is as much; otherwise nothing, and the error is how long to wait
    /// until there is. Of nothing per second there is never any.
    pub(crate) fn admit(
        &mut self,
        now: Time,
        amount: u64,
        per_second: u64,
    ) -> Result<(), Duration> {
        let later = self.after(now, amount, per_second);
        let ahead = later.since(now);
        if per_second == 0 || ahead > SECOND {
            return Err(ahead.saturating_sub(SECOND));
        }
        self.full_at = later;
        Ok(())
    }

    /// Takes `amount` whether there is as much or not, and tells when the bucket is out of debt.
    pub(crate) fn spend(&mut self, now: Time, amount: u64, per_second: u64) -> Option<Time> {
        self.full_at = self.after(now, amount, per_second);
        (self.full_at.since(now) > SECOND)
            .then(|| Time::from_origin(self.full_at.elapsed().saturating_sub(SECOND)))
    }

    /// Whether the bucket is full: as good as a new one.
    pub(crate) fn is_full(self, now: Time) -> bool {
        self.full_at <= now
    }

    fn after(self, now: Time, amount: u64, per_second: u64) -> Time {
        let nanos = u128::from(amount) * SECOND.as_nanos() / u128::from(per_second.max(1));
        let refill = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.full_at.max(now) + refill
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_origin(Duration::from_millis(ms))
    }

    #[test]
    fn a_second_s_worth_passes_at_once_and_then_one_by_one() {
        let mut pace = Pace::default();
        for _ in 0..4 {
            assert_eq!(pace.admit(at(5000), 1, 4), Ok(()));
        }
        assert_eq!(pace.admit(at(5000), 1, 4), Err(Duration::from_millis(250)));
        assert_eq!(pace.admit(at(5250), 1, 4), Ok(()));
        assert_eq!(pace.admit(at(5250), 1, 4), Err(Duration::from_millis(250)));
        assert!(!pace.is_full(at(6249)) && pace.is_full(at(6250)));
        for _ in 0..4 {
            assert_eq!(pace.admit(at(9000), 1, 4), Ok(()));
        }
        assert!(pace.admit(at(9000), 1, 4).is_err());
    }

    #[test]
    fn of_nothing_there_is_never_any() {
        assert!(Pace::default().admit(at(1 << 40), 1, 0).is_err());
    }

    #[test]
    fn a_debt_is_paid_off_in_time() {
        let mut pace = Pace::default();
        assert_eq!(pace.spend(at(0), 1000, 1000), None);
        assert_eq!(pace.spend(at(0), 500, 1000), Some(at(500)));
        assert_eq!(pace.spend(at(500), 1, 1000), Some(at(501)));
        assert_eq!(pace.spend(at(600), 1, 1000), None);
    }

    #[test]
    fn the_largest_numbers_do_no_harm() {
        let mut pace = Pace::default();
        assert_eq!(pace.admit(at(1), u64::MAX, u64::MAX), Ok(()));
        assert!(pace.admit(at(1), u64::MAX, 1).is_err());
        assert!(pace.spend(at(1), u64::MAX, 1).is_some());
        assert!(pace.admit(Time::from_origin(Duration::MAX), 1, 1).is_ok());
    }
}
