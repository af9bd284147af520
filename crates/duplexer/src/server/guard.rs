//! Settings with which a server guards itself against too much of a good thing, as they are collected before it is built.

use crate::server::caps::CapLimits;
use crate::server::forwarded::ForwardedHeaders;
use crate::server::proxy_protocol::ProxyProtocol;
use crate::server::trust::TrustedProxies;
use crate::terms::{RateLimits, UNFINISHED_BYTES_MAX};

/// The settings.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) caps: CapLimits,
    pub(crate) rates: RateLimits,
    pub(crate) unfinished_bytes_max: usize,
    pub(crate) proxies: Proxies,
}

/// What stands in front of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    pub(crate) trusted: TrustedProxies,
    pub(crate) headers: ForwardedHeaders,
    pub(crate) protocol: ProxyProtocol,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            caps: CapLimits::default(),
            rates: RateLimits::default(),
            unfinished_bytes_max: UNFINISHED_BYTES_MAX,
            proxies: Proxies::default(),
        }
    }
}
