//! TCP connections, to be written to without delay: a name's addresses are looked up and raced (RFC 8305).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

use crate::dial::eyeballs::{interleave, race};

/// Connects to the first address of `host` that answers. Has no deadline of its own. Cancel-safe.
pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let addresses = interleave(resolve(host, port).await?);
    let count = addresses.len();
    let connected = race(addresses, async |address| {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    connected.await.map_err(|error| {
        let authority = authority(host, port);
        DialError::Connect { authority, addresses: count, error }
    })
}

/// The addresses of a name, in the system's order.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    let found = lookup_host((host, port)).await.map(Iterator::collect::<Vec<_>>);
    let error = match found {
        Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
        Ok(_) => io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
        Err(error) => error,
    };
    Err(DialError::Resolve { host: host.to_owned(), error })
}

/// Host and port; an IPv6 address in brackets.
pub(super) fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// No byte stream leads to a host.
///
/// ```
/// use duplexer::DialError;
/// let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = DialError::Connect { authority: "h:80".into(), addresses: 2, error };
/// assert!(error.to_string().starts_with("cannot connect to h:80 at any of its 2 addresses"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DialError {
    /// The name was not found.
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// No address of the host took the connection.
    Connect {
        /// Host and port; an IPv6 address in brackets.
        authority: String,
        /// How many addresses were tried.
        addresses: usize,
        /// What the system said of the one that failed last.
        error: io::Error,
    },
    /// No address of the host answered in time.
    TimedOut {
        /// Host and port; an IPv6 address in brackets.
        authority: String,
        /// The limit [`open_timeout`](crate::Limits::open_timeout).
        after: Duration,
    },
    /// The Unix socket took no connection.
    Unix {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, error } => {
                write!(f, "cannot find an address of `{}`: {error}", host.escape_debug())
            }
            Self::Connect { authority, addresses: 0 | 1, error } => {
                write!(f, "cannot connect to {authority}: {error}")
            }
            Self::Connect { authority, addresses, error } => write!(
                f,
                "cannot connect to {authority} at any of its {addresses} addresses; the last one \
                 to fail: {error}"
            ),
            Self::TimedOut { authority, after } => write!(
                f,
                "cannot connect to {authority}: no answer within {after:?} (limit open_timeout)"
            ),
            Self::Unix { path, error } => {
                write!(f, "cannot connect to the Unix socket {path:?}: {error}")
            }
        }
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve { error, .. }
            | Self::Connect { error, .. }
            | Self::Unix { error, .. } => Some(error),
            Self::TimedOut { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_dialled_stream_sends_small_messages_at_once() {
        // Nagle's algorithm, which TCP_NODELAY turns off, would hold one back until the one before was acknowledged.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let stream = connect("127.0.0.1", port).await.expect("it listens");
        assert!(stream.nodelay().expect("a TCP stream"));
    }
}
