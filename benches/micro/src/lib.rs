//! The micro-benchmarks of `duplexer-proto`: what each part of the protocol costs, without sockets, by its public interface.
//!
//! [`cases`] lists them. The program `counted` runs one under valgrind, for `cargo xtask instructions`; `benches/times.rs` takes
//! their time. The method is in `../README.md`.

mod case;
mod catalogue;
mod deflate;
mod echo;
mod header;
mod mask;
mod sample;
mod utf8;

pub use case::{Case, OPERATIONS, Work};
pub use catalogue::cases;
