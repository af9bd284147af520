//! Which addresses are proxies of the server's own, whose word about clients counts.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// The proxies in front of a server that are believed when they say who their client is. By default none.
///
/// ```
/// let proxies = duplexer::TrustedProxies::list(["10.0.0.0/8", "2001:db8::5", "unix"])?;
/// let server = duplexer::Server::builder().trusted_proxies(proxies).build();
/// # Ok::<(), duplexer::TrustedProxiesError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Peers without an address.
    unix: bool,
}

impl TrustedProxies {
    /// These addresses and networks (`10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32`); `unix` stands for all peers that have no address:
    /// those of a Unix socket, and of [`serve_over`](crate::Server::serve_over) and [`upgrade`](crate::Server::upgrade) where
    /// they were told of none.
    ///
    /// # Errors
    /// The first that is neither.
    pub fn list<N: AsRef<str>>(
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, TrustedProxiesError> {
        let mut trusted = Self::default();
        for name in names {
            let name = name.as_ref().trim();
            let address = name.parse::<IpAddr>().map(|address| address.to_canonical().into());
            match address.or_else(|_| name.parse().map(canonical)) {
                Ok(network) => trusted.networks.push(network),
                Err(_) if name == "unix" => trusted.unix = true,
                Err(_) => return Err(TrustedProxiesError { name: name.to_owned() }),
            }
        }
        Ok(trusted)
    }

    /// Whether the one at this address, or without one, is such a proxy.
    pub(crate) fn contain(&self, address: Option<IpAddr>) -> bool {
        match address.map(|address| address.to_canonical()) {
            None => self.unix,
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
        }
    }
}

/// A network of IPv4 addresses written as IPv6 (RFC 4291 §2.5.5.2) is one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => {
            network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96))
        }
        IpNet::V4(_) => None,
    };
    let mapped = mapped.and_then(|(address, len)| IpNet::new(address.into(), len).ok());
    mapped.unwrap_or(network)
}

/// A proxy's name is neither an address nor a network.
///
/// ```
/// let error = duplexer::TrustedProxies::list(["proxy.example"]).unwrap_err();
/// assert!(error.to_string().contains("`proxy.example`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedProxiesError {
    /// The name.
    pub name: String,
}

impl fmt::Display for TrustedProxiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "trusted proxy `{}` is no IP address, no network such as 10.0.0.0/8, and not `unix`",
            self.name.escape_debug()
        )
    }
}

impl std::error::Error for TrustedProxiesError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_told_apart_from_others() {
        let proxies = TrustedProxies::list([
            "10.0.0.0/8",
            "192.0.2.1",
            "2001:db8::/32",
            "::ffff:192.168.0.0/112",
        ]);
        let proxies = proxies.expect("all are networks");
        for inside in ["10.255.0.1", "192.0.2.1", "2001:db8:1::1", "::ffff:10.0.0.1", "192.168.9.9"]
        {
            assert!(proxies.contain(inside.parse().ok()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.2", "192.169.0.1", "2001:db9::1", "::10.0.0.1"] {
            assert!(!proxies.contain(outside.parse().ok()), "{outside}");
        }
        let mapped = TrustedProxies::list(["::ffff:192.0.2.9"]).expect("an address");
        assert!(mapped.contain("192.0.2.9".parse().ok()));
        assert!(!proxies.contain(None));
        assert!(TrustedProxies::list(["unix"]).expect("a name").contain(None));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for name in ["", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.1:80", "*"] {
            assert!(TrustedProxies::list([name]).is_err(), "{name}");
        }
    }
}
