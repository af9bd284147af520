//! From a proxy's URL to a tunnel through that proxy: connects to it, looks the target up where that is not the proxy's work, and
//! lets the proxy's protocol do the rest.

use std::net::IpAddr;

use crate::dial::proxy::connect::connect;
use crate::dial::proxy::outcome::ProxyFault;
use crate::dial::proxy::socks::{self, SocksFault, Target};
use crate::dial::proxy::url::{ProxyUrl, Scheme};
use crate::dial::tcp::{self, authority};
use crate::tls::ClientTls;
use crate::transport::Transport;

/// A byte stream to a host behind a proxy. Has no deadline of its own. Cancel-safe.
pub(in crate::dial) async fn tunnel(
    proxy: &ProxyUrl,
    tls: &ClientTls,
    host: &str,
    port: u16,
) -> Result<Transport, ProxyFault> {
    let (target, credentials) = (authority(host, port), proxy.credentials.as_ref());
    match proxy.scheme {
        Scheme::Http => connect(reach(proxy).await?, &target, credentials).await,
        Scheme::Https => {
            let encrypted = tls.connect(reach(proxy).await?, &proxy.host).await;
            connect(encrypted.map_err(ProxyFault::Tls)?.0, &target, credentials).await
        }
        Scheme::Socks4 | Scheme::Socks4a | Scheme::Socks5 | Scheme::Socks5h => {
            through_socks(proxy, host, port).await
        }
    }
}

/// A connection to the proxy itself.
async fn reach(proxy: &ProxyUrl) -> Result<Transport, ProxyFault> {
    let connected = tcp::connect(&proxy.host, proxy.port).await;
    connected.map(Transport::Tcp).map_err(ProxyFault::Dial)
}

/// Where names are looked up here, tries the addresses one after the other, over a connection to the proxy each.
async fn through_socks(proxy: &ProxyUrl, host: &str, port: u16) -> Result<Transport, ProxyFault> {
    let literal = host.parse::<IpAddr>().ok();
    let targets = match (literal, proxy.scheme) {
        (Some(address), _) => vec![Target::Address((address, port).into())],
        (None, Scheme::Socks4a | Scheme::Socks5h) => vec![Target::Name(host, port)],
        (None, _) => {
            let found = tcp::resolve(host, port).await.map_err(ProxyFault::Target)?;
            found.into_iter().take(ADDRESSES_MAX).map(Target::Address).collect()
        }
    };
    let version_4 = matches!(proxy.scheme, Scheme::Socks4 | Scheme::Socks4a);
    let credentials = proxy.credentials.as_ref();
    let mut last = SocksFault::Ipv6;
    for target in targets {
        if version_4 && matches!(target, Target::Address(address) if address.is_ipv6()) {
            continue;
        }
        let mut transport = reach(proxy).await?;
        let asked = match version_4 {
            true => socks::version_4(&mut transport, target, credentials).await,
            false => socks::version_5(&mut transport, target, credentials).await,
        };
        match asked {
            Ok(()) => return Ok(transport),
            Err(fault) if fault.is_about_address() => last = fault,
            Err(fault) => return Err(ProxyFault::Socks(fault)),
        }
    }
    Err(ProxyFault::Socks(last))
}

/// Most addresses of a name that a proxy is asked for.
const ADDRESSES_MAX: usize = 16;
