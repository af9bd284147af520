//! Why no TLS connection came about, or why one ended: whose fault it is, and what can be done about it. In our own words, so
//! that nothing of rustls is in the signatures.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;

/// There is no TLS with a peer.
///
/// ```
/// use duplexer::{ConnectError, TlsFault};
/// async fn example() {
///     match duplexer::connect("wss://example.com/").await {
///         Err(ConnectError::Tls(error)) => match error.fault() {
///             TlsFault::UnknownIssuer => println!("add {}'s CA with add_root", error.peer()),
///             fault => println!("{fault}"),
///         },
///         other => println!("{other:?}"),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct TlsError {
    peer: Box<str>,
    fault: TlsFault,
}

impl TlsError {
    pub(crate) fn new(peer: &str, fault: TlsFault) -> Self {
        Self { peer: peer.into(), fault }
    }

    /// The host that TLS was to be spoken with, as the URI or the proxy's address names it.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &TlsFault {
        &self.fault
    }

    /// What is wrong, to keep.
    #[must_use]
    pub fn into_fault(self) -> TlsFault {
        self.fault
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no TLS with {}: {}", self.peer.escape_debug(), self.fault)
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong between two ends of TLS. The first variants concern the peer's certificate, the next the peer's behaviour, then
/// come the settings of this end, and at last the transport.
///
/// ```
/// use duplexer::TlsFault;
/// let alert = TlsFault::Alert { code: 116 };
/// assert!(alert.to_string().contains("certificate_required"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate leads to no root that is trusted.
    UnknownIssuer,
    /// The certificate is no longer valid, or one of its chain is not.
    Expired {
        /// For how long; `None` where the platform does not tell.
        since: Option<Duration>,
    },
    /// The certificate is not valid yet, or one of its chain is not.
    NotYetValid {
        /// How long it will be until then; `None` where the platform does not tell.
        until: Option<Duration>,
    },
    /// The certificate is another host's.
    WrongName {
        /// The host that was to be proved.
        expected: String,
        /// The names and addresses that the certificate has; empty also where the platform does not tell.
        presented: Vec<String>,
    },
    /// The certificate cannot be relied upon for another reason: revoked, badly signed, not made for this purpose, no certificate
    /// at all.
    Certificate {
        /// The reason.
        reason: String,
    },
    /// No certificate came where one is required; told of clients only.
    CertificateMissing,
    /// The peer refuses, with an alert (RFC 8446 §6).
    Alert {
        /// Its number.
        code: u8,
    },
    /// The peer does not speak TLS.
    NotTls {
        /// The first bytes that it sent, at most 64.
        start: Bytes,
    },
    /// The peer speaks no version of TLS, no cipher suite or no application protocol that this end speaks too.
    Incompatible {
        /// What is missing.
        reason: String,
    },
    /// The peer broke the rules of TLS.
    Protocol {
        /// How.
        reason: String,
    },
    /// There is no root certificate to trust: the platform has none that can be read, and none was added.
    NoRoots {
        /// What the platform says.
        reason: Option<String>,
    },
    /// No certificate can be made out to this host, so that none can prove it.
    HostInvalid,
    /// The settings of this end do not fit together.
    Settings {
        /// What does not fit.
        reason: String,
    },
    /// The cargo feature `tls` is off.
    Unavailable,
    /// The peer ended the transport in the middle of the TLS handshake.
    Ended {
        /// Whether it had said something before.
        heard: bool,
    },
    /// The transport failed.
    Io(io::Error),
}

impl TlsFault {
    /// Takes the fault out of an error of an encrypted stream; gives back any other error.
    pub(crate) fn inside(error: io::Error) -> Result<Self, io::Error> {
        if !error.get_ref().is_some_and(|inner| inner.is::<Self>()) {
            return Err(error);
        }
        let kind = error.kind();
        match error.into_inner().map(|inner| inner.downcast()) {
            Some(Ok(fault)) => Ok(*fault),
            Some(Err(other)) => Err(io::Error::new(kind, other)),
            None => Err(kind.into()),
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str(
                "its certificate comes from an authority that is not trusted; a client's `add_root`, or a server's \
                 `client_certificates`, trusts one",
            ),
            Self::Expired { since } => {
                f.write_str("its certificate has expired")?;
                since.map_or(Ok(()), |since| write!(f, " {} ago", Rough(since)))
            }
            Self::NotYetValid { until } => {
                f.write_str("its certificate is not valid yet")?;
                until.map_or(Ok(()), |until| write!(f, ", but in {}", Rough(until)))?;
                f.write_str("; is this machine's clock right?")
            }
            Self::WrongName { expected, presented } => wrong_name(f, expected, presented),
            Self::Certificate { reason } => {
                write!(f, "its certificate cannot be relied upon: {reason}")
            }
            Self::CertificateMissing => f.write_str("it showed no certificate, and one is required"),
            Self::Alert { code } => alert(f, *code),
            Self::NotTls { start } => not_tls(f, start),
            Self::Incompatible { reason } => write!(f, "it and we have too little in common: {reason}"),
            Self::Protocol { reason } => write!(f, "it broke the rules of TLS: {reason}"),
            Self::NoRoots { reason } => {
                f.write_str(
                    "no root certificate is trusted: the settings `roots` and `add_root` leave none; install \
                     the system's (ca-certificates), or add one",
                )?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
            }
            Self::HostInvalid => f.write_str("it is no name or address that a certificate can have"),
            Self::Settings { reason } => write!(f, "the settings do not fit: {reason}"),
            Self::Unavailable => f.write_str(
                "wss:// needs the cargo feature `tls` of duplexer, which is switched off",
            ),
            Self::Ended { heard: false } => f.write_str(
                "it ended the connection without a word of TLS; does it speak TLS on this port?",
            ),
            Self::Ended { heard: true } => {
                f.write_str("it ended the connection in the middle of the TLS handshake")
            }
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for TlsFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::UnknownIssuer
            | Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::WrongName { .. }
            | Self::Certificate { .. }
            | Self::CertificateMissing
            | Self::Alert { .. }
            | Self::NotTls { .. }
            | Self::Incompatible { .. }
            | Self::Protocol { .. }
            | Self::NoRoots { .. }
            | Self::HostInvalid
            | Self::Settings { .. }
            | Self::Unavailable
            | Self::Ended { .. } => None,
        }
    }
}

fn wrong_name(f: &mut fmt::Formatter<'_>, expected: &str, presented: &[String]) -> fmt::Result {
    write!(f, "its certificate is not one of {expected}")?;
    let Some((first, rest)) = presented.split_first() else { return Ok(()) };
    write!(f, ", but of {}", first.escape_debug())?;
    for name in rest.iter().take(NAMES_SHOWN_MAX - 1) {
        write!(f, ", {}", name.escape_debug())?;
    }
    match rest.len().saturating_sub(NAMES_SHOWN_MAX - 1) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn alert(f: &mut fmt::Formatter<'_>, code: u8) -> fmt::Result {
    let name =
        ALERTS.iter().find(|(number, _)| *number == code).map_or("unknown", |(_, name)| name);
    write!(f, "it refuses with the alert {name} ({code})")?;
    f.write_str(match code {
        HANDSHAKE_FAILURE => {
            "; it may want a certificate (the client's setting `identity`), or other cipher suites"
        }
        BAD_CERTIFICATE..=UNKNOWN_CERTIFICATE | UNKNOWN_CA => {
            "; it does not accept the certificate of this end"
        }
        CERTIFICATE_REQUIRED => {
            "; it wants a certificate of this end: the client's setting `identity`"
        }
        NO_APPLICATION_PROTOCOL => "; it does not speak http/1.1",
        UNRECOGNIZED_NAME => "; it serves no such host",
        _ => "",
    })
}

fn not_tls(f: &mut fmt::Formatter<'_>, start: &[u8]) -> fmt::Result {
    let line = start.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    if start.starts_with(b"HTTP/") {
        return write!(
            f,
            "it speaks plain HTTP on this port (`{}`): use ws://",
            line.escape_ascii()
        );
    }
    write!(f, "it does not speak TLS on this port; it begins with `{}`", line.escape_ascii())
}

/// A span of time in its largest unit.
struct Rough(Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (number, unit) = match seconds {
            DAY.. => (seconds / DAY, "day"),
            HOUR.. => (seconds / HOUR, "hour"),
            MINUTE.. => (seconds / MINUTE, "minute"),
            _ => (seconds, "second"),
        };
        write!(f, "{number} {unit}{}", if number == 1 { "" } else { "s" })
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Names of a certificate that a message shows.
const NAMES_SHOWN_MAX: usize = 8;

const HANDSHAKE_FAILURE: u8 = 40;
const BAD_CERTIFICATE: u8 = 42;
const UNKNOWN_CERTIFICATE: u8 = 46;
const UNKNOWN_CA: u8 = 48;
const UNRECOGNIZED_NAME: u8 = 112;
const CERTIFICATE_REQUIRED: u8 = 116;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// The alerts of RFC 8446 §6 and RFC 5246 §7.2.
const ALERTS: &[(u8, &str)] = &[
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (HANDSHAKE_FAILURE, "handshake_failure"),
    (41, "no_certificate"),
    (BAD_CERTIFICATE, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (UNKNOWN_CERTIFICATE, "certificate_unknown"),
    (47, "illegal_parameter"),
    (UNKNOWN_CA, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (60, "export_restriction"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (100, "no_renegotiation"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (UNRECOGNIZED_NAME, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (115, "unknown_psk_identity"),
    (CERTIFICATE_REQUIRED, "certificate_required"),
    (NO_APPLICATION_PROTOCOL, "no_application_protocol"),
    (121, "ech_required"),
];
