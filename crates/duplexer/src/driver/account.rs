//! What one connection may use of its server's terms: how fast its peer talks, and how much its unfinished messages take. What it
//! has used is kept with what few connections have.

use std::sync::Arc;

use duplexer_proto::Fault;

use crate::clock;
use crate::driver::seldom::{Seldom, Used};
use crate::pace::Pace;
use crate::terms::{OverRate, Terms};

/// A connection's account; what it has borrowed is to be given back with [`close`](Account::close).
#[derive(Debug, Default)]
pub(super) struct Account(Option<Arc<Terms>>);

impl Account {
    pub(super) const fn on(terms: Option<Arc<Terms>>) -> Self {
        Self(terms)
    }

    /// Whether the messages or the bytes of its peer are counted.
    #[inline]
    pub(super) fn counts(&self) -> bool {
        self.0.as_deref().is_some_and(|Terms { rates, .. }| {
            rates.messages_per_second_max.is_some() || rates.bytes_per_second_max.is_some()
        })
    }

    /// A message has come.
    pub(super) fn message(&self, seldom: &mut Seldom) -> Result<(), Fault> {
        match self.0.as_deref().and_then(|terms| terms.rates.messages_per_second_max) {
            None => Ok(()),
            Some(max) => self
                .spend(seldom, 1, max.into(), "messages_per_second_max", |used| &mut used.messages),
        }
    }

    /// A control frame has come that nobody asked for.
    pub(super) fn control(&self, seldom: &mut Seldom) -> Result<(), Fault> {
        match self.0.as_deref().and_then(|terms| terms.rates.control_frames_per_second_max) {
            None => Ok(()),
            Some(max) => {
                self.spend(seldom, 1, max.into(), "control_frames_per_second_max", |used| {
                    &mut used.controls
                })
            }
        }
    }

    /// Bytes have come.
    pub(super) fn bytes(&self, len: usize, seldom: &mut Seldom) -> Result<(), Fault> {
        match self.0.as_deref().and_then(|terms| terms.rates.bytes_per_second_max) {
            None => Ok(()),
            Some(max) => {
                self.spend(seldom, len as u64, max, "bytes_per_second_max", |used| &mut used.bytes)
            }
        }
    }

    fn spend(
        &self,
        seldom: &mut Seldom,
        amount: u64,
        max: u64,
        setting: &'static str,
        pace: impl FnOnce(&mut Used) -> &mut Pace,
    ) -> Result<(), Fault> {
        let Some(terms) = &self.0 else { return Ok(()) };
        let used = seldom.use_some();
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

    /// Whether there is anything to account for.
    #[inline]
    pub(super) const fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Unfinished messages take `held` bytes now.
    pub(super) fn hold(&self, held: usize, seldom: &mut Seldom) -> Result<(), Fault> {
        let Some(terms) = &self.0 else { return Ok(()) };
        let borrowed = seldom.borrowed();
        if held == borrowed {
            return Ok(());
        }
        if held < borrowed {
            terms.give_back(borrowed - held);
        } else if !terms.borrow(held - borrowed) {
            let (setting, bytes_max) = ("unfinished_bytes_max", terms.unfinished_bytes_max as u64);
            return Err(Fault::OutOfMemory { setting, bytes_max });
        }
        seldom.set_borrowed(held);
        Ok(())
    }

    /// Gives back what was borrowed.
    pub(super) fn close(&self, seldom: &mut Seldom) {
        // That never fails.
        let _ = self.hold(0, seldom);
    }
}
