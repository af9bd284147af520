//! What the measured programs share: listening, a certificate, a bare opening handshake, and the floor that nothing can go below.

mod certificate;
mod floor;
mod handshake;
mod listen;

pub use certificate::Certificate;
pub use floor::Floor;
pub use handshake::open;
pub use listen::{Listen, serve};
