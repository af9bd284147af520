//! What the measured programs share: listening, a certificate, a bare opening handshake, and the floors that nothing can go
//! below.

mod certificate;
mod deflate;
mod epoll;
mod fan_out;
mod floor;
mod handshake;
mod listen;

pub use certificate::Certificate;
pub use deflate::Deflate;
pub use epoll::echo_bytes_on_epoll;
pub use fan_out::Subscribers;
pub use floor::Floor;
pub use handshake::{Wish, open};
pub use listen::{Listen, announced, serve, serve_with_timers};
