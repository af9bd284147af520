//! In the place of counters, where the feature `metrics` is off: nothing, at no cost.

use std::time::Duration;

use duplexer_proto::{CloseCode, Role};

/// Counts nothing.
pub(crate) struct Meter;

impl Meter {
    pub(super) const fn opened(_: Role) -> Self {
        Self
    }

    #[inline]
    pub(super) const fn read(&self, _: usize) {}

    #[inline]
    pub(super) const fn wrote(&self, _: usize) {}

    #[inline]
    pub(super) const fn message_received(&self) {}

    #[inline]
    pub(super) const fn message_sent(&self) {}

    pub(super) const fn message_skipped(&self) {}

    pub(super) const fn ping_received(&self) {}

    pub(super) const fn ping_sent(&self) {}

    pub(super) const fn answered(&self, _: Duration) {}

    pub(super) const fn closed(&self, _: CloseCode) {}
}

/// Openings, which are not counted.
pub(crate) mod opening {
    use std::time::Duration;

    use duplexer_proto::Role;

    pub(crate) fn took(_: Role, _: impl FnOnce() -> Duration) {}

    pub(crate) const fn refused(_: Role, _: Option<u16>) {}
}
