//! The option that leads to a server on the same machine, where the platform has a way to it.

#[cfg(not(unix))]
mod no_unix;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use no_unix::Local;
#[cfg(unix)]
pub(crate) use unix::Local;
