//! What the two ends of an encrypted connection agreed on, and who the peer proved to be.

use std::fmt;

/// The facts of a TLS connection.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = duplexer::connect("wss://example.com/").await?;
/// let tls = socket.tls().expect("wss is encrypted");
/// println!("{} with {}", tls.version(), tls.cipher_suite());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    pub(super) version: TlsVersion,
    pub(super) cipher_suite: Box<str>,
    pub(super) alpn: Option<Box<str>>,
    pub(super) server_name: Option<Box<str>>,
    pub(super) peer_certificates: Box<[Box<[u8]>]>,
    pub(super) resumed: bool,
}

impl TlsInfo {
    /// The version of the protocol.
    #[must_use]
    pub const fn version(&self) -> TlsVersion {
        self.version
    }

    /// The cipher suite by its IANA name, such as `TLS_AES_256_GCM_SHA384`.
    #[must_use]
    pub fn cipher_suite(&self) -> &str {
        &self.cipher_suite
    }

    /// The application protocol that was agreed on (ALPN, RFC 7301): `http/1.1`, or none where the peer speaks of none.
    #[must_use]
    pub fn alpn(&self) -> Option<&str> {
        self.alpn.as_deref()
    }

    /// The name that the client asked for (SNI, RFC 6066 §3); a client that connects to an IP address asks for none.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The certificates that the peer showed, as DER, its own first; none of a client that was not asked, or had none. They were
    /// verified, unless a setting that begins with `danger_` forbade that.
    pub fn peer_certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.peer_certificates.iter().map(|der| &**der)
    }

    /// Whether an earlier session was resumed, which saves both ends most of the work.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.resumed
    }
}

/// A version of TLS.
///
/// ```
/// use duplexer::TlsVersion;
/// assert_eq!(TlsVersion::Tls13.to_string(), "TLS 1.3");
/// assert!(TlsVersion::Tls12 < TlsVersion::Tls13);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}
