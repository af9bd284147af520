//! Tunnels through SOCKS5 (RFC 1928, RFC 1929) and SOCKS4 proxies: a connection to the proxy and a target in, a tunnel or the
//! proxy's reply out. Connects nothing and looks nothing up.
//!
//! tokio-socks speaks; hyper-util's SOCKS client is not used, because it looks names up on the thread that polls, offers one way to
//! log in only, and drops what came in one packet with the proxy's reply.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio_socks::tcp::{Socks4Stream, Socks5Stream};
use tokio_socks::{Error, IntoTargetAddr, TargetAddr};

use crate::dial::proxy::url::Credentials;
use crate::transport::Transport;

/// Where a tunnel is to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    Address(SocketAddr),
    /// For the proxy to look up.
    Name(&'a str, u16),
}

/// Asks a SOCKS5 proxy for a tunnel.
pub(super) async fn version_5(
    transport: &mut Transport,
    target: Target<'_>,
    credentials: Option<&Credentials>,
) -> Result<(), SocksFault> {
    let told = match credentials {
        Some(Credentials { user, password }) => {
            Socks5Stream::connect_with_password_and_socket(transport, target, user, password).await
        }
        None => Socks5Stream::connect_with_socket(transport, target).await,
    };
    told.map(drop).map_err(|error| match error {
        Error::ConnectionNotAllowedByRuleset => SocksFault::Refused { version: 5, code: 2 },
        error => SocksFault::new(error, 5, credentials.is_some()),
    })
}

/// Asks a SOCKS4 proxy for a tunnel; with a name for a target, SOCKS4a.
pub(super) async fn version_4(
    transport: &mut Transport,
    target: Target<'_>,
    credentials: Option<&Credentials>,
) -> Result<(), SocksFault> {
    let told = match credentials {
        // What the library's buffer holds.
        Some(Credentials { user, .. }) if user.len() + target.name_len() > NAMES_BYTES_MAX => {
            Err(Error::InvalidTargetAddress("a user and a name of more than 500 bytes together"))
        }
        Some(Credentials { user, .. }) => {
            Socks4Stream::connect_with_userid_and_socket(transport, target, user).await
        }
        None => Socks4Stream::connect_with_socket(transport, target).await,
    };
    told.map(drop).map_err(|error| match error {
        // The library's own judgement: nothing was sent.
        Error::AddressTypeNotSupported => SocksFault::Ipv6,
        Error::GeneralSocksServerFailure => SocksFault::Refused { version: 4, code: 91 },
        error => SocksFault::new(error, 4, credentials.is_some()),
    })
}

impl Target<'_> {
    fn name_len(self) -> usize {
        match self {
            Self::Address(_) => 0,
            Self::Name(name, _) => name.len(),
        }
    }
}

/// Most bytes of user and name together that a SOCKS4a request has room for, as tokio-socks makes it.
const NAMES_BYTES_MAX: usize = 500;

impl<'a> IntoTargetAddr<'a> for Target<'a> {
    fn into_target_addr(self) -> tokio_socks::Result<TargetAddr<'a>> {
        match self {
            Self::Address(address) => Ok(TargetAddr::Ip(address)),
            Self::Name(name, port) if name.len() <= 255 => {
                Ok(TargetAddr::Domain(Cow::Borrowed(name), port))
            }
            Self::Name(..) => Err(Error::InvalidTargetAddress("a name of more than 255 bytes")),
        }
    }
}

/// A SOCKS proxy opened no tunnel.
///
/// ```
/// use duplexer::SocksFault;
/// let fault = SocksFault::Refused { version: 5, code: 5 };
/// assert_eq!(fault.to_string(), "the server refused its connection (reply 5, RFC 1928 §6)");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SocksFault {
    /// It accepts none of the ways to log in that were offered: none at all and, with credentials in its URL, user name and
    /// password.
    LoginUnacceptable {
        /// Whether there were credentials to offer.
        credentials: bool,
    },
    /// It does not accept the user name and the password (RFC 1929 §2).
    CredentialsRefused,
    /// It refused the tunnel.
    Refused {
        /// The version of SOCKS: 4 or 5.
        version: u8,
        /// Its reply: 1 to 8 (RFC 1928 §6), or 91 to 93 in SOCKS4.
        code: u8,
    },
    /// SOCKS4 leads to no IPv6 address.
    Ipv6,
    /// The server's name has more than 255 bytes, which SOCKS cannot carry; or, with the user name of SOCKS4, more than 500.
    NameTooLong,
    /// What it sent is not its protocol.
    Garbage {
        /// What was found.
        what: String,
    },
    /// It closed the connection before its reply was complete.
    Closed,
    /// The connection to it failed.
    Io(io::Error),
}

impl SocksFault {
    /// Whether another address of the same target may fare better.
    pub(super) const fn is_about_address(&self) -> bool {
        matches!(
            self,
            Self::Refused { version: 5, code: 1 | 3..=6 | 8 } | Self::Refused { code: 91, .. }
        )
    }

    fn new(error: Error, version: u8, credentials: bool) -> Self {
        let refused = |code| Self::Refused { version, code };
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            Error::Io(error) => Self::Io(error),
            Error::NoAcceptableAuthMethods | Error::AuthorizationRequired => {
                Self::LoginUnacceptable { credentials }
            }
            Error::PasswordAuthFailure(_) => Self::CredentialsRefused,
            Error::GeneralSocksServerFailure => refused(1),
            Error::ConnectionNotAllowedByRuleset => refused(2),
            Error::NetworkUnreachable => refused(3),
            Error::HostUnreachable => refused(4),
            Error::ConnectionRefused => refused(5),
            Error::TtlExpired => refused(6),
            Error::CommandNotSupported => refused(7),
            Error::AddressTypeNotSupported => refused(8),
            // The only fault of a target that there can be here.
            Error::InvalidTargetAddress("not a valid UTF-8 string") => {
                Self::Garbage { what: "a bound name that is not utf-8".to_owned() }
            }
            Error::InvalidTargetAddress(_) => Self::NameTooLong,
            Error::IdentdAuthFailure => refused(92),
            Error::InvalidUserIdAuthFailure => refused(93),
            // The library has this for a way to log in and for a reply alike.
            Error::UnknownAuthMethod | Error::UnknownError => {
                Self::Garbage { what: "a code that no RFC assigns".to_owned() }
            }
            error => Self::Garbage { what: error.to_string().to_lowercase() },
        }
    }
}

impl fmt::Display for SocksFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (says, code) = match self {
            Self::LoginUnacceptable { credentials: false } => {
                return f.write_str(
                    "it wants a login; put user name and password into its URL, as \
                     socks5://USER:PASSWORD@HOST",
                );
            }
            Self::LoginUnacceptable { credentials: true } => {
                return f.write_str(
                    "it accepts no login by user name and password, and none without (RFC 1928 §3)",
                );
            }
            Self::CredentialsRefused => {
                return f.write_str(
                    "it does not accept the user name and password of its URL (RFC 1929 §2)",
                );
            }
            Self::Ipv6 => return f.write_str("SOCKS4 leads to no IPv6 address; use socks5"),
            Self::NameTooLong => {
                return f.write_str("SOCKS carries names of at most 255 bytes (RFC 1928 §5), and of 500 with a user's");
            }
            Self::Garbage { what } => {
                return write!(f, "its answer is no SOCKS: {}", what.escape_debug());
            }
            Self::Closed => {
                return f.write_str("it closed the connection before its answer was complete");
            }
            Self::Io(error) => return write!(f, "the connection to it failed: {error}"),
            Self::Refused { code: 91, .. } => ("it refused or failed", 91),
            Self::Refused { code: 92, .. } => ("it cannot reach an identd on this machine", 92),
            Self::Refused { code: 93, .. } => ("identd on this machine names another user", 93),
            Self::Refused { code, .. } => (reply(*code), *code),
        };
        match code {
            90.. => write!(f, "{says} (reply {code} of SOCKS4)"),
            _ => write!(f, "{says} (reply {code}, RFC 1928 §6)"),
        }
    }
}

/// The meaning of a reply (RFC 1928 §6).
const fn reply(code: u8) -> &'static str {
    match code {
        1 => "it failed for a reason that it does not tell",
        2 => "its rules do not allow the connection",
        3 => "it cannot reach the network of the server",
        4 => "it cannot reach the server",
        5 => "the server refused its connection",
        6 => "the way to the server is too long: the time to live expired",
        7 => "it opens no tunnels: the command is not supported",
        8 => "it does not support this type of address",
        _ => "it replied with a code that no RFC assigns",
    }
}

impl std::error::Error for SocksFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::LoginUnacceptable { .. }
            | Self::CredentialsRefused
            | Self::Refused { .. }
            | Self::Ipv6
            | Self::NameTooLong
            | Self::Garbage { .. }
            | Self::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::{Duration, timeout};

    use super::*;

    /// Bytes that the client has to say, then bytes that the proxy answers.
    type Turn<'a> = (&'a [u8], &'a [u8]);

    /// Holds a dialogue, the proxy's side of which is sent in pieces of `step` bytes. Gives what came of it and the proxy's end.
    async fn spoken(
        version: u8,
        target: Target<'_>,
        login: Option<(&str, &str)>,
        dialogue: &[Turn<'_>],
        step: usize,
    ) -> (Result<Transport, SocksFault>, DuplexStream) {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let credentials = login
            .map(|(user, word)| Credentials { user: user.to_owned(), password: word.to_owned() });
        let asking = async {
            let mut transport = Transport::other(ours);
            match version {
                5 => version_5(&mut transport, target, credentials.as_ref()).await?,
                _ => version_4(&mut transport, target, credentials.as_ref()).await?,
            }
            Ok(transport)
        };
        let proxy = async {
            for (expected, answer) in dialogue {
                let mut said = vec![0; expected.len()];
                theirs.read_exact(&mut said).await.expect("the client speaks");
                assert_eq!(said, *expected);
                for piece in answer.chunks(step) {
                    // The client may have read enough.
                    if theirs.write_all(piece).await.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            theirs
        };
        timeout(Duration::from_secs(600), async { tokio::join!(asking, proxy) })
            .await
            .expect("an end in time")
    }

    fn server() -> Target<'static> {
        Target::Name("server.example.com", 443)
    }

    #[tokio::test(start_paused = true)]
    async fn names_that_are_too_long_together_are_refused_unsent() {
        let (user, name) = ("u".repeat(251), "n".repeat(253));
        let asked = spoken(4, Target::Name(&name, 1), Some((&user, "")), &[], 1).await.0;
        assert!(matches!(asked.map(drop), Err(SocksFault::NameTooLong)));
        let asked = spoken(4, Target::Name(&name, 1), Some((&user[..247], "")), &[], 1);
        assert!(asked.now_or_never().is_none(), "there is room for 500, and an answer is awaited");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_begins_at_the_byte_after_the_reply() {
        // RFC 1928 §6: the bound address has any of three lengths.
        for bound in [
            &b"\x01\x7f\x00\x00\x01\x1f\x90"[..],
            b"\x03\x05proxy\x1f\x90",
            b"\x03\x00\x1f\x90",
            b"\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1f\x90",
        ] {
            let reply = [b"\x05\x00\x00", bound, b"early"].concat();
            let dialogue: [Turn<'_>; 2] = [(b"\x05\x01\x00", b"\x05\x00"), (ASKED, &reply)];
            for step in [1, 2, 100] {
                let (tunnel, mut theirs) = spoken(5, server(), None, &dialogue, step).await;
                let mut tunnel = tunnel.expect("a tunnel");
                let mut read = [0; 5];
                tunnel.read_exact(&mut read).await.expect("open");
                assert_eq!(&read, b"early");
                tunnel.write_all(b"x").await.expect("open");
                assert_eq!(theirs.read_u8().await.expect("open"), b'x');
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn user_name_and_password_are_sent_when_the_proxy_chooses_so() {
        let chosen: Turn<'_> = (b"\x05\x02\x00\x02", b"\x05\x02");
        let login: Turn<'_> = (b"\x01\x04user\x04pass", b"\x01\x00");
        let dialogue = [chosen, login, (ASKED, OPEN)];
        let (tunnel, _) = spoken(5, server(), Some(("user", "pass")), &dialogue, 1).await;
        assert!(tunnel.is_ok());
        let without = [(&b"\x05\x02\x00\x02"[..], &b"\x05\x00"[..]), (ASKED, OPEN)];
        let (tunnel, _) = spoken(5, server(), Some(("user", "pass")), &without, 1).await;
        assert!(tunnel.is_ok());
        let refused = [chosen, (b"\x01\x04user\x04pass", b"\x01\x01")];
        let (told, _) = spoken(5, server(), Some(("user", "pass")), &refused, 1).await;
        assert!(matches!(told, Err(SocksFault::CredentialsRefused)));
        for (login, hello, credentials) in [
            (None, &b"\x05\x01\x00"[..], false),
            (Some(("user", "pass")), b"\x05\x02\x00\x02", true),
        ] {
            let (told, _) = spoken(5, server(), login, &[(hello, b"\x05\xff")], 1).await;
            let Err(SocksFault::LoginUnacceptable { credentials: found }) = told else { panic!() };
            assert_eq!(found, credentials);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_go_as_addresses() {
        let four = Target::Address(([192, 0, 2, 7], 80).into());
        let six = Target::Address("[2001:db8::7]:80".parse().expect("an address"));
        let asked_six = b"\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x00\x50";
        for (target, asked) in
            [(four, &b"\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x50"[..]), (six, asked_six)]
        {
            let dialogue = [(&b"\x05\x01\x00"[..], &b"\x05\x00"[..]), (asked, OPEN)];
            assert!(spoken(5, target, None, &dialogue, 1).await.0.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_reply_has_a_text_of_its_own() {
        let mut texts = Vec::new();
        for code in 1..=8 {
            let reply = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
            let dialogue = [(&b"\x05\x01\x00"[..], &b"\x05\x00"[..]), (ASKED, &reply)];
            let Err(fault) = spoken(5, server(), None, &dialogue, 1).await.0 else { panic!() };
            let told =
                matches!(fault, SocksFault::Refused { version: 5, code: found } if found == code);
            assert!(told, "{code}: {fault:?}");
            texts.push(fault.to_string());
            assert!(texts.last().is_some_and(|text| text.contains(&format!("reply {code},"))));
        }
        let meaning = |text: &String| text.split('(').next().map(str::to_owned);
        let texts: std::collections::BTreeSet<_> = texts.iter().map(meaning).collect();
        assert_eq!(texts.len(), 8, "{texts:?}");
        for code in [9, 255] {
            let dialogue = [(&b"\x05\x01\x00"[..], &b"\x05\x00"[..]), (ASKED, &[5, code, 0, 1])];
            let (told, _) = spoken(5, server(), None, &dialogue, 1).await;
            assert!(matches!(told, Err(SocksFault::Garbage { .. })));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn socks_4_takes_addresses_and_socks_4a_names() {
        let four = Target::Address(([192, 0, 2, 7], 80).into());
        let granted = b"\x00\x5a\x00\x00\x00\x00\x00\x00";
        let numbered: Turn<'_> = (b"\x04\x01\x00\x50\xc0\x00\x02\x07ann\x00", granted);
        assert!(spoken(4, four, Some(("ann", "")), &[numbered], 1).await.0.is_ok());
        let named: Turn<'_> =
            (b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00server.example.com\x00", granted);
        assert!(spoken(4, server(), None, &[named], 1).await.0.is_ok());
        for code in [91, 92, 93] {
            let reply = [0, code, 0, 0, 0, 0, 0, 0];
            let dialogue = [(named.0, &reply[..])];
            let (told, _) = spoken(4, server(), None, &dialogue, 1).await;
            let Err(fault) = told else { panic!() };
            assert!(fault.to_string().contains(&format!("reply {code} ")), "{fault}");
        }
        let six = Target::Address("[::1]:80".parse().expect("an address"));
        assert!(matches!(spoken(4, six, None, &[], 1).await.0, Err(SocksFault::Ipv6)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_cut_short_anywhere_or_garbage_is_told() {
        let login = Some(("user", "pass"));
        let hello = &b"\x05\x02\x00\x02"[..];
        let word = &b"\x01\x04user\x04pass"[..];
        for len in 0..2 {
            let told = cut(login, &[(hello, &b"\x05\x02"[..len])]).await;
            assert!(matches!(told, SocksFault::Closed), "{told:?}");
            let told = cut(login, &[(hello, b"\x05\x02"), (word, &b"\x01\x00"[..len])]).await;
            assert!(matches!(told, SocksFault::Closed), "{told:?}");
        }
        for len in 0..OPEN.len() {
            let told = cut(login, &[(hello, b"\x05\x00"), (ASKED, &OPEN[..len])]).await;
            assert!(matches!(told, SocksFault::Closed), "{len}: {told:?}");
        }
        for dialogue in [
            vec![(hello, &b"HT"[..])],
            vec![(hello, b"\x04\x00")],
            vec![(hello, b"\x05\x01")],
            vec![(hello, b"\x05\x02"), (word, b"\x05\x00")],
            vec![(hello, b"\x05\x00"), (ASKED, b"\x04\x00\x00\x01")],
            vec![(hello, b"\x05\x00"), (ASKED, b"\x05\x00\x07\x01")],
            vec![(hello, b"\x05\x00"), (ASKED, b"\x05\x00\x00\x02")],
            vec![(hello, b"\x05\x00"), (ASKED, b"\x05\x00\x00\x03\x01\xff\x00\x00")],
        ] {
            let (told, _) = spoken(5, server(), login, &dialogue, 1).await;
            assert!(matches!(told, Err(SocksFault::Garbage { .. })), "{dialogue:?}");
        }
    }

    /// A dialogue after which the proxy closes.
    async fn cut(login: Option<(&str, &str)>, dialogue: &[Turn<'_>]) -> SocksFault {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let credentials = login
            .map(|(user, word)| Credentials { user: user.to_owned(), password: word.to_owned() });
        let proxy = async move {
            for (expected, answer) in dialogue {
                theirs.read_exact(&mut vec![0; expected.len()]).await.expect("it speaks");
                theirs.write_all(answer).await.expect("it reads");
            }
        };
        let mut transport = Transport::other(ours);
        let asking = version_5(&mut transport, server(), credentials.as_ref());
        let both = timeout(Duration::from_secs(600), async { tokio::join!(asking, proxy) });
        let (told, ()) = both.await.expect("an end in time");
        told.expect_err("no tunnel")
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_does_not_fit_is_never_sent() {
        let long = "x".repeat(256);
        let (told, _) = spoken(5, Target::Name(&long, 80), None, &[], 1).await;
        assert!(matches!(told, Err(SocksFault::NameTooLong)));
    }

    /// RFC 1928 §4: a connection to server.example.com:443.
    const ASKED: &[u8] = b"\x05\x01\x00\x03\x12server.example.com\x01\xbb";
    const OPEN: &[u8] = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90";
}
