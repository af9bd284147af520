//! Which pages may connect (RFC 6455 §10.2): browsers send cookies with a WebSocket request of any page, so a server
//! that looks at nothing can be used by all of them.

use std::net::IpAddr;

use http::StatusCode;
use http::uri::Authority;

use crate::server::pattern::Pattern;
use crate::server::rejection::Rejection;
use crate::server::request::Request;

/// The origins whose pages may connect. Requests without an `Origin` come from no page and always pass.
///
/// ```
/// use duplexer::Origins;
/// let origins = Origins::list(["https://example.com", "https://*.example.com", "http://localhost:*"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Origins {
    rule: Rule,
    loopback_hosts: Vec<String>,
}

#[derive(Clone, Debug, Default)]
enum Rule {
    #[default]
    SameHost,
    List(Vec<Pattern>),
    Any,
}

impl Origins {
    /// Pages of the same host and port as the request's [`host`](crate::Request::host): the default. On a loopback address the
    /// host itself must then be a loopback name or one of [`loopback_hosts`](Origins::loopback_hosts), because any name can be
    /// made to lead there; that is not looked at where the connection's local address is not known (see
    /// [`Addresses`](crate::Addresses)), and where a [trusted proxy](crate::ServerBuilder::trusted_proxies) tells who its client is.
    #[must_use]
    pub const fn same_host() -> Self {
        Self::of(Rule::SameHost)
    }

    /// These origins, and pages of the same host. An origin is a scheme, a host and a port where that is not the scheme's
    /// own, as browsers send it; case does not matter. `https://*.example.com` stands for all names below `example.com`, at
    /// any depth, but not for `example.com` itself; `http://localhost:*` for all ports. A star elsewhere matches nothing. `null` is the
    /// origin of pages that have none, sandboxed ones for example: anybody's.
    #[must_use]
    pub fn list<O: Into<String>>(origins: impl IntoIterator<Item = O>) -> Self {
        let pattern = |origin: O| Pattern::parse(&origin.into());
        Self::of(Rule::List(origins.into_iter().map(pattern).collect()))
    }

    /// All pages of the web: for servers that neither cookies nor the network's place give any right.
    #[must_use]
    pub const fn any() -> Self {
        Self::of(Rule::Any)
    }

    /// Adds host names, without a port, under which the server may be reached on a loopback address beside the loopback names:
    /// for a name of your own in `/etc/hosts`, or a proxy on the same machine that is not
    /// [trusted](crate::ServerBuilder::trusted_proxies).
    ///
    /// ```
    /// let origins = duplexer::Origins::same_host().loopback_hosts(["app.test"]);
    /// ```
    #[must_use]
    pub fn loopback_hosts<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.loopback_hosts.extend(names.into_iter().map(Into::into));
        self
    }

    const fn of(rule: Rule) -> Self {
        Self { rule, loopback_hosts: Vec::new() }
    }

    /// Refuses a request from a page that may not connect.
    pub(crate) fn check<S>(&self, request: &Request<S>) -> Result<(), Rejection> {
        let Some(origin) = request.origin() else { return Ok(()) };
        match &self.rule {
            Rule::Any => return Ok(()),
            Rule::List(list) if list.iter().any(|one| one.matches(origin)) => {
                return Ok(());
            }
            Rule::List(_) | Rule::SameHost => {}
        }
        let host = request.host();
        if !is_same_host(origin, host) {
            return Err(refuse(&format!(
                "the origin `{}` is not that of host `{}`",
                origin.escape_debug(),
                host.escape_debug()
            )));
        }
        let on_loopback =
            request.local().is_some_and(|local| local.ip().to_canonical().is_loopback());
        if on_loopback && !request.is_proxied() && !self.is_loopback_host(host) {
            return Err(refuse(&format!(
                "the host `{}` is no loopback name, but this address is",
                host.escape_debug()
            )));
        }
        Ok(())
    }

    fn is_loopback_host(&self, host: &str) -> bool {
        let named =
            |name: &str| self.loopback_hosts.iter().any(|one| one.eq_ignore_ascii_case(name));
        is_loopback_name(host)
            || host.parse::<Authority>().is_ok_and(|authority| named(authority.host()))
    }
}

fn refuse(why: &str) -> Rejection {
    Rejection::new(
        StatusCode::FORBIDDEN,
        format!("{why}; the server's setting `origins` allows others\n"),
    )
}

/// Whether an origin's host and port are those of a `Host` header, the scheme's port standing for none.
fn is_same_host(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => return false,
    };
    let parts = |text: &str| {
        let authority: Authority = text.parse().ok()?;
        let port = authority.port_u16().unwrap_or(default);
        (!authority.as_str().contains('@')).then(|| (authority.host().to_ascii_lowercase(), port))
    };
    matches!((parts(authority), parts(host)), (Some(origin), Some(host)) if origin == host)
}

fn is_loopback_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_by_host_and_port() {
        for (origin, host) in [
            ("http://example.com", "example.com"),
            ("http://EXAMPLE.com:80", "example.com"),
            ("https://example.com", "example.com:443"),
            ("http://localhost:8080", "localhost:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(is_same_host(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "example.com"),
            ("http://example.com", "example.com:8080"),
            ("http://example.com.evil.net", "example.com"),
            ("http://example.com@evil.net", "example.com"),
            ("http://evil.net", "example.com"),
            ("file://", "example.com"),
        ] {
            assert!(!is_same_host(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn loopback_names() {
        for name in ["localhost", "a.localhost:80", "127.0.0.1:8080", "[::1]", "127.8.8.8"] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in ["localhost.evil.net", "evil.net", "10.0.0.1", "", "[::2]:80"] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }
}
