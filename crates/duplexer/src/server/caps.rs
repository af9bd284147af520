//! How many connections a server takes, in all and of each address, and how fast it opens them. Counts; answers nothing and
//! reads no clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use duplexer_proto::Time;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};

use crate::pace::Pace;
use crate::server::rejection::Rejection;

/// The bounds; `None` for none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CapLimits {
    pub(crate) connections_max: Option<usize>,
    pub(crate) connections_per_address_max: Option<usize>,
    pub(crate) openings_per_second_max: Option<u32>,
    pub(crate) openings_per_address_per_second_max: Option<u32>,
}

impl CapLimits {
    const fn any(&self) -> bool {
        self.connections_max.is_some()
            || self.openings_per_second_max.is_some()
            || self.any_of_address()
    }

    const fn any_of_address(&self) -> bool {
        self.connections_per_address_max.is_some()
            || self.openings_per_address_per_second_max.is_some()
    }
}

/// What is counted, for all connections of a server.
#[derive(Debug)]
pub(crate) struct Caps {
    limits: CapLimits,
    connections: AtomicUsize,
    refusals: AtomicUsize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    openings: Pace,
    addresses: HashMap<Key, Address>,
    /// How many addresses there may be before those of whom nothing is to be remembered are looked for.
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Address {
    connections: usize,
    openings: Pace,
}

impl Caps {
    pub(crate) fn new(limits: CapLimits) -> Arc<Self> {
        let (connections, refusals) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { limits, connections, refusals, counts: Mutex::default() })
    }

    /// Counts a connection until what this returns is dropped; nothing where there is no bound at all.
    pub(crate) fn enter(self: &Arc<Self>, now: Time) -> Result<Option<Box<Seat>>, Over> {
        if !self.limits.any() {
            return Ok(None);
        }
        if let Some(max) = self.limits.openings_per_second_max {
            let admitted = self.lock().openings.admit(now, 1, max.into());
            admitted.map_err(|wait| Over::Openings { max, wait })?;
        }
        let open = self.connections.fetch_add(1, Ordering::Relaxed);
        // From here its drop counts it off again.
        let seat = Seat { caps: self.clone(), in_all: true, address: None };
        match self.limits.connections_max {
            Some(max) if open >= max => Err(Over::Connections { max }),
            _ => Ok(Some(Box::new(seat))),
        }
    }

    /// Counts a connection among those of its client's address until what this returns is dropped.
    pub(crate) fn sit(
        self: &Arc<Self>,
        client: IpAddr,
        now: impl FnOnce() -> Time,
    ) -> Result<Option<Box<Seat>>, Over> {
        if !self.limits.any_of_address() {
            return Ok(None);
        }
        let now = now();
        let key = Key::of(client);
        let mut counts = self.lock();
        counts.sweep(now);
        let address = counts.addresses.entry(key).or_default();
        if let Some(max) = self.limits.connections_per_address_max
            && address.connections >= max
        {
            return Err(Over::ConnectionsOfAddress { max, client });
        }
        if let Some(max) = self.limits.openings_per_address_per_second_max {
            let admitted = address.openings.admit(now, 1, max.into());
            admitted.map_err(|wait| Over::OpeningsOfAddress { max, client, wait })?;
        }
        address.connections += 1;
        drop(counts);
        Ok(Some(Box::new(Seat { caps: self.clone(), in_all: false, address: Some(key) })))
    }

    /// Whether there is any bound to count for.
    pub(crate) const fn count(&self) -> bool {
        self.limits.any()
    }

    /// Leave to refuse a connection in words; `None` while so many are being refused that the rest is just dropped.
    pub(crate) fn refuse(self: &Arc<Self>) -> Option<Refusing> {
        let refusing = self.refusals.fetch_add(1, Ordering::Relaxed);
        let leave = Refusing(self.clone());
        (refusing < REFUSALS_MAX).then_some(leave)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Forgets addresses of whom nothing is to be remembered, now and then: as often as their number has doubled.
    fn sweep(&mut self, now: Time) {
        if self.addresses.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        self.addresses
            .retain(|_, address| address.connections > 0 || !address.openings.is_full(now));
        self.sweep_at = self.addresses.len() * 2;
        self.addresses.shrink_to(self.sweep_at);
    }
}

/// One who may be many: an IPv4 address, or the /64 that one IPv6 client has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    V4(u32),
    V6(u64),
}

impl Key {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

/// A connection that is counted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    caps: Arc<Caps>,
    in_all: bool,
    address: Option<Key>,
}

impl Seat {
    /// Whether it counts of an address.
    pub(crate) const fn has_address(&self) -> bool {
        self.address.is_some()
    }

    /// One seat for one connection that was counted in all and, perhaps, of an address.
    pub(crate) fn join(one: Option<Box<Self>>, other: Option<Box<Self>>) -> Option<Box<Self>> {
        let (mut seat, mut other) = match (one, other) {
            (Some(seat), Some(other)) => (seat, other),
            (one, other) => return one.or(other),
        };
        seat.in_all |= std::mem::take(&mut other.in_all);
        if seat.address.is_none() {
            seat.address = other.address.take();
        }
        Some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.in_all {
            self.caps.connections.fetch_sub(1, Ordering::Relaxed);
        }
        let Some(key) = self.address else { return };
        let remembers = self.caps.limits.openings_per_address_per_second_max.is_some();
        let mut counts = self.caps.lock();
        let Some(address) = counts.addresses.get_mut(&key) else { return };
        address.connections -= 1;
        if address.connections == 0 && !remembers {
            counts.addresses.remove(&key);
        }
    }
}

/// A refusal that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Refusing(Arc<Caps>);

impl Drop for Refusing {
    fn drop(&mut self) {
        self.0.refusals.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Connections { max: usize },
    ConnectionsOfAddress { max: usize, client: IpAddr },
    Openings { max: u32, wait: Duration },
    OpeningsOfAddress { max: u32, client: IpAddr, wait: Duration },
}

impl Over {
    /// The HTTP answer.
    pub(crate) fn rejection(self) -> Rejection {
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let (status, after, text) = match self {
            Self::Connections { max } => (
                busy,
                RETRY_AFTER_CAP,
                format!("all {max} connections (setting `connections_max`) are taken\n"),
            ),
            Self::ConnectionsOfAddress { max, client } => (
                busy,
                RETRY_AFTER_CAP,
                format!(
                    "all {max} connections of {client} (setting `connections_per_address_max`) are taken\n"
                ),
            ),
            Self::Openings { max, wait } => (
                StatusCode::TOO_MANY_REQUESTS,
                seconds(wait),
                format!(
                    "more than {max} connections in a second (setting `openings_per_second_max`)\n"
                ),
            ),
            Self::OpeningsOfAddress { max, client, wait } => (
                StatusCode::TOO_MANY_REQUESTS,
                seconds(wait),
                format!(
                    "more than {max} connections in a second from {client} \
                     (setting `openings_per_address_per_second_max`)\n"
                ),
            ),
        };
        Rejection::new(status, text).header(RETRY_AFTER, HeaderValue::from(after))
    }
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

/// Seconds after which one may hope that a connection has ended.
const RETRY_AFTER_CAP: u64 = 5;
/// Most connections that are being refused in words at a time: each may take what a connection takes for a few seconds.
const REFUSALS_MAX: usize = 256;
/// Addresses that are never worth a look.
const SWEEP_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn of_address(connections: usize) -> Arc<Caps> {
        let connections_per_address_max = Some(connections);
        Caps::new(CapLimits { connections_per_address_max, ..CapLimits::default() })
    }

    #[test]
    fn without_bounds_nothing_is_counted() {
        let caps = Caps::new(CapLimits::default());
        assert!(caps.enter(Time::ORIGIN).expect("no bound").is_none());
        assert!(caps.sit(address("192.0.2.1"), || Time::ORIGIN).expect("no bound").is_none());
    }

    #[test]
    fn an_ipv6_client_is_its_64_bits_and_a_mapped_one_its_ipv4_address() {
        let caps = of_address(1);
        let _seats =
            ["2001:db8::1", "192.0.2.1"].map(|text| caps.sit(address(text), || Time::ORIGIN));
        for same in ["2001:db8::ffff:1:2:3", "::ffff:192.0.2.1"] {
            assert!(caps.sit(address(same), || Time::ORIGIN).is_err(), "{same}");
        }
        for other in ["2001:db8:0:1::1", "192.0.2.2"] {
            assert!(caps.sit(address(other), || Time::ORIGIN).is_ok(), "{other}");
        }
    }

    #[test]
    fn what_is_dropped_counts_no_more_and_leaves_nothing() {
        let caps = of_address(1);
        let seat = caps.sit(address("192.0.2.1"), || Time::ORIGIN).expect("the first");
        assert!(caps.sit(address("192.0.2.1"), || Time::ORIGIN).is_err());
        drop(seat);
        assert!(caps.lock().addresses.is_empty());
        assert!(caps.sit(address("192.0.2.1"), || Time::ORIGIN).is_ok());
    }

    #[test]
    fn who_is_refused_does_not_count() {
        let caps = Caps::new(CapLimits { connections_max: Some(1), ..CapLimits::default() });
        let seat = caps.enter(Time::ORIGIN).expect("the first");
        for _ in 0..3 {
            assert_eq!(caps.enter(Time::ORIGIN).err(), Some(Over::Connections { max: 1 }));
        }
        drop(seat);
        assert!(caps.enter(Time::ORIGIN).is_ok());
    }

    #[test]
    fn addresses_that_came_and_went_are_forgotten() {
        let openings_per_address_per_second_max = Some(1);
        let caps =
            Caps::new(CapLimits { openings_per_address_per_second_max, ..CapLimits::default() });
        for n in 0..10 * SWEEP_MIN {
            let now = Time::from_origin(Duration::from_millis(10 * n as u64));
            let client = IpAddr::from(u32::try_from(n).expect("a few").to_be_bytes());
            drop(caps.sit(client, || now).expect("each comes once"));
        }
        assert!(caps.lock().addresses.len() <= 2 * SWEEP_MIN);
    }

    #[test]
    fn only_so_many_are_refused_in_words() {
        let caps = of_address(1);
        let mut refusing: Vec<_> = (0..REFUSALS_MAX).map(|_| caps.refuse()).collect();
        assert!(refusing.iter().all(Option::is_some));
        assert!(caps.refuse().is_none());
        refusing.pop();
        assert!(caps.refuse().is_some());
    }
}
