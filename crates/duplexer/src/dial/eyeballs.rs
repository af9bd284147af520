//! Happy eyeballs (RFC 8305): the addresses of a name in, the first connection that one of them gives out. Looks up no name and
//! knows no socket: how an address is connected to is an argument.
//!
//! Names are looked up by the system in one go, so of the RFC only the ordering (§4) and the staggered attempts (§5) are here.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// Brings addresses in the order of attempts (RFC 8305 §4): the families take turns, IPv6 first; within a family the order
/// stays.
pub(super) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (sixes, fours): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let mut ordered = Vec::with_capacity(sixes.len() + fours.len());
    let (mut sixes, mut fours) = (sixes.into_iter(), fours.into_iter());
    loop {
        let (six, four) = (sixes.next(), fours.next());
        if six.is_none() && four.is_none() {
            return ordered;
        }
        for address in six.into_iter().chain(four) {
            if !ordered.contains(&address) {
                ordered.push(address);
            }
        }
    }
}

/// Tries addresses until one connects (RFC 8305 §5). Each has [`ATTEMPT_DELAY`] for itself before the next is tried beside
/// it; where one fails, the next is tried at once. The others are dropped. Has no deadline of its own. Cancel-safe.
///
/// # Errors
/// All failed: the error of the one that failed last.
pub(super) async fn race<T, C, F>(addresses: Vec<SocketAddr>, connect: C) -> io::Result<T>
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.into_iter();
    let mut attempts = Attempts(Vec::new());
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no address to connect to");
    loop {
        match waiting.next() {
            Some(address) => attempts.0.push(Box::pin(connect(address))),
            None if attempts.0.is_empty() => return Err(last),
            None => {}
        }
        let others = waiting.len() > 0;
        tokio::select! {
            biased;
            ended = attempts.first() => match ended {
                Ok(connected) => return Ok(connected),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if others => {}
        }
    }
}

/// Attempts that run beside each other.
struct Attempts<F>(Vec<Pin<Box<F>>>);

impl<T, F: Future<Output = io::Result<T>>> Attempts<F> {
    /// Waits for the first attempt to end, one way or the other, and takes it out.
    async fn first(&mut self) -> io::Result<T> {
        poll_fn(|cx| {
            for index in 0..self.0.len() {
                if let Poll::Ready(ended) = self.0[index].as_mut().poll(cx) {
                    drop(self.0.swap_remove(index));
                    return Poll::Ready(ended);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// RFC 8305 §8 recommends this "Connection Attempt Delay".
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    /// What becomes of an attempt, after how many milliseconds.
    #[derive(Clone, Copy)]
    enum Fate {
        Connects(u64),
        Fails(u64),
        Hangs,
    }
    use Fate::{Connects, Fails, Hangs};

    /// Races one address for each fate. Gives who won, or the last error, the milliseconds it took, and when each attempt began
    /// and whether it was dropped unfinished.
    async fn raced(fates: &[Fate]) -> (Result<usize, String>, u64, Vec<(u64, bool)>) {
        struct Attempt<'a>(usize, &'a RefCell<Vec<(u64, bool)>>, bool);
        impl Drop for Attempt<'_> {
            fn drop(&mut self) {
                self.1.borrow_mut()[self.0].1 = !self.2;
            }
        }
        let began = Instant::now();
        let since = || u64::try_from(began.elapsed().as_millis()).expect("not that long");
        let log = RefCell::new(Vec::new());
        let addresses = (0..fates.len()).map(address).collect();
        let won = race(addresses, async |address| {
            let index = usize::from(address.port());
            log.borrow_mut().push((since(), false));
            let mut attempt = Attempt(index, &log, false);
            let (after, connects) = match fates[index] {
                Connects(after) => (after, true),
                Fails(after) => (after, false),
                Hangs => std::future::pending().await,
            };
            sleep(Duration::from_millis(after)).await;
            attempt.2 = true;
            connects.then_some(index).ok_or_else(|| io::Error::other(format!("{index} failed")))
        });
        let won = timeout(Duration::from_secs(3600), won).await.expect("an end");
        let took = since();
        (won.map_err(|error| error.to_string()), took, log.into_inner())
    }

    fn address(index: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], u16::try_from(index).expect("few")))
    }

    #[test]
    fn families_take_turns_and_ipv6_begins() {
        let parsed = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        let (a, b, c) = ("192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1");
        let (x, y) = ("[2001:db8::1]:1", "[2001:db8::2]:1");
        for (found, ordered) in [
            (vec![a, b, x, y, c], vec![x, a, y, b, c]),
            (vec![x, y], vec![x, y]),
            (vec![a], vec![a]),
            (vec![a, a, x, a], vec![x, a]),
            (vec![], vec![]),
        ] {
            assert_eq!(interleave(parsed(&found)), parsed(&ordered), "{found:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_that_answers_quickly_is_the_only_one_tried() {
        let (won, took, attempts) = raced(&[Connects(249), Connects(0)]).await;
        assert_eq!((won, took, attempts), (Ok(0), 249, vec![(0, false)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_address_costs_a_quarter_of_a_second() {
        let (won, took, attempts) = raced(&[Hangs, Connects(30)]).await;
        assert_eq!((won, took), (Ok(1), 280));
        assert_eq!(attempts, [(0, true), (250, false)], "the dead attempt is dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_still_wins_over_slower_ones() {
        let (won, took, attempts) = raced(&[Connects(600), Connects(600), Hangs, Hangs]).await;
        assert_eq!((won, took), (Ok(0), 600));
        assert_eq!(attempts, [(0, false), (250, true), (500, true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_attempt_at_once() {
        let (won, took, attempts) = raced(&[Fails(10), Fails(20), Connects(5)]).await;
        assert_eq!((won, took), (Ok(2), 35));
        assert_eq!(attempts.iter().map(|one| one.0).collect::<Vec<_>>(), [0, 10, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_counts_from_the_attempt_before() {
        let (_, _, attempts) = raced(&[Hangs, Fails(100), Hangs, Connects(0)]).await;
        assert_eq!(attempts.iter().map(|one| one.0).collect::<Vec<_>>(), [0, 250, 350, 600]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_is_that_of_the_last_to_fail() {
        let (won, took, _) = raced(&[Fails(900), Fails(0)]).await;
        assert_eq!((won, took), (Err("0 failed".to_owned()), 900));
        let (won, ..) = raced(&[]).await;
        assert!(won.is_err_and(|error| error.contains("no address")));
    }
}
