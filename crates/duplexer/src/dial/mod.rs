//! Leads a byte stream to a server: from a URI to a transport over which the opening handshake can be sent, directly, through a
//! proxy, or to a Unix socket.

mod dialler;
mod eyeballs;
mod proxy;
mod tcp;

pub(crate) use dialler::{Deadline, DialFault, Dialler};
pub use proxy::{Proxy, ProxyError, ProxyFault, ProxyUrlError, SocksFault};
pub use tcp::DialError;
