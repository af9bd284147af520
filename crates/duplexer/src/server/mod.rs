//! Serves WebSockets, and plain HTTP beside them on the same port: accepting, opening, running handlers, shutting down.

mod accept;
mod builder;
pub(crate) mod caps;
pub(crate) mod connection;
pub(crate) mod entry;
mod forwarded;
mod guard;
mod guarding;
pub(crate) mod hosted;
mod http;
pub(crate) mod inner;
pub(crate) mod launch;
mod listener;
mod listeners;
#[cfg(not(unix))]
mod no_unix;
pub(crate) mod opening;
mod origin;
mod pattern;
mod proxy_protocol;
mod rejection;
mod report;
mod request;
mod routes;
mod secure;
mod service;
mod serving;
pub(crate) mod tracker;
mod trust;
#[cfg(unix)]
mod unix;
mod until;

pub use builder::{Server, ServerBuilder};
pub use forwarded::ForwardedHeaders;
pub use hosted::HandlerOutcome;
pub use listener::Listener;
pub use listeners::Listeners;
#[cfg(not(unix))]
use no_unix::AnyListener;
pub use origin::Origins;
pub use proxy_protocol::ProxyProtocol;
pub use rejection::Rejection;
pub use request::{Addresses, Request};
pub use routes::{RouteError, Routes};
pub use trust::{TrustedProxies, TrustedProxiesError};
#[cfg(unix)]
use unix::AnyListener;
