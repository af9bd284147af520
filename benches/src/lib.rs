//! Measures what a WebSocket server costs: the servers that are compared, the load that is put on them, and the comparison.
//!
//! [`servers`] holds what the rivals' programs and the bare floor share, [`load`] is the generator that asks and counts, and
//! [`compare`] runs every server under every workload in turn, [`curves`] finds out how the cost grows, and [`spent`] what it consists of. Our own server is the program itself, and where
//! that cannot do what is asked, the programs `ours` and `in_memory`; nothing but these and [`memory`] uses the library. The question, the method and the figures are in `README.md` beside this crate.

pub mod compare;
pub mod curves;
pub mod load;
pub mod memory;
pub mod servers;
pub mod spent;
