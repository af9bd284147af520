//! A client and a server, joined by an in-memory wire on a virtual clock: bytes take time to
//! arrive, are cut as the test says, and can be lost with the transport.

use std::collections::VecDeque;
use std::time::Duration;

use duplexer_proto::{End, Role, Time, Timeout};

use super::endpoint::{Chunking, Endpoint, Seen, Setup, join};

/// One direction of the transport.
#[derive(Debug, Default)]
struct Wire {
    in_flight: VecDeque<(Time, Vec<u8>)>,
    /// Nothing more is carried, and nobody is told.
    silent: bool,
}

/// Both ends, what each of them saw, and the time.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) client_saw: Vec<Seen>,
    pub(crate) server_saw: Vec<Seen>,
    pub(crate) client_timeouts: Vec<(Time, Timeout)>,
    pub(crate) server_timeouts: Vec<(Time, Timeout)>,
    /// Time from an end to the other.
    pub(crate) delay: Duration,
    pub(crate) now: Time,
    up: Wire,
    down: Wire,
}

/// A point in time.
pub(crate) fn after(millis: u64) -> Time {
    Time::from_origin(Duration::from_millis(millis))
}

impl Pair {
    /// Two ends with the same settings, whose wires cut alike.
    pub(crate) fn new(setup: impl Fn(Role) -> Setup, chunking: Chunking) -> Self {
        let end = |role| {
            let mut end = setup(role).build();
            end.chunking = chunking.clone();
            end
        };
        Self {
            client: end(Role::Client),
            server: end(Role::Server),
            client_saw: Vec::new(),
            server_saw: Vec::new(),
            client_timeouts: Vec::new(),
            server_timeouts: Vec::new(),
            delay: Duration::ZERO,
            now: Time::ORIGIN,
            up: Wire::default(),
            down: Wire::default(),
        }
    }

    /// Two ends with the defaults.
    pub(crate) fn plain() -> Self {
        Self::new(Setup::new, Chunking::Whole)
    }

    /// From now on nothing that the client sends arrives, and nobody is told.
    pub(crate) fn silence_client(&mut self) {
        self.up.silent = true;
    }

    /// From now on nothing that the server sends arrives, and nobody is told.
    pub(crate) fn silence_server(&mut self) {
        self.down.silent = true;
    }

    /// Both ends learn that the transport is gone; what is on its way is lost.
    pub(crate) fn cut(&mut self) {
        self.up = Wire::default();
        self.down = Wire::default();
        self.client.connection.transport_ended(End::Remote);
        self.server.connection.transport_ended(End::Remote);
    }

    /// Moves bytes until nothing more arrives at the present time.
    pub(crate) fn settle(&mut self) {
        loop {
            let sent = send(&mut self.client, &mut self.up, self.now + self.delay)
                | send(&mut self.server, &mut self.down, self.now + self.delay);
            let heard = hear(&mut self.server, &mut self.up, self.now, &mut self.server_saw)
                | hear(&mut self.client, &mut self.down, self.now, &mut self.client_saw);
            if !sent && !heard {
                return;
            }
        }
    }

    /// Lets time pass: everything happens when it is due, reading before deadlines are judged.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let due = [
                deadline(&mut self.client, self.now, &self.client_timeouts),
                deadline(&mut self.server, self.now, &self.server_timeouts),
                self.up.in_flight.front().map(|(at, _)| *at),
                self.down.in_flight.front().map(|(at, _)| *at),
            ];
            let next = due.into_iter().flatten().filter(|at| *at > self.now).min();
            match next {
                Some(next) if next <= end => self.now = next,
                Some(_) | None => {
                    self.now = end;
                    return;
                }
            }
            self.settle();
            judge(&mut self.client, self.now, &mut self.client_timeouts);
            judge(&mut self.server, self.now, &mut self.server_timeouts);
        }
    }

    /// Takes what each end saw since the last call, client first.
    pub(crate) fn saw(&mut self) -> (Vec<Seen>, Vec<Seen>) {
        let client = join(std::mem::take(&mut self.client_saw));
        (client, join(std::mem::take(&mut self.server_saw)))
    }
}

fn send(end: &mut Endpoint, wire: &mut Wire, arrives: Time) -> bool {
    let bytes = end.sends();
    let moved = !bytes.is_empty();
    if moved && !wire.silent {
        wire.in_flight.push_back((arrives, bytes));
    }
    moved
}

fn hear(end: &mut Endpoint, wire: &mut Wire, now: Time, saw: &mut Vec<Seen>) -> bool {
    let mut heard = false;
    while wire.in_flight.front().is_some_and(|(at, _)| *at <= now) {
        let (_, bytes) = wire.in_flight.pop_front().expect("there is a first one");
        for seen in end.hears(bytes) {
            if let Seen::Pong(payload) = &seen {
                end.connection.pong_arrived(payload, now);
            }
            saw.push(seen);
        }
        heard = true;
    }
    heard
}

/// When an end has to be looked at next. One that has timed out drops its transport, and is done.
fn deadline(end: &mut Endpoint, now: Time, timeouts: &[(Time, Timeout)]) -> Option<Time> {
    if timeouts.is_empty() { end.connection.next_timeout(now) } else { None }
}

fn judge(end: &mut Endpoint, now: Time, timeouts: &mut Vec<(Time, Timeout)>) {
    if deadline(end, now, timeouts).is_some_and(|at| at <= now)
        && let Some(timeout) = end.connection.handle_timeout(now, &mut end.scratch)
    {
        timeouts.push((now, timeout));
    }
}
