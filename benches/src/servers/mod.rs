//! What the measured programs share: listening, a certificate, a bare opening handshake, the floors that nothing can go below,
//! and what a measured client is told.

mod certificate;
mod deflate;
mod epoll;
mod fan_out;
mod floor;
mod handshake;
mod keeper;
mod listen;
mod orders;

pub use certificate::Certificate;
pub use deflate::Deflate;
pub use epoll::echo_bytes_on_epoll;
pub use fan_out::Subscribers;
pub use floor::Floor;
pub use handshake::{Wish, open, switching};
pub use keeper::keep;
pub use listen::{Listen, announced, serve, serve_with_timers};
pub use orders::{Order, Tally, payload, server_to_measure};
