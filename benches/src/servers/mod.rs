//! What the measured programs share: listening, a certificate, a bare opening handshake, the floor that nothing can go below,
//! and what a measured client is told.

mod certificate;
mod floor;
mod handshake;
mod listen;
mod orders;

pub use certificate::Certificate;
pub use floor::Floor;
pub use handshake::{open, switching};
pub use listen::{Listen, serve};
pub use orders::{Order, Tally, payload, server_to_measure};
