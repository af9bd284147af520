//! Leads a byte stream to a server: from a URI to a transport over which the opening handshake can be sent, directly, through a
//! proxy, or to a Unix socket.

mod dialler;
mod eyeballs;
#[cfg(not(unix))]
mod no_unix;
mod proxy;
mod tcp;
#[cfg(unix)]
mod unix;

pub(crate) use dialler::{Deadline, DialFault, Dialler};
#[cfg(not(unix))]
pub(crate) use no_unix::UnixSocket;
pub use proxy::{Proxy, ProxyError, ProxyFault, ProxyUrlError, SocksFault};
pub use tcp::DialError;
#[cfg(unix)]
pub(crate) use unix::UnixSocket;
