//! What one connection has used of its server's terms: how fast its peer talks, and how much its unfinished messages take. A
//! connection without terms, or with nothing to remember, carries two empty pointers.

use std::sync::Arc;

use duplexer_proto::{Fault, Time};

use crate::clock;
use crate::pace::Pace;
use crate::terms::{OverRate, Terms};

/// A connection's account; given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Account {
    terms: Option<Arc<Terms>>,
    used: Option<Box<Used>>,
}

#[derive(Debug, Default, PartialEq)]
struct Used {
    messages: Pace,
    controls: Pace,
    bytes: Pace,
    /// Nothing is read until then.
    rests_until: Option<Time>,
    /// Bytes that are borrowed for unfinished messages.
    borrowed: usize,
}

impl Account {
    pub(super) const fn on(terms: Option<Arc<Terms>>) -> Self {
        Self { terms, used: None }
    }

    /// A message has come.
    #[inline]
    pub(super) fn message(&mut self) -> Result<(), Fault> {
        match self.terms.as_deref().and_then(|terms| terms.rates.messages_per_second_max) {
            None => Ok(()),
            Some(max) => {
                self.spend(1, max.into(), "messages_per_second_max", |used| &mut used.messages)
            }
        }
    }

    /// A control frame has come that nobody asked for.
    pub(super) fn control(&mut self) -> Result<(), Fault> {
        match self.terms.as_deref().and_then(|terms| terms.rates.control_frames_per_second_max) {
            None => Ok(()),
            Some(max) => self
                .spend(1, max.into(), "control_frames_per_second_max", |used| &mut used.controls),
        }
    }

    /// Bytes have come.
    #[inline]
    pub(super) fn bytes(&mut self, len: usize) -> Result<(), Fault> {
        match self.terms.as_deref().and_then(|terms| terms.rates.bytes_per_second_max) {
            None => Ok(()),
            Some(max) => {
                self.spend(len as u64, max, "bytes_per_second_max", |used| &mut used.bytes)
            }
        }
    }

    fn spend(
        &mut self,
        amount: u64,
        max: u64,
        setting: &'static str,
        pace: impl FnOnce(&mut Used) -> &mut Pace,
    ) -> Result<(), Fault> {
        let Some(terms) = &self.terms else { return Ok(()) };
        let used = self.used.get_or_insert_default();
        let now = clock::now();
        match terms.rates.over {
            OverRate::Close => pace(used)
                .admit(now, amount, max)
                .map_err(|_| Fault::TooFast { setting, per_second_max: max }),
            OverRate::Slow => {
                let until = pace(used).spend(now, amount, max);
                used.rests_until = used.rests_until.max(until);
                Ok(())
            }
        }
    }

    /// Until when nothing is to be read.
    #[inline]
    pub(super) fn rests_until(&self) -> Option<Time> {
        self.used.as_ref()?.rests_until
    }

    /// Reading goes on.
    pub(super) fn rested(&mut self) {
        if let Some(used) = &mut self.used {
            used.rests_until = None;
        }
    }

    /// Whether something is borrowed.
    #[inline]
    pub(super) fn owes(&self) -> bool {
        self.used.as_ref().is_some_and(|used| used.borrowed > 0)
    }

    /// Whether there is anything to account for.
    #[inline]
    pub(super) const fn is_kept(&self) -> bool {
        self.terms.is_some()
    }

    /// Unfinished messages take `held` bytes now.
    pub(super) fn hold(&mut self, held: usize) -> Result<(), Fault> {
        let Some(terms) = &self.terms else { return Ok(()) };
        let borrowed = self.used.as_ref().map_or(0, |used| used.borrowed);
        if held == borrowed {
            return Ok(());
        }
        if held < borrowed {
            terms.give_back(borrowed - held);
        } else if !terms.borrow(held - borrowed) {
            let (setting, bytes_max) = ("unfinished_bytes_max", terms.unfinished_bytes_max as u64);
            return Err(Fault::OutOfMemory { setting, bytes_max });
        }
        let used = self.used.get_or_insert_default();
        used.borrowed = held;
        if **used == Used::default() {
            self.used = None;
        }
        Ok(())
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let (Some(terms), Some(used)) = (&self.terms, &self.used) {
            terms.give_back(used.borrowed);
        }
    }
}
