//! The way to a server, as a client's settings choose it.

use std::io;

use crate::dial::tcp;
use crate::transport::Transport;

/// Ways to servers.
#[derive(Clone, Debug)]
pub(crate) struct Dialler;

impl Dialler {
    /// A byte stream that leads to `host`. Has no deadline of its own.
    pub(crate) async fn dial(&self, host: &str, port: u16) -> Result<Transport, DialError> {
        let connected = tcp::connect(host, port).await;
        let stream = connected.map_err(|error| {
            let authority = match host.contains(':') {
                true => format!("[{host}]:{port}"),
                false => format!("{host}:{port}"),
            };
            DialError { authority, error }
        })?;
        Ok(Transport::Tcp(stream))
    }
}

/// No byte stream leads to a server.
#[derive(Debug)]
pub(crate) struct DialError {
    /// Host and port; an IPv6 address in brackets.
    pub(crate) authority: String,
    pub(crate) error: io::Error,
}
