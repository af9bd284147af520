//! WebSockets beside an HTTP stack that is already there, such as axum's or hyper's: the stack reads the request, and once its
//! answer has left the connection is ours, as if our own server had accepted it. Reads no HTTP itself.

mod accept;
#[cfg(feature = "axum")]
mod axum;
mod recover;
mod request;

pub use request::{Upgrade, UpgradeError};
