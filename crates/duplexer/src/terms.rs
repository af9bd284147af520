//! What the connections of one server share while they run: how fast their peers may talk, and how much all unfinished
//! messages may take together. Settings and one counter; who enforces them reads them here.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bounds on how fast the peer of one connection may talk. What flows in a second may also come at once, after a second's
/// rest. Counted is when it arrives here: after a hiccup of the network, or of the handler, more comes at once than was sent at once,
/// so bounds near the usual rate want [`OverRate::Slow`]. Start from [`RateLimits::default`] and change fields; zero lets
/// nothing pass, or one in a second where it slows.
///
/// ```
/// let mut rates = duplexer::RateLimits::default();
/// rates.messages_per_second_max = Some(100);
/// rates.over = duplexer::OverRate::Slow;
/// let server = duplexer::Server::builder().rates(rates).build();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// Messages per second. Default: any number.
    pub messages_per_second_max: Option<u32>,
    /// Pings per second, and pongs that answer no ping of this end's. Default 1,000: each costs an answer.
    pub control_frames_per_second_max: Option<u32>,
    /// Bytes per second, as the transport delivers them: frames, with headers. They are counted when they have been read, up to 256
    /// KiB at a time. Default: any number.
    pub bytes_per_second_max: Option<u64>,
    /// What happens to a peer that is faster. Default: it is closed.
    pub over: OverRate,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            messages_per_second_max: None,
            control_frames_per_second_max: Some(1_000),
            bytes_per_second_max: None,
            over: OverRate::Close,
        }
    }
}

/// What happens to a peer that talks too fast.
///
/// ```
/// assert_eq!(duplexer::OverRate::default(), duplexer::OverRate::Close);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverRate {
    /// The connection is closed with 1008; the reason and the error of `recv` name the setting.
    #[default]
    Close,
    /// Nothing more is received from it until its average is right again, which in the end makes it wait. Meanwhile it is not
    /// taken for lost: a bound on bytes is spent up to 260 KiB at a time, which is how long that can take.
    Slow,
}

/// What all connections of a server have in common while they run.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) rates: RateLimits,
    pub(crate) unfinished_bytes_max: usize,
    unfinished_bytes: AtomicUsize,
}

impl Terms {
    pub(crate) const fn new(rates: RateLimits, unfinished_bytes_max: usize) -> Self {
        Self { rates, unfinished_bytes_max, unfinished_bytes: AtomicUsize::new(0) }
    }

    /// Takes `bytes` of what unfinished messages may take, if there are as many.
    pub(crate) fn borrow(&self, bytes: usize) -> bool {
        // At once, so that what does not fit takes nothing from what would.
        let fitting =
            |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.unfinished_bytes_max);
        let taken = &self.unfinished_bytes;
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fitting).is_ok()
    }

    /// Gives borrowed bytes back.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.unfinished_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of unfinished messages of a server's connections together, by default.
pub(crate) const UNFINISHED_BYTES_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_borrowed_again() {
        let terms = Terms::new(RateLimits::default(), 10);
        assert!(terms.borrow(10) && !terms.borrow(1));
        terms.give_back(4);
        assert!(!terms.borrow(5) && terms.borrow(4));
    }
}
