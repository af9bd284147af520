//! Connections within one process, without sockets: a transport in memory with a peer at its other end, our server
//! that hands messages on, and what all that costs the process. So there may be as many as fit into memory.

mod cost;
mod network;
mod room;

pub use cost::{Cost, bound_memory};
pub use network::{Counts, Network, Wire};
pub use room::Room;
