//! URLs of proxies: text in; kind, host, port and credentials out. Never shows a password.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// Where a proxy is, how it is spoken to, and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyUrl {
    pub(crate) scheme: Scheme,
    /// An IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Credentials>,
}

/// A proxy, and what named it.
#[derive(Debug)]
pub(crate) struct Choice {
    /// A variable, or [`SETTING`].
    pub(crate) named_by: &'static str,
    pub(crate) url: Result<ProxyUrl, ProxyUrlError>,
}

/// How the setting of a client is named.
pub(crate) const SETTING: &str = "the setting `proxy`";

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HTTP CONNECT.
    Http,
    /// The same over TLS.
    Https,
    /// SOCKS4; names are looked up here.
    Socks4,
    /// SOCKS4; names are looked up by the proxy.
    Socks4a,
    /// SOCKS5; names are looked up here.
    Socks5,
    /// SOCKS5; names are looked up by the proxy.
    Socks5h,
}

/// A user name and a password, decoded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl ProxyUrl {
    /// Reads a URL. One without a scheme is `http`; what follows host and port means nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = Scheme::parse(scheme)?;
        // One scheme for all, without a default port that would be taken away.
        let url = Url::parse(&format!("proxy://{rest}"))
            .map_err(|fault| ProxyUrlError::Syntax { fault: fault.to_string() })?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = decoded(host.ok_or(ProxyUrlError::HostMissing)?)?;
        let host = match Host::parse(&host) {
            Ok(Host::Ipv6(address)) => address.to_string(),
            Ok(host) => host.to_string(),
            Err(fault) => return Err(ProxyUrlError::Syntax { fault: fault.to_string() }),
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some(Credentials {
                user: decoded(user)?,
                password: decoded(password.unwrap_or_default())?,
            }),
        };
        if let Some(credentials) = &credentials {
            credentials.check(scheme)?;
        }
        let port = url.port().unwrap_or(scheme.default_port());
        Ok(Self { scheme, host, port, credentials })
    }
}

/// As in the setting, but for the credentials, and with the port.
impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = crate::dial::tcp::authority(&self.host, self.port);
        write!(f, "{}://{authority}", self.scheme.name())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

impl Scheme {
    fn parse(name: &str) -> Result<Self, ProxyUrlError> {
        let known = Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name));
        match known {
            Some(scheme) => Ok(scheme),
            None if name.eq_ignore_ascii_case("socks") => Ok(Self::Socks5),
            None => Err(ProxyUrlError::SchemeUnknown { scheme: name.to_owned() }),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks4 | Self::Socks4a | Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    const ALL: [Self; 6] =
        [Self::Http, Self::Https, Self::Socks4, Self::Socks4a, Self::Socks5, Self::Socks5h];
}

impl Credentials {
    /// Whether they can be sent at all.
    fn check(&self, scheme: Scheme) -> Result<(), ProxyUrlError> {
        let fits = |text: &str| (1..=255).contains(&text.len());
        let rule = match scheme {
            // RFC 7617 §2: the first colon ends the user name.
            Scheme::Http | Scheme::Https if self.user.contains(':') => {
                "Basic authentication cannot send a user name with a colon (RFC 7617 §2)"
            }
            Scheme::Http | Scheme::Https => return Ok(()),
            Scheme::Socks4 | Scheme::Socks4a if !self.password.is_empty() => {
                "SOCKS4 has no passwords, only user names"
            }
            Scheme::Socks4 | Scheme::Socks4a if !fits(&self.user) || self.user.contains('\0') => {
                "a user name of SOCKS4 has 1 to 255 bytes, none of them zero"
            }
            Scheme::Socks4 | Scheme::Socks4a => return Ok(()),
            Scheme::Socks5 | Scheme::Socks5h if !fits(&self.user) || !fits(&self.password) => {
                "user name and password of SOCKS5 have 1 to 255 bytes each (RFC 1929 §2)"
            }
            Scheme::Socks5 | Scheme::Socks5h => return Ok(()),
        };
        Err(ProxyUrlError::CredentialsUnfit { rule })
    }
}

fn decoded(text: &str) -> Result<String, ProxyUrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| ProxyUrlError::NotUtf8)
}

/// A text is no URL of a proxy. Says nothing of what stands in it beside the scheme: there may be a password.
///
/// ```
/// use duplexer::{Proxy, ProxyUrlError};
/// let error = Proxy::parse("ftp://proxy.example:21").expect_err("no kind of proxy");
/// assert_eq!(error, ProxyUrlError::SchemeUnknown { scheme: "ftp".to_owned() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// The scheme is that of no proxy.
    SchemeUnknown {
        /// The scheme.
        scheme: String,
    },
    /// There is no host.
    HostMissing,
    /// A part of it is malformed.
    Syntax {
        /// What is wrong with it.
        fault: String,
    },
    /// Host, user name or password is not UTF-8 after percent-decoding.
    NotUtf8,
    /// The proxy's protocol cannot carry the user name or the password.
    CredentialsUnfit {
        /// The rule that they break.
        rule: &'static str,
    },
}

impl fmt::Display for ProxyUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SchemeUnknown { scheme } => write!(
                f,
                "the scheme `{}` is that of no proxy; http, https, socks5, socks5h, socks4 and \
                 socks4a are",
                scheme.escape_debug()
            ),
            Self::HostMissing => f.write_str("the proxy's URL names no host"),
            Self::Syntax { fault } => write!(f, "the proxy's URL is none: {fault}"),
            Self::NotUtf8 => f.write_str("the proxy's URL is not UTF-8 once percent-decoded"),
            Self::CredentialsUnfit { rule } => f.write_str(rule),
        }
    }
}

impl std::error::Error for ProxyUrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Scheme, String, u16) {
        let url = ProxyUrl::parse(text).expect(text);
        (url.scheme, url.host, url.port)
    }

    #[test]
    fn a_url_names_kind_host_and_port() {
        use Scheme::{Http, Https, Socks4, Socks4a, Socks5, Socks5h};
        for (text, scheme, host, port) in [
            ("http://proxy.example:3128", Http, "proxy.example", 3128),
            ("http://proxy.example:80/", Http, "proxy.example", 80),
            ("http://proxy.example", Http, "proxy.example", 80),
            ("proxy.example:3128", Http, "proxy.example", 3128),
            ("proxy.example", Http, "proxy.example", 80),
            ("127.0.0.1:8080", Http, "127.0.0.1", 8080),
            (" HTTPS://Proxy.Example/ignored?too ", Https, "proxy.example", 443),
            ("socks5://h", Socks5, "h", 1080),
            ("socks5h://[::1]:80", Socks5h, "::1", 80),
            ("SOCKS://h:443", Socks5, "h", 443),
            ("socks4://h", Socks4, "h", 1080),
            ("socks4a://h", Socks4a, "h", 1080),
            ("[2001:db8::1]:3128", Http, "2001:db8::1", 3128),
            ("http://bücher.example", Http, "xn--bcher-kva.example", 80),
            ("socks5h://bücher.example", Socks5h, "xn--bcher-kva.example", 1080),
        ] {
            assert_eq!(parsed(text), (scheme, host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn credentials_are_percent_decoded_and_never_shown() {
        for (text, user, password) in [
            ("http://hello:world@h", "hello", "world"),
            ("user:p%40ss%3Aword@h:1", "user", "p@ss:word"),
            ("http://us%20er@h", "us er", ""),
            ("http://:only@h", "", "only"),
            ("socks5://%C3%BC:%E2%82%AC@h", "ü", "€"),
        ] {
            let url = ProxyUrl::parse(text).expect(text);
            let found = url.credentials.as_ref().expect(text);
            assert_eq!((&found.user[..], &found.password[..]), (user, password), "{text}");
            for shown in [format!("{url}"), format!("{url:?}")] {
                assert!(!shown.contains("world") && !shown.contains('@'), "{shown}");
            }
        }
        assert!(ProxyUrl::parse("http://h").expect("a URL").credentials.is_none());
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_telling_the_password() {
        let long = format!("socks5://{}:p@h", "u".repeat(256));
        for text in [
            "",
            " ",
            "http://",
            "http:///path",
            "http://user:secret@",
            "http://user:secret@:3128",
            "ftp://user:secret@h",
            "http://user:secret@h:65536",
            "http://user:secret@h:x",
            "http://user:secret@a b",
            "http://user:secret@[::1",
            "http://user:secret%FF@h",
            "http://us%3Aer:secret@h",
            "socks5://user@h",
            "socks5://:secret@h",
            "socks4://user:secret@h",
            "socks4://us%00er@h",
            "\0",
            "http://\u{202e}",
            &long,
        ] {
            let error = ProxyUrl::parse(text).expect_err(text);
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }
}
