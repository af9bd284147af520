//! TLS under a connection, of clients and of servers: a byte stream in, an encrypted one out, with what was agreed on. All of
//! rustls is hidden in here, so that its releases break nobody. Knows neither HTTP nor WebSocket.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod credential;
mod fault;
mod info;
#[cfg(feature = "tls")]
mod judge;
#[cfg(feature = "tls")]
mod provider;
#[cfg(feature = "tls")]
mod reason;
#[cfg(feature = "tls")]
mod records;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod settings;
#[cfg(feature = "tls")]
mod stream;
#[cfg(feature = "tls")]
mod watched;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{ClientTls, ServerTls, TlsSettings};
#[cfg(feature = "tls")]
pub(crate) use client::ClientTls;
#[cfg(feature = "tls")]
pub use credential::{Certificate, CertificateError, CertificateFault, Identity};
pub use fault::{TlsError, TlsFault};
pub use info::{TlsInfo, TlsVersion};
#[cfg(feature = "tls")]
pub use provider::CryptoProvider;
#[cfg(feature = "tls")]
pub use server::{ClientCertificates, ServerTls, ServerTlsBuilder};
#[cfg(feature = "tls")]
pub use settings::Roots;
#[cfg(feature = "tls")]
pub(crate) use settings::TlsSettings;

/// The application protocol that both sides of ours speak (ALPN, RFC 7301): a WebSocket of HTTP/1.1.
#[cfg(feature = "tls")]
const ALPN: &[u8] = b"http/1.1";
