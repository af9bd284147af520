//! The way to a server, as a client's settings choose it: directly, through a proxy, or to a Unix socket.

use std::time::Duration;

use duplexer_proto::WsUri;
use tokio::time::{Instant, timeout_at};

use crate::dial::UnixSocket;
use crate::dial::proxy::{Choice, Proxy, ProxyError, ProxyFault, tunnel};
use crate::dial::tcp::{self, DialError, authority};
use crate::tls::ClientTls;
use crate::transport::Transport;

/// Ways to servers.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    proxy: Proxy,
    unix_socket: UnixSocket,
}

impl Dialler {
    /// The way to the Unix socket, whatever the host is, where there is one; else those over the network.
    pub(crate) const fn new(unix_socket: UnixSocket, proxy: Proxy) -> Self {
        Self { proxy, unix_socket }
    }

    /// Whether all ways lead to one Unix socket.
    pub(crate) const fn has_unix_socket(&self) -> bool {
        self.unix_socket.is_there()
    }

    /// A byte stream that leads to the host of `uri`; `tls` is for proxies, the server's own is put on it by the caller. Cancel-safe:
    /// dropped, it leaves nothing open.
    pub(crate) async fn dial(
        &self,
        uri: &WsUri,
        tls: &ClientTls,
        by: Deadline,
    ) -> Result<Transport, DialFault> {
        if let Some(connected) = self.unix_socket.connect(by.at).await {
            return connected.map_err(DialFault::Dial);
        }
        let (host, port) = (uri.host(), uri.port());
        match self.proxy.choose(uri.is_secure(), host, port) {
            None => direct(host, port, by).await.map_err(DialFault::Dial),
            Some(choice) => {
                let tunnelled = through(choice, tls, host, port, by).await;
                tunnelled.map_err(|fault| {
                    let target = authority(host, port);
                    DialFault::Proxy(Box::new(ProxyError::new(choice, target, fault)))
                })
            }
        }
    }
}

async fn direct(host: &str, port: u16, by: Deadline) -> Result<Transport, DialError> {
    match timeout_at(by.at, tcp::connect(host, port)).await {
        Ok(connected) => connected.map(Transport::Tcp),
        Err(_) => Err(DialError::TimedOut { authority: authority(host, port), after: by.after }),
    }
}

async fn through(
    choice: &Choice,
    tls: &ClientTls,
    host: &str,
    port: u16,
    by: Deadline,
) -> Result<Transport, ProxyFault> {
    let url = choice.url.as_ref().map_err(|error| ProxyFault::Setting(error.clone()))?;
    let tunnelled = timeout_at(by.at, tunnel(url, tls, host, port)).await;
    tunnelled.unwrap_or(Err(ProxyFault::TimedOut { after: by.after }))
}

/// When dialling has to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// The limit that it comes from, for messages.
    pub(crate) after: Duration,
}

/// No byte stream leads to a server.
#[derive(Debug)]
pub(crate) enum DialFault {
    Dial(DialError),
    Proxy(Box<ProxyError>),
}
