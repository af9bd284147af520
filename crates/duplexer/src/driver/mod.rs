//! Runs one connection of the core over a transport: reads, writes, timers. Every future of this crate polls it, so that
//! no connection needs a task of its own. Knows no handles and no locks.

mod account;
mod finish;
mod io;
mod receive;
mod send;

pub(crate) use io::{Driver, Failure};
pub(crate) use receive::Piece;
