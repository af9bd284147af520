//! The harness for third-party suites and peers: it runs them, watches the wire, and judges what they say.
//!
//! The suites and peers themselves come from `cargo xtask conformance` and `cargo xtask interop`, which install them and then run the
//! ignored tests in `tests/`. Nothing here knows our library: the tests bring the two together.

pub mod autobahn;
pub mod cases;
pub mod folder;
pub mod judge;
pub mod network;
pub mod peer;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod relay;
pub mod stream;
pub mod summary;
pub mod wire;
