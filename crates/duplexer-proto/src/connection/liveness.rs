//! When to ask whether the peer is still there, and when to give up: pings, pongs and deadlines (RFC 6455 §5.5.2).
//! Reads no clock: the caller says what time it is, and is told when to come back.

use std::time::Duration;

use crate::time::Time;

/// When pings are sent without being asked for. Start from [`Keepalive::default`] and change fields, or give both.
///
/// ```
/// use duplexer_proto::Keepalive;
/// use std::time::Duration;
/// let mut often = Keepalive::default();
/// often.interval = Some(Duration::from_secs(5));
/// assert_eq!(often, Keepalive::new(Some(Duration::from_secs(5)), Duration::from_secs(20)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keepalive {
    /// Time between pings; `None` and zero send none. In whole milliseconds, as fine as timers are: a part of one counts as one.
    /// At most 49 days. Default 20 s.
    pub interval: Option<Duration>,
    /// Time after a ping within which something must arrive, in whole milliseconds as well. Default 20 s.
    pub timeout: Duration,
}

impl Keepalive {
    /// The time between pings, `None` for no pings, and the time in which something must arrive after one.
    #[must_use]
    pub const fn new(interval: Option<Duration>, timeout: Duration) -> Self {
        Self { interval, timeout }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        let default = Duration::from_secs(20);
        Self::new(Some(default), default)
    }
}

/// What the time demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// A ping with this number as its payload.
    Ping(u64),
    /// The peer has been silent for too long.
    Lost,
    /// The closing handshake has taken too long.
    CloseOverdue,
}

/// The timers of one connection.
#[derive(Debug)]
pub(crate) struct Liveness {
    /// The settings in milliseconds, in a quarter of the room; `NO_PINGS` for none.
    interval_ms: u32,
    timeout_ms: u32,
    phase: Phase,
    /// Something has arrived since `pong_by` was set.
    heard: bool,
    /// How many of the last pings no pong has answered.
    unanswered: u32,
    /// When the phase demands something; `None` for never.
    due_at: Option<Time>,
    /// When something has to have arrived after a ping.
    pong_by: Option<Time>,
    /// The number of the last ping sent, and when.
    sent: u64,
    sent_at: Time,
    /// In nanoseconds; `NEVER` before the first.
    rtt: u64,
}

/// What the next deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The caller has not asked for it yet.
    New,
    /// The next ping.
    Alive,
    /// The end of the closing handshake.
    Closing,
}

impl Liveness {
    pub(crate) fn new(keepalive: Keepalive) -> Self {
        Self {
            interval_ms: match keepalive.interval {
                None | Some(Duration::ZERO) => NO_PINGS,
                Some(interval) => millis(interval),
            },
            timeout_ms: millis(keepalive.timeout),
            phase: Phase::New,
            heard: false,
            unanswered: 0,
            due_at: None,
            pong_by: None,
            sent: 0,
            sent_at: Time::ORIGIN,
            rtt: NEVER,
        }
    }

    pub(crate) fn keepalive(&self) -> Keepalive {
        Keepalive { interval: self.interval(), timeout: self.timeout() }
    }

    fn interval(&self) -> Option<Duration> {
        let pings = self.interval_ms != NO_PINGS;
        pings.then(|| Duration::from_millis(self.interval_ms.into()))
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.into())
    }

    /// Something has arrived.
    #[inline]
    pub(crate) const fn heard(&mut self) {
        self.heard = true;
    }

    /// The time to look again, counted from `now` on first use.
    pub(crate) fn next(&mut self, now: Time) -> Option<Time> {
        if self.phase == Phase::New {
            self.phase = Phase::Alive;
            self.due_at = self.interval().map(|interval| now + interval);
        }
        [self.due_at, self.pong_by].into_iter().flatten().min()
    }

    /// From now on only the deadline of the closing handshake counts; the first one stays.
    pub(crate) const fn close_by(&mut self, deadline: Time) {
        if !self.is_closing() {
            self.phase = Phase::Closing;
            self.due_at = Some(deadline);
            self.pong_by = None;
        }
    }

    /// Whether the closing handshake has, or had, a deadline.
    #[inline]
    pub(crate) const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// Judges the time. What has arrived by then must have been received before.
    pub(crate) fn due(&mut self, now: Time) -> Due {
        if self.heard {
            self.pong_by = None;
        }
        if self.pong_by.is_some_and(|by| by <= now) {
            return Due::Lost;
        }
        if self.due_at.is_none_or(|at| now < at) {
            return Due::Nothing;
        }
        match self.phase {
            Phase::Closing => Due::CloseOverdue,
            Phase::New | Phase::Alive => {
                if self.pong_by.is_none() {
                    self.heard = false;
                    self.pong_by = Some(now + self.timeout());
                }
                self.due_at = self.interval().map(|interval| now + interval);
                Due::Ping(self.ping(now))
            }
        }
    }

    /// Counts a ping and tells its number.
    pub(crate) const fn ping(&mut self, now: Time) -> u64 {
        self.sent += 1;
        self.sent_at = now;
        // Of more than that the first count as answered: nobody waits for them any more.
        self.unanswered = self.unanswered.saturating_add(1);
        self.sent
    }

    /// A pong has arrived at `now`. Tells the highest ping that is answered by it.
    pub(crate) fn pong(&mut self, payload: &[u8], now: Time) -> Option<u64> {
        let number = u64::from_be_bytes(payload.try_into().ok()?);
        // Nobody asked for it (RFC 6455 §5.5.3), or it was counted already.
        if number <= self.answered() {
            return None;
        }
        self.unanswered = u32::try_from(self.sent.checked_sub(number)?).ok()?;
        if self.unanswered == 0 {
            self.rtt = nanos(now.since(self.sent_at));
        }
        Some(number)
    }

    /// The number of the last ping.
    pub(crate) const fn pinged(&self) -> u64 {
        self.sent
    }

    /// The highest number that a pong has answered.
    pub(crate) const fn answered(&self) -> u64 {
        self.sent - self.unanswered as u64
    }

    /// The last measured time from a ping to its pong.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        duration(self.rtt)
    }
}

/// Whole milliseconds, rounded up, at most 49 days.
fn millis(duration: Duration) -> u32 {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    u32::try_from(millis).unwrap_or(NO_PINGS).min(NO_PINGS - 1)
}

/// A duration's nanoseconds; those that take 584 years never end.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

fn duration(nanos: u64) -> Option<Duration> {
    (nanos != NEVER).then(|| Duration::from_nanos(nanos))
}

const NEVER: u64 = u64::MAX;
const NO_PINGS: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_silent_peer_is_lost_when_the_pong_is_overdue() {
        let mut liveness = Liveness::new(Keepalive::default());
        assert_eq!(liveness.next(at(0)), Some(at(20)));
        assert_eq!(liveness.due(at(19)), Due::Nothing);
        assert_eq!(liveness.due(at(20)), Due::Ping(1));
        assert_eq!(liveness.next(at(20)), Some(at(40)));
        assert_eq!(liveness.due(at(40)), Due::Lost);
    }

    #[test]
    fn anything_that_arrives_counts_as_a_sign_of_life() {
        let mut liveness = Liveness::new(Keepalive::default());
        liveness.next(at(0));
        assert_eq!(liveness.due(at(20)), Due::Ping(1));
        liveness.heard();
        assert_eq!(liveness.due(at(40)), Due::Ping(2));
        assert_eq!(liveness.due(at(60)), Due::Lost);
    }

    #[test]
    fn pings_more_often_than_the_timeout_keep_the_first_deadline() {
        let interval = Some(Duration::from_secs(5));
        let mut liveness = Liveness::new(Keepalive { interval, ..Keepalive::default() });
        liveness.next(at(0));
        for (second, number) in [(5, 1), (10, 2), (15, 3), (20, 4)] {
            assert_eq!(liveness.due(at(second)), Due::Ping(number));
        }
        assert_eq!(liveness.due(at(25)), Due::Lost);
    }

    #[test]
    fn a_pong_answers_its_ping_and_all_before_it() {
        // RFC 6455 §5.5.3: a peer may answer only the last of several pings.
        let mut liveness = Liveness::new(Keepalive::default());
        let (first, second) = (liveness.ping(at(1)), liveness.ping(at(2)));
        assert_eq!(liveness.pong(&(second + 1).to_be_bytes(), at(3)), None);
        assert_eq!(liveness.pong(b"unasked", at(3)), None);
        assert_eq!(liveness.pong(&second.to_be_bytes(), at(3)), Some(second));
        assert_eq!(liveness.pong(&first.to_be_bytes(), at(4)), None);
        assert_eq!((liveness.answered(), liveness.rtt()), (2, Some(Duration::from_secs(1))));
    }
}
