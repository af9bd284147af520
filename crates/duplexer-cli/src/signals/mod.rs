//! The signals that ask the program to stop, one after another.

#[cfg(not(unix))]
mod no_unix;
mod signal;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use no_unix::Signals;
pub(crate) use signal::Signal;
#[cfg(unix)]
pub(crate) use unix::Signals;
