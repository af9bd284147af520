//! Why a connection was not opened: one variant for each place where opening can fail, sorted by whom it concerns.

use std::fmt;
use std::io;
use std::time::Duration;

use duplexer_proto::{HandshakeError, SetupError, UriError};

use crate::client::credentials::CredentialError;
use crate::client::redirect::{RedirectError, is_redirect};
use crate::dial::{DialError, DialFault, ProxyError};
use crate::tls::TlsError;

/// A connection was not opened.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use duplexer::{ConnectError, UriError};
/// match duplexer::connect("ftp://example.com/").await {
///     Err(ConnectError::Uri(UriError::SchemeUnknown { .. })) => println!("ws:// is meant"),
///     other => unreachable!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI is none of a WebSocket (RFC 6455 §3).
    Uri(UriError),
    /// A setting cannot be sent.
    Setup(SetupError),
    /// The setting [`origin`](crate::ClientBuilder::origin) cannot be sent.
    OriginInvalid {
        /// The origin.
        origin: String,
    },
    /// A user, a password or a token cannot be sent.
    Credential(CredentialError),
    /// The server was not reached.
    Dial(DialError),
    /// The proxy opened no tunnel to the server.
    Proxy(Box<ProxyError>),
    /// The server, or somebody in its place, did not speak TLS as it should, or is not trusted.
    Tls(TlsError),
    /// The transport failed during the handshake.
    Io(io::Error),
    /// The server's answer opened no connection.
    Handshake(HandshakeError),
    /// The server redirected to where the client does not follow.
    Redirect(RedirectError),
    /// It took longer than the limit `open_timeout`. Where a part of the server's answer had come,
    /// [`HandshakeError::TimedOut`] says so instead, and shows it.
    TimedOut {
        /// The limit.
        after: Duration,
    },
}

impl From<UriError> for ConnectError {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl From<SetupError> for ConnectError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<TlsError> for ConnectError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<CredentialError> for ConnectError {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}

impl From<RedirectError> for ConnectError {
    fn from(error: RedirectError) -> Self {
        Self::Redirect(error)
    }
}

impl From<DialFault> for ConnectError {
    fn from(fault: DialFault) -> Self {
        match fault {
            DialFault::Dial(error) => Self::Dial(error),
            DialFault::Proxy(error) => Self::Proxy(error),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(error) => error.fmt(f),
            Self::Setup(error) => error.fmt(f),
            Self::OriginInvalid { origin } => write!(
                f,
                "the origin `{}` has characters that no header may have (RFC 6454 §7)",
                origin.escape_debug()
            ),
            Self::Dial(error) => error.fmt(f),
            Self::Proxy(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the connection failed while it was opened: {error}"),
            Self::Handshake(error) => {
                error.fmt(f)?;
                match error.status().is_some_and(is_redirect) && error.location().is_some() {
                    true => f.write_str(
                        " (not followed: the setting redirects of `connect` allows some)",
                    ),
                    false => Ok(()),
                }
            }
            Self::Redirect(error) => error.fmt(f),
            Self::Credential(error) => error.fmt(f),
            Self::TimedOut { after } => {
                write!(f, "the connection was not open within {after:?} (limit open_timeout)")
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Uri(error) => Some(error),
            Self::Setup(error) => Some(error),
            Self::Dial(error) => Some(error),
            Self::Proxy(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::Redirect(error) => Some(error),
            Self::Credential(error) => Some(error),
            Self::OriginInvalid { .. } | Self::TimedOut { .. } => None,
        }
    }
}
