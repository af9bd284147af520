//! Serves WebSockets, and plain HTTP beside them on the same port: accepting, opening, running handlers, shutting down.

mod accept;
mod builder;
pub(crate) mod caps;
pub(crate) mod connection;
mod guard;
mod guarding;
pub(crate) mod hosted;
mod http;
pub(crate) mod inner;
pub(crate) mod launch;
pub(crate) mod opening;
mod origin;
mod request;
mod secure;
mod service;
pub(crate) mod tracker;

pub use builder::{Server, ServerBuilder};
pub use hosted::HandlerOutcome;
pub use origin::Origins;
pub use request::{Addresses, Rejection, Request};
