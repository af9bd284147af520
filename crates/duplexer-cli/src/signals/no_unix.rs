//! In the place of Unix's signals, where the platform has none: Ctrl-C alone.

use std::io;

use crate::signals::signal::Signal;

/// Ctrl-C as it comes. Once it was waited for, it no longer ends the program by itself.
pub(crate) struct Signals {}

impl Signals {
    /// Of the same form as on Unix; does nothing.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        let _ = tokio::signal::ctrl_c().await;
        Signal::Interrupt
    }
}
