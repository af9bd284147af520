//! What a connection tells of itself to those who run the program: `tracing` and, with the feature `metrics`, counters. Called
//! by the driver as things happen; decides nothing.
//!
//! Without the feature `Meter` is empty and its methods do nothing. A connection keeps a trace only where `tracing` was enabled
//! for this crate at info when it opened, which the
//! driver keeps and names in each call.

#[cfg(feature = "metrics")]
mod meter;
#[cfg(not(feature = "metrics"))]
mod no_meter;
mod trace;

use std::fmt;
use std::time::Duration;

use duplexer_proto::{CloseCode, CloseInfo, MessageKind, Role};

#[cfg(feature = "metrics")]
pub(crate) use meter::{Meter, opening};
#[cfg(not(feature = "metrics"))]
pub(crate) use no_meter::{Meter, opening};
pub(crate) use trace::Trace;

/// Who looks at one open connection.
pub(crate) struct Watch {
    meter: Meter,
}

impl Watch {
    /// Begins with an open connection.
    pub(crate) fn new(role: Role) -> Self {
        Self { meter: Meter::opened(role) }
    }

    /// Bytes were read.
    #[inline]
    pub(crate) fn read(&self, len: usize) {
        self.meter.read(len);
    }

    /// Bytes were written.
    #[inline]
    pub(crate) fn wrote(&self, len: usize) {
        self.meter.wrote(len);
    }

    /// A message has arrived whole.
    #[inline]
    pub(crate) fn message_received(&self) {
        self.meter.message_received();
    }

    /// A message was queued whole.
    #[inline]
    pub(crate) fn message_sent(&self) {
        self.meter.message_sent();
    }

    /// A message is over its limit and skipped.
    pub(crate) fn message_skipped(&self, kind: MessageKind, bytes_max: u64, trace: Option<&Trace>) {
        self.meter.message_skipped();
        traced(trace, || tracing::debug!(?kind, bytes_max, "message skipped"));
    }

    /// A ping has arrived.
    pub(crate) fn ping_received(&self) {
        self.meter.ping_received();
    }

    /// A ping was queued.
    pub(crate) fn ping_sent(&self) {
        self.meter.ping_sent();
    }

    /// The last ping was answered.
    pub(crate) fn answered(&self, rtt: Duration, trace: Option<&Trace>) {
        self.meter.answered(rtt);
        traced(trace, || tracing::debug!(?rtt, "ping answered"));
    }

    /// The connection of an end in `role` is over. To be told once.
    pub(crate) fn over(
        &self,
        role: Role,
        info: Option<&CloseInfo>,
        cause: Option<&dyn fmt::Display>,
        trace: Option<&Trace>,
    ) {
        let code = info.map_or(CloseCode::ABNORMAL, |info| info.reason.code());
        self.meter.closed(code);
        let lasted = trace.map(Trace::lasted);
        traced(trace, || trace::closed(role, info, cause, lasted));
    }
}

/// Tells of something in the connection's span, where it has one.
fn traced(trace: Option<&Trace>, tell: impl FnOnce()) {
    match trace {
        Some(trace) => trace.in_span(tell),
        None => tell(),
    }
}
