//! How long does an echo take while the server is half busy? Messages leave at fixed times, whether or not others are home.
//!
//! An echo's time counts from when its message should have left. So a server, or a generator, that stands still for a while
//! pays for every message that should have left meanwhile, and not only for the one that was under way.

use std::time::Instant;

use super::account::Account;
use super::crowd::{Crowd, Members};
use super::deadline::Deadline;
use super::sample::{Latencies, Sample, Target};

/// Messages at half of the rate that the server manages.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// How many connections take turns.
    pub connections: usize,
    /// The payload of each message.
    pub payload_bytes: usize,
    /// How many messages find out the rate, with one in flight on each connection, and how many are then timed.
    pub messages: usize,
}

impl Latency {
    /// Returns the time within which 99 of 100 echoes were home, in µs, and others beside it.
    ///
    /// # Errors
    /// Fails when a reply is wrong or missing, a connection ends, or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let Self { connections, payload_bytes, messages } = self;
        let members = Members { connections, payload_bytes, depth: DEPTH_MAX, tls: false };
        let mut crowd = Crowd::open(members, target, deadline)?;
        crowd.exchange(messages / 5, 1, true)?;
        let begun = Instant::now();
        crowd.exchange(messages, 1, false)?;
        let pace = begun.elapsed() * 2 / u32::try_from(messages)?;
        let account = Account::open(target)?;
        let mut times_ns = crowd.march(messages, pace)?;
        let sample = account.close(messages as u64)?;
        times_ns.sort_unstable();
        let within = |share: f64| quantile(&times_ns, share) as f64 / 1e3;
        let latencies = Latencies {
            per_second: 1.0 / pace.as_secs_f64(),
            p50_us: within(0.5),
            p99_us: within(0.99),
            p999_us: within(0.999),
        };
        Ok(Sample { figure: latencies.p99_us, latencies: Some(latencies), ..sample })
    }
}

/// Returns the least of the sorted values that at least `share` of them do not exceed; 0 if there are none.
fn quantile(sorted: &[u64], share: f64) -> u64 {
    let below = sorted.iter().enumerate();
    let enough = below.skip_while(|(index, _)| ((index + 1) as f64) < share * sorted.len() as f64);
    enough.map(|(_, value)| *value).next().unwrap_or(0)
}

/// How many messages may be in flight on one connection; those that are due beyond it wait, and their time runs.
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_a_value_that_enough_do_not_exceed() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!([0.5, 0.99, 0.999].map(|share| quantile(&hundred, share)), [50, 99, 100]);
        assert_eq!(quantile(&[7], 0.5), 7);
        assert_eq!(quantile(&[], 0.5), 0);
    }
}
