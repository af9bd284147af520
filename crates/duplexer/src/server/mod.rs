//! Serves WebSockets, and plain HTTP beside them on the same port: accepting, opening, running handlers, shutting down.

mod accept;
mod builder;
mod caps;
mod connection;
mod guard;
mod guarding;
mod hosted;
mod http;
mod inner;
mod launch;
mod opening;
mod origin;
mod request;
mod secure;
mod service;
mod tracker;

pub use builder::{Server, ServerBuilder};
pub use hosted::HandlerOutcome;
pub use origin::Origins;
pub use request::{Addresses, Rejection, Request};
