//! The PROXY protocol, versions 1 and 2: a header in front of a connection with which a proxy says whose connection it is.
//! Reads not a byte beyond it, so that TLS or HTTP can follow.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::StatusCode;
use ppp::{v1, v2};
use tokio::io::AsyncReadExt;

use crate::server::rejection::Rejection;
use crate::transport::Transport;

/// Whether connections begin with a header of the PROXY protocol, version 1 or 2. It is read only from
/// [trusted proxies](crate::ServerBuilder::trusted_proxies).
///
/// ```
/// use duplexer::{ProxyProtocol, Server, TrustedProxies};
/// let server = Server::builder()
///     .trusted_proxies(TrustedProxies::list(["10.0.0.0/8"])?)
///     .proxy_protocol(ProxyProtocol::Required)
///     .build();
/// # Ok::<(), duplexer::TrustedProxiesError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// None does.
    #[default]
    Off,
    /// A trusted proxy's may. A client whose bytes such a proxy passes on without a header could then write one itself: only for
    /// proxies that always send one, beside others at the same addresses that speak HTTP themselves.
    Optional,
    /// All do; whoever is no trusted proxy, or sends none, is refused.
    Required,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Who connected to the proxy; `None` where the proxy itself did, or does not say.
    pub(crate) client: Option<SocketAddr>,
    /// The proxy itself did, to see whether the server is there.
    pub(crate) itself: bool,
    /// Whether over TLS, as far as it says.
    pub(crate) tls: bool,
}

/// What the first bytes are.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// Nobody knows before at least so many more; the header, if it is one, has them.
    More(usize),
    NoHeader,
    Header(Source),
}

/// Reads the header of a connection; `None` where it begins with something else, which is returned to be read again.
pub(crate) async fn read(
    transport: &mut Transport,
) -> Result<(Option<Source>, Bytes), ProxyProtocolError> {
    let mut bytes = Vec::new();
    loop {
        let more = match judge(&bytes)? {
            Judged::Header(source) => return Ok((Some(source), Bytes::new())),
            Judged::NoHeader => return Ok((None, bytes.into())),
            Judged::More(more) => more,
        };
        let read = transport.take(more as u64).read_buf(&mut bytes).await;
        if read.map_err(ProxyProtocolError::Io)? == 0 {
            return Err(ProxyProtocolError::Truncated { len: bytes.len() });
        }
    }
}

fn judge(bytes: &[u8]) -> Result<Judged, ProxyProtocolError> {
    let begins = |prefix: &[u8]| bytes.iter().zip(prefix).all(|(byte, prefix)| byte == prefix);
    if begins(v2::PROTOCOL_PREFIX) {
        return judge_2(bytes);
    }
    if begins(V1_PREFIX) {
        return judge_1(bytes);
    }
    Ok(Judged::NoHeader)
}

fn judge_1(bytes: &[u8]) -> Result<Judged, ProxyProtocolError> {
    let len = bytes.len();
    if len < V1_BYTES_MIN {
        // Up to there one byte less than the shortest line can have, so that two at once reach its end at most.
        return Ok(Judged::More(if len < V1_PREFIX.len() {
            V1_PREFIX.len() - len
        } else {
            V1_BYTES_MIN - len
        }));
    }
    if !bytes.ends_with(b"\r\n") {
        return match len < V1_BYTES_MAX {
            true => Ok(Judged::More(1)),
            false => Err(ProxyProtocolError::TooLong { len, max: V1_BYTES_MAX }),
        };
    }
    let header = v1::Header::try_from(bytes)
        .map_err(|error| ProxyProtocolError::Malformed { why: error.to_string() })?;
    let client = match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
    };
    Ok(Judged::Header(Source { client, itself: false, tls: false }))
}

fn judge_2(bytes: &[u8]) -> Result<Judged, ProxyProtocolError> {
    if bytes.len() < V2_HEAD_BYTES {
        // The twelve that tell it from HTTP first.
        let prefix = v2::PROTOCOL_PREFIX.len();
        let next = if bytes.len() < prefix { prefix } else { V2_HEAD_BYTES };
        return Ok(Judged::More(next - bytes.len()));
    }
    let len = V2_HEAD_BYTES + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if len > V2_BYTES_MAX {
        return Err(ProxyProtocolError::TooLong { len, max: V2_BYTES_MAX });
    }
    if bytes.len() < len {
        return Ok(Judged::More(len - bytes.len()));
    }
    let header = v2::Header::try_from(bytes)
        .map_err(|error| ProxyProtocolError::Malformed { why: error.to_string() })?;
    let client = match (header.command, header.protocol, &header.addresses) {
        (v2::Command::Proxy, v2::Protocol::Stream, v2::Addresses::IPv4(ip)) => {
            Some((ip.source_address, ip.source_port).into())
        }
        (v2::Command::Proxy, v2::Protocol::Stream, v2::Addresses::IPv6(ip)) => {
            Some((ip.source_address, ip.source_port).into())
        }
        // The proxy's own connection, a Unix client, or nothing said.
        _ => None,
    };
    let itself = header.command == v2::Command::Local;
    let tls = header.command == v2::Command::Proxy
        && header.tlvs().map_while(Result::ok).any(|tlv| {
            tlv.kind == u8::from(v2::Type::SSL)
                && tlv.value.first().is_some_and(|client| client & CLIENT_SSL != 0)
        });
    Ok(Judged::Header(Source { client, itself, tls }))
}

/// A connection does not begin as the setting `proxy_protocol` wants it.
#[derive(Debug)]
pub(crate) enum ProxyProtocolError {
    Io(io::Error),
    Truncated { len: usize },
    TooLong { len: usize, max: usize },
    Malformed { why: String },
    Missing,
    NotTrusted,
}

impl ProxyProtocolError {
    /// The HTTP answer, where there may be somebody to read it.
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        let status = match self {
            Self::Io(_) | Self::Truncated { .. } => return None,
            Self::NotTrusted => StatusCode::FORBIDDEN,
            Self::TooLong { .. } | Self::Malformed { .. } | Self::Missing => {
                StatusCode::BAD_REQUEST
            }
        };
        Some(Rejection::new(status, format!("{self}\n")))
    }
}

impl fmt::Display for ProxyProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Truncated { len } => write!(f, "the PROXY header ended after {len} bytes"),
            Self::TooLong { len, max } => {
                write!(f, "a PROXY header of {len} bytes or more; at most {max} are taken")
            }
            Self::Malformed { why } => write!(f, "malformed PROXY header: {}", why.escape_debug()),
            Self::Missing => {
                f.write_str("connections begin with a PROXY header here (setting `proxy_protocol`)")
            }
            Self::NotTrusted => f.write_str(
                "only trusted proxies connect here (settings `proxy_protocol`, `trusted_proxies`)",
            ),
        }
    }
}

impl std::error::Error for ProxyProtocolError {}

const V1_PREFIX: &[u8] = b"PROXY ";
/// `PROXY UNKNOWN` and the line's end.
const V1_BYTES_MIN: usize = 15;
/// The longest line that there can be, by the specification.
const V1_BYTES_MAX: usize = 107;
/// Up to and including the length.
const V2_HEAD_BYTES: usize = 16;
/// Room for the longest addresses, of 216 bytes, and for what proxies add about TLS.
const V2_BYTES_MAX: usize = 4096;
/// The bit that says that the client came over TLS (section 2.2.6 of the specification).
const CLIENT_SSL: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a connection that begins with `bytes`, fed in pieces as they are asked for, and how many of them.
    fn judged(bytes: &[u8]) -> Result<(Option<Source>, usize), ProxyProtocolError> {
        let mut at = 0;
        loop {
            match judge(&bytes[..at])? {
                Judged::Header(source) => return Ok((Some(source), at)),
                Judged::NoHeader => return Ok((None, at)),
                Judged::More(more) if at + more <= bytes.len() => at += more,
                Judged::More(_) => return Err(ProxyProtocolError::Truncated { len: at }),
            }
        }
    }

    fn client(bytes: &[u8]) -> Option<SocketAddr> {
        let (source, read) = judged(&[bytes, b"GET / HTTP/1.1\r\n"].concat()).expect("a header");
        assert_eq!(read, bytes.len(), "not a byte too many");
        source.expect("a header").client
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &len, rest].concat()
    }

    const IPV4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0xde, 0xad, 0, 80];

    #[test]
    fn version_1_names_the_client() {
        let address = |text: &str| text.parse::<SocketAddr>().ok();
        assert_eq!(
            client(b"PROXY TCP4 192.0.2.1 10.0.0.1 57005 80\r\n"),
            address("192.0.2.1:57005")
        );
        assert_eq!(client(b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), address("[2001:db8::1]:1"));
        assert_eq!(client(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(client(b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), None);
    }

    #[test]
    fn version_2_names_the_client() {
        let expected = "192.0.2.1:57005".parse::<SocketAddr>().ok();
        assert_eq!(client(&v2(0x21, 0x11, &IPV4)), expected);
        let mut ipv6 = [0; 36];
        ipv6[15] = 1;
        ipv6[33] = 7;
        assert_eq!(client(&v2(0x21, 0x21, &ipv6)), "[::1]:7".parse().ok());
        // LOCAL, whatever it says beside; Unix; unspecified; datagrams.
        assert_eq!(client(&v2(0x20, 0x11, &IPV4)), None);
        assert_eq!(client(&v2(0x20, 0x00, &[])), None);
        assert_eq!(client(&v2(0x21, 0x31, &[b'/'; 216])), None);
        assert_eq!(client(&v2(0x21, 0x00, &[])), None);
        assert_eq!(client(&v2(0x21, 0x12, &IPV4)), None);
    }

    #[test]
    fn what_version_2_adds_is_passed_over_but_for_tls() {
        let tls = |added: &[u8]| {
            let bytes = v2(0x21, 0x11, &[&IPV4[..], added].concat());
            judged(&bytes).expect("a header").0.expect("a header").tls
        };
        assert!(!tls(b"\x04\x00\x03abc"));
        assert!(tls(b"\x04\x00\x03abc\x20\x00\x05\x01\x00\x00\x00\x00"));
        assert!(!tls(b"\x20\x00\x05\x00\x00\x00\x00\x00"));
        // Cut short, or empty.
        assert!(!tls(b"\x20\x00\x05\x01"));
        assert!(!tls(b"\x20\x00\x00"));
        assert!(!tls(b"\x20"));
    }

    #[test]
    fn what_is_no_header_is_found_out_at_its_first_other_byte() {
        for other in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x00",
            b"PROXIES!",
            b"\r\n\r\nGET / HT",
        ] {
            let (source, read) = judged(&[other, &[b' '; 20]].concat()).expect("no error");
            assert_eq!(source, None);
            assert!(read <= 12, "{read}");
        }
    }

    #[test]
    fn garbage_behind_the_beginning_is_an_error() {
        for garbage in [
            &b"PROXY TCP4 192.0.2.1 10.0.0.1 57005\r\n"[..],
            b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 80\r\n",
            b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
            b"PROXY TCP4 \xff\xfe 10.0.0.1 1 2\r\n",
            b"PROXY TCP5 192.0.2.1 10.0.0.1 1 2\r\n",
            b"PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n",
            &v2(0x11, 0x11, &IPV4),
            &v2(0x22, 0x11, &IPV4),
            &v2(0x21, 0x41, &IPV4),
            &v2(0x21, 0x13, &IPV4),
            &v2(0x21, 0x11, &IPV4[..11]),
            &v2(0x21, 0x21, &IPV4),
        ] {
            let judged = judged(garbage);
            assert!(matches!(judged, Err(ProxyProtocolError::Malformed { .. })), "{judged:?}");
        }
    }

    #[test]
    fn a_header_has_a_bound_and_an_end() {
        let line = [V1_PREFIX, &[b'x'; 200]].concat();
        assert!(matches!(judged(&line), Err(ProxyProtocolError::TooLong { len: 107, max: 107 })));
        let long = v2(0x21, 0x11, &[0; V2_BYTES_MAX - V2_HEAD_BYTES + 1]);
        assert!(matches!(judged(&long[..16]), Err(ProxyProtocolError::TooLong { .. })));
        let longest = v2(0x21, 0x11, &[0; V2_BYTES_MAX - V2_HEAD_BYTES]);
        assert!(judged(&longest).is_ok());
        for whole in [&b"PROXY TCP4 192.0.2.1 10.0.0.1 57005 80\r\n"[..], &v2(0x21, 0x11, &IPV4)] {
            for len in 0..whole.len() {
                let cut = judged(&whole[..len]);
                assert!(matches!(cut, Err(ProxyProtocolError::Truncated { .. })), "{len}: {cut:?}");
            }
        }
    }
}
