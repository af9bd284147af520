//! Runs one connection of the core over a transport: reads, writes, timers. Every future of this crate polls it, so that
//! no connection needs a task of its own. Knows no handles and no locks.

mod account;
mod failure;
mod finish;
mod happening;
mod io;
mod notes;
mod receive;
mod seldom;
mod send;

pub(crate) use failure::Failure;
pub(crate) use happening::Happening;
pub(crate) use io::Driver;
pub(crate) use notes::Note;
pub(crate) use receive::Piece;
