//! Opens connections: a URI and settings in, an open socket out.

mod builder;
mod open;
mod outcome;
mod report;

pub use builder::ClientBuilder;
pub use open::{Client, connect};
pub use outcome::ConnectError;
