//! What the fuzzers run, as plain functions: bytes in, and a panic where Duplexer breaks a promise.
//! libFuzzer calls them from `fuzz_targets/`; `cargo test` replays the kept corpora through them on
//! stable.

mod against_tungstenite;
mod any_chunking;
mod client_handshake;
mod connection;
mod deflate;
mod driver;
mod extension_header;
mod headers;
mod server_handshake;
mod targets;
mod wire;

pub use against_tungstenite::against_tungstenite;
pub use any_chunking::any_chunking;
pub use client_handshake::client_handshake;
pub use connection::connection;
pub use deflate::deflate;
pub use extension_header::extension_header;
pub use headers::headers;
pub use server_handshake::server_handshake;
pub use targets::{TARGETS, Target};
