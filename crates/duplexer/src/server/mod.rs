//! Serves WebSockets, and plain HTTP beside them on the same port: accepting, opening, running handlers, shutting down.

mod accept;
mod builder;
mod connection;
mod hosted;
mod http;
mod inner;
mod launch;
mod opening;
mod origin;
mod prefixed;
mod report;
mod request;
mod service;
mod tracker;

pub use builder::{Server, ServerBuilder};
pub use hosted::HandlerOutcome;
pub use origin::Origins;
pub use request::{Addresses, Rejection, Request};
