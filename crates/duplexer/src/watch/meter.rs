//! Counters through the `metrics` facade. Registered once for each role, when its first connection opens; a message costs an
//! atomic addition. The names are documented in the public module `metrics`.

use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};
use duplexer_proto::{CloseCode, Role};

use crate::metrics::{
    CONNECTIONS_CLOSED, CONNECTIONS_OPEN, CONNECTIONS_OPENED, CONNECTIONS_REFUSED,
    HANDSHAKE_SECONDS, MESSAGES_RECEIVED, MESSAGES_SENT, MESSAGES_SKIPPED, PING_RTT_SECONDS,
    PINGS_RECEIVED, PINGS_SENT, RECEIVED_BYTES, SENT_BYTES,
};

/// What one role's connections count in.
struct Handles {
    role: &'static str,
    open: Gauge,
    opened: Counter,
    messages_received: Counter,
    messages_sent: Counter,
    messages_skipped: Counter,
    bytes_received: Counter,
    bytes_sent: Counter,
    pings_received: Counter,
    pings_sent: Counter,
    rtt: Histogram,
}

impl Handles {
    fn of(role: Role) -> &'static Self {
        static CLIENT: OnceLock<Handles> = OnceLock::new();
        static SERVER: OnceLock<Handles> = OnceLock::new();
        match role {
            Role::Client => CLIENT.get_or_init(|| Self::new(name(role))),
            Role::Server => SERVER.get_or_init(|| Self::new(name(role))),
        }
    }

    fn new(role: &'static str) -> Self {
        describe();
        Self {
            role,
            open: gauge!(CONNECTIONS_OPEN, "role" => role),
            opened: counter!(CONNECTIONS_OPENED, "role" => role),
            messages_received: counter!(MESSAGES_RECEIVED, "role" => role),
            messages_sent: counter!(MESSAGES_SENT, "role" => role),
            messages_skipped: counter!(MESSAGES_SKIPPED, "role" => role),
            bytes_received: counter!(RECEIVED_BYTES, "role" => role),
            bytes_sent: counter!(SENT_BYTES, "role" => role),
            pings_received: counter!(PINGS_RECEIVED, "role" => role),
            pings_sent: counter!(PINGS_SENT, "role" => role),
            rtt: histogram!(PING_RTT_SECONDS, "role" => role),
        }
    }
}

/// Counts what one connection does.
pub(crate) struct Meter(&'static Handles);

impl Meter {
    pub(super) fn opened(role: Role) -> Self {
        let handles = Handles::of(role);
        handles.opened.increment(1);
        handles.open.increment(1.0);
        Self(handles)
    }

    #[inline]
    pub(super) fn read(&self, len: usize) {
        self.0.bytes_received.increment(len as u64);
    }

    #[inline]
    pub(super) fn wrote(&self, len: usize) {
        self.0.bytes_sent.increment(len as u64);
    }

    #[inline]
    pub(super) fn message_received(&self) {
        self.0.messages_received.increment(1);
    }

    #[inline]
    pub(super) fn message_sent(&self) {
        self.0.messages_sent.increment(1);
    }

    pub(super) fn message_skipped(&self) {
        self.0.messages_skipped.increment(1);
    }

    pub(super) fn ping_received(&self) {
        self.0.pings_received.increment(1);
    }

    pub(super) fn ping_sent(&self) {
        self.0.pings_sent.increment(1);
    }

    pub(super) fn answered(&self, rtt: Duration) {
        self.0.rtt.record(rtt);
    }

    pub(super) fn closed(&self, code: CloseCode) {
        self.0.open.decrement(1.0);
        // Codes from 3000 on are the peer's to choose: one by one they would be 2,000 series.
        let code = match code.as_u16() {
            code @ ..3000 => code.to_string(),
            3000..4000 => "3xxx".to_owned(),
            _ => "4xxx".to_owned(),
        };
        counter!(CONNECTIONS_CLOSED, "role" => self.0.role, "code" => code).increment(1);
    }
}

/// Openings.
pub(crate) mod opening {
    use super::{CONNECTIONS_REFUSED, Duration, HANDSHAKE_SECONDS, Role, counter, histogram, name};

    /// An opening handshake has led to a connection.
    pub(crate) fn took(role: Role, took: impl FnOnce() -> Duration) {
        histogram!(HANDSHAKE_SECONDS, "role" => name(role)).record(took());
    }

    /// An opening handshake has led to none. `status` is that of the HTTP answer, where there was one.
    pub(crate) fn refused(role: Role, status: Option<u16>) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        counter!(CONNECTIONS_REFUSED, "role" => name(role), "status" => status).increment(1);
    }
}

const fn name(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
    }
}

fn describe() {
    ::metrics::describe_gauge!(CONNECTIONS_OPEN, "Connections that are open now");
    for (name, what) in [
        (CONNECTIONS_OPENED, "Connections opened"),
        (CONNECTIONS_REFUSED, "Opening handshakes that led to no connection, by HTTP status"),
        (CONNECTIONS_CLOSED, "Connections ended, by close code"),
        (MESSAGES_RECEIVED, "Messages received whole"),
        (MESSAGES_SENT, "Messages queued whole"),
        (MESSAGES_SKIPPED, "Messages over their limit that were skipped"),
        (PINGS_RECEIVED, "Pings received"),
        (PINGS_SENT, "Pings sent"),
    ] {
        ::metrics::describe_counter!(name, Unit::Count, what);
    }
    ::metrics::describe_counter!(RECEIVED_BYTES, Unit::Bytes, "Bytes read, frame headers counted");
    ::metrics::describe_counter!(SENT_BYTES, Unit::Bytes, "Bytes written, frame headers counted");
    ::metrics::describe_histogram!(PING_RTT_SECONDS, Unit::Seconds, "Time from a ping to its pong");
    ::metrics::describe_histogram!(HANDSHAKE_SECONDS, Unit::Seconds, "Time of opening handshakes");
}
