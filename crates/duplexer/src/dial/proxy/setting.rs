//! The proxies of a client: a setting or the environment in; the proxy that leads to a host, if any, out. Opens nothing.

use std::sync::Arc;

use crate::dial::proxy::bypass::Bypass;
use crate::dial::proxy::environment::{self, Environment};
use crate::dial::proxy::url::{Choice, ProxyUrl, ProxyUrlError, SETTING};

/// Which proxies lead to servers.
///
/// ```
/// use duplexer::{Client, Proxy};
/// let proxy = Proxy::parse("http://user:password@proxy.example:3128")?;
/// let client = Client::builder().proxy(proxy.except("localhost, 10.0.0.0/8")).build();
/// let direct = Client::builder().proxy(None).build();
/// # Ok::<(), duplexer::ProxyUrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Proxy {
    wss: Option<Arc<Choice>>,
    ws: Option<Arc<Choice>>,
    bypass: Arc<Bypass>,
}

impl Proxy {
    /// One proxy for all servers. Its URL is `SCHEME://[USER:PASSWORD@]HOST[:PORT]`; user name and password are percent-decoded.
    ///
    /// | scheme | how it is spoken to | default port |
    /// | --- | --- | --- |
    /// | `http`, or none | HTTP CONNECT (RFC 9110 §9.3.6), credentials by Basic (RFC 7617) | 80 |
    /// | `https` | the same over TLS, with the client's settings for it | 443 |
    /// | `socks5` | SOCKS5 (RFC 1928, RFC 1929); names are looked up here | 1080 |
    /// | `socks5h` | SOCKS5; names are looked up by the proxy | 1080 |
    /// | `socks4`, `socks4a` | SOCKS4, with names looked up here, or by the proxy; IPv4 only | 1080 |
    ///
    /// # Errors
    /// The text is no such URL.
    pub fn parse(url: &str) -> Result<Self, ProxyUrlError> {
        let choice = Arc::new(Choice { named_by: SETTING, url: Ok(ProxyUrl::parse(url)?) });
        Ok(Self { wss: Some(Arc::clone(&choice)), ws: Some(choice), bypass: Arc::default() })
    }

    /// No proxy.
    #[must_use]
    pub fn none() -> Self {
        Self { wss: None, ws: None, bypass: Arc::default() }
    }

    /// What this process's environment says now, which is the default of a client. For `wss` the first of `wss_proxy`,
    /// `https_proxy` and `all_proxy` counts, for `ws` the first of `ws_proxy`, `http_proxy` and `all_proxy`, each in lower case
    /// before upper case; an empty one is none. `HTTP_PROXY` is not looked at under CGI (where `REQUEST_METHOD` is set),
    /// because there a request's header could have set it. The hosts of `no_proxy` are [excepted](Self::except). A malformed
    /// URL is an [error](crate::ProxyFault::Setting) for those connections that it is meant for.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_lookup(environment::lookup)
    }

    /// Connects directly to the hosts of this list, in place of those excepted before. Its entries, parted by commas or spaces,
    /// are `example.com` or `.example.com` (that name and all under it), addresses and networks such as `10.0.0.1` and
    /// `fd00::/8` (for hosts that are written as addresses), and `*` for all, each with a `:port` behind it or without.
    #[must_use]
    pub fn except(mut self, hosts: &str) -> Self {
        self.bypass = Arc::new(Bypass::parse(hosts));
        self
    }

    /// What an environment says.
    pub(super) fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let Environment { wss, ws, bypass } = Environment::read(lookup);
        Self { wss: wss.map(Arc::new), ws: ws.map(Arc::new), bypass: Arc::new(bypass) }
    }

    /// The proxy that leads to a host, an IPv6 address without brackets; none where it is connected to directly.
    pub(crate) fn choose(&self, secure: bool, host: &str, port: u16) -> Option<&Choice> {
        let choice = if secure { &self.wss } else { &self.ws };
        choice.as_deref().filter(|_| !self.bypass.contains(host, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_hosts_goes_before_every_proxy() {
        let proxy = Proxy::from_lookup(|name| match name {
            "all_proxy" => Some("socks5h://h".to_owned()),
            "wss_proxy" => Some("ftp://h".to_owned()),
            "no_proxy" => Some("direct.example".to_owned()),
            _ => None,
        });
        assert!(proxy.choose(true, "direct.example", 443).is_none(), "a malformed one, too");
        assert_eq!(proxy.choose(true, "h.example", 443).map(|c| c.named_by), Some("wss_proxy"));
        assert_eq!(proxy.choose(false, "h.example", 80).map(|c| c.named_by), Some("all_proxy"));
        assert!(proxy.except("h.example:80").choose(false, "direct.example", 80).is_some());
    }

    #[test]
    fn none_is_none_and_a_setting_is_for_all() {
        assert!(Proxy::none().choose(true, "h", 443).is_none());
        let proxy = Proxy::parse("h:3128").expect("a URL");
        for secure in [true, false] {
            let choice = proxy.choose(secure, "127.0.0.1", 80).expect("a proxy");
            assert_eq!(choice.named_by, SETTING);
        }
    }
}
