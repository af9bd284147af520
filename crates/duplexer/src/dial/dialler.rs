//! The way to a server, as a client's settings choose it: directly, through a proxy, or to a Unix socket.

#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use duplexer_proto::WsUri;
use tokio::time::{Instant, timeout_at};

use crate::dial::proxy::{Choice, Proxy, ProxyError, ProxyFault, tunnel};
use crate::dial::tcp::{self, DialError, authority};
use crate::tls::ClientTls;
use crate::transport::Transport;

/// Ways to servers.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    proxy: Proxy,
    #[cfg(unix)]
    unix_socket: Option<PathBuf>,
}

impl Dialler {
    /// Ways over the network.
    pub(crate) fn new(proxy: Proxy) -> Self {
        Self {
            proxy,
            #[cfg(unix)]
            unix_socket: None,
        }
    }

    /// The way to this Unix socket, whatever the host is, where there is one.
    #[cfg(unix)]
    pub(crate) fn or_unix_socket(mut self, path: Option<PathBuf>) -> Self {
        self.unix_socket = path;
        self
    }

    /// Whether all ways lead to one Unix socket.
    pub(crate) const fn has_unix_socket(&self) -> bool {
        #[cfg(unix)]
        let has_one = self.unix_socket.is_some();
        #[cfg(not(unix))]
        let has_one = false;
        has_one
    }

    /// A byte stream that leads to the host of `uri`; `tls` is for proxies, the server's own is put on it by the caller. Cancel-safe:
    /// dropped, it leaves nothing open.
    pub(crate) async fn dial(
        &self,
        uri: &WsUri,
        tls: &ClientTls,
        by: Deadline,
    ) -> Result<Transport, DialFault> {
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            let opened = timeout_at(by.at, tokio::net::UnixStream::connect(path)).await;
            let opened = opened.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
            let opened = opened.map(Transport::other);
            return opened.map_err(|error| DialError::Unix { path: path.clone(), error }.into());
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

impl From<DialError> for DialFault {
    fn from(error: DialError) -> Self {
        Self::Dial(error)
    }
}
