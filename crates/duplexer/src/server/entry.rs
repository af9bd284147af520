//! How a connection comes in, before anything of TLS or HTTP: it is counted, and a proxy in front may say whose it is.

use bytes::Bytes;
use duplexer_proto::Time;

use crate::clock;
use crate::prefixed::Prefixed;
use crate::server::caps::{Over, Seat};
use crate::server::inner::Inner;
use crate::server::proxy_protocol::{self, ProxyProtocol, ProxyProtocolError};
use crate::server::request::{Addresses, Request};
use crate::transport::Transport;

/// Lets a proxy say who its client is before anything else, where the server has it do so.
pub(crate) async fn read_proxy_header<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
    addresses: &mut Addresses,
) -> Result<(), ProxyProtocolError> {
    let required = inner.proxies.protocol == ProxyProtocol::Required;
    if !inner.proxies.trusted.contain(addresses.known_client()) {
        return if required { Err(ProxyProtocolError::NotTrusted) } else { Ok(()) };
    }
    match proxy_protocol::read(transport).await? {
        (Some(source), _) => {
            addresses.client = source.client;
            addresses.nameless = source.client.is_none() && !source.itself;
            addresses.tls |= source.tls;
        }
        (None, _) if required => return Err(ProxyProtocolError::Missing),
        (None, before) => put_back(transport, before),
    }
    Ok(())
}

/// Lets bytes that were read be read again.
fn put_back(transport: &mut Transport, before: Bytes) {
    let nothing = Transport::other(tokio::io::empty());
    let transport_itself = std::mem::replace(transport, nothing);
    *transport = Transport::other(Prefixed { before, transport: transport_itself });
}

/// Counts a connection in all.
pub(crate) fn enter<S>(inner: &Inner<S>, now: Time) -> Result<Option<Box<Seat>>, Over> {
    inner.caps.enter(now)
}

/// Counts a connection that was counted in all of its address as well, unless a proxy has still to say whose that is.
pub(crate) fn sit<S>(
    inner: &Inner<S>,
    addresses: Addresses,
    entered: Option<Box<Seat>>,
) -> Result<Option<Box<Seat>>, Over> {
    let of_address = match addresses.known_client() {
        Some(client) if !inner.proxies.trusted.contain(Some(client)) => {
            inner.caps.sit(client, clock::now)?
        }
        _ => None,
    };
    Ok(Seat::join(entered, of_address))
}

/// Counts a connection of the address that a trusted proxy names, if it comes from one.
pub(crate) fn seat_behind_proxy<S, T>(
    inner: &Inner<S>,
    request: &Request<T>,
) -> Result<Option<Box<Seat>>, Over> {
    match request.client() {
        Some(client) if request.comes_from_proxy() => inner.caps.sit(client, clock::now),
        _ => Ok(None),
    }
}
