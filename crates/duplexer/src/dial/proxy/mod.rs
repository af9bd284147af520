//! Proxies: which one leads to a host, by a setting or by the environment, and the tunnel through it. A proxy is always asked for
//! a tunnel, for `ws` too (RFC 6455 §4.1): what forwards requests often does not forward an upgrade.

mod bypass;
mod connect;
mod environment;
mod outcome;
mod setting;
mod socks;
mod tunnel;
mod url;

pub use outcome::{ProxyError, ProxyFault};
pub use setting::Proxy;
pub use socks::SocksFault;
pub(super) use tunnel::tunnel;
pub(super) use url::Choice;
pub use url::ProxyUrlError;
