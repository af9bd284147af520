//! WebSocket URIs (RFC 6455 §3): text in; scheme, host, port and resource name out. Resolves and
//! connects nothing.

use std::fmt;
use std::str::FromStr;

use http::uri::{Authority, PathAndQuery};
use url::{ParseError, Url};

/// Where a client connects to, and what it asks for there (RFC 6455 §3).
///
/// Parsed as a browser does (WHATWG URL and WebSockets): `http` and `https` stand for `ws` and
/// `wss`, names are brought to ASCII, paths are normalized. Printing it leaves the user name and
/// password out.
///
/// ```
/// use duplexer_proto::WsUri;
/// let uri: WsUri = "wss://example.com/chat?room=1".parse()?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port(), uri.authority()), ("example.com", 443, "example.com"));
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// # Ok::<(), duplexer_proto::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WsUri {
    secure: bool,
    /// The host, and the port where it is not the scheme's own.
    authority: Authority,
    port: u16,
    /// Begins with a slash; has no empty query.
    resource: PathAndQuery,
    /// As written, percent-encoded; empty where there is none.
    username: String,
    password: Option<String>,
}

impl WsUri {
    /// Reads an absolute URI.
    ///
    /// # Errors
    /// The text is no URI, its scheme is none of `ws`, `wss`, `http` and `https`, or it has a
    /// fragment.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        // Browsers skip such slashes, and would go to the host `path` of `ws:///path` (RFC 6455 §3 asks for one).
        if text.split_once("://").is_some_and(|(_, rest)| rest.starts_with(['/', '\\'])) {
            return Err(UriError::HostMissing);
        }
        let url = Url::parse(text).map_err(|fault| match fault {
            ParseError::RelativeUrlWithoutBase => UriError::SchemeMissing,
            ParseError::EmptyHost => UriError::HostMissing,
            fault => UriError::Syntax { fault: fault.to_string() },
        })?;
        let (secure, default_port) = match url.scheme() {
            "ws" | "http" => (false, 80),
            "wss" | "https" => (true, 443),
            scheme => return Err(UriError::SchemeUnknown { scheme: scheme.to_owned() }),
        };
        if url.fragment().is_some() {
            return Err(UriError::Fragment);
        }
        let host = url.host_str().ok_or(UriError::HostMissing)?;
        let port = url.port().unwrap_or(default_port);
        let authority = match port == default_port {
            true => host.to_owned(),
            false => format!("{host}:{port}"),
        };
        // "?" stands only before a query that is not empty.
        let resource = match url.query().filter(|query| !query.is_empty()) {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            secure,
            authority: Authority::try_from(authority)
                .map_err(|fault| UriError::Syntax { fault: fault.to_string() })?,
            port,
            resource: PathAndQuery::try_from(resource)
                .map_err(|fault| UriError::Syntax { fault: fault.to_string() })?,
            username: url.username().to_owned(),
            password: url.password().map(str::to_owned),
        })
    }

    /// Whether the scheme is `wss`, so that the connection runs over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// `ws` or `wss`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.secure { "wss" } else { "ws" }
    }

    /// The name or address to connect to; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.authority.host();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port to connect to: 80 or 443 where the URI names none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header: the host, brackets included, and the port where it is not
    /// the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// What is asked for: the path, and the query where it is not empty. Begins with a slash, and
    /// is the target of the request in origin-form (RFC 9112 §3.2.1).
    #[must_use]
    pub fn resource_name(&self) -> &str {
        self.resource.as_str()
    }

    /// The resource name without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.resource.path()
    }

    /// What follows the question mark; never empty.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.resource.query()
    }

    /// The user name, percent-encoded as in the URI; empty where there is none.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password, percent-encoded as in the URI.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The resource name in the form that requests hold.
    pub(crate) const fn resource(&self) -> &PathAndQuery {
        &self.resource
    }
}

impl FromStr for WsUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl fmt::Display for WsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.resource)
    }
}

impl fmt::Debug for WsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WsUri({self})")
    }
}

/// A text is no WebSocket URI.
///
/// ```
/// use duplexer_proto::{UriError, WsUri};
/// assert_eq!(WsUri::parse("ws://example.com/#top"), Err(UriError::Fragment));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// There is no scheme.
    SchemeMissing,
    /// The scheme is not one of WebSocket's.
    SchemeUnknown {
        /// The scheme.
        scheme: String,
    },
    /// There is no host.
    HostMissing,
    /// There is a fragment, perhaps an empty one.
    Fragment,
    /// A part of the URI is malformed or too long.
    Syntax {
        /// What is wrong with it.
        fault: String,
    },
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SchemeMissing => {
                f.write_str("a WebSocket URI begins with ws:// or wss:// (RFC 6455 §3)")
            }
            Self::SchemeUnknown { scheme } => write!(
                f,
                "`{scheme}` is no scheme of WebSocket; write ws:// or wss:// before the host \
                 (RFC 6455 §3)"
            ),
            Self::HostMissing => {
                f.write_str("the URI has no host; write it as ws://host/path (RFC 6455 §3)")
            }
            Self::Fragment => f.write_str(
                "a WebSocket URI has no fragment; leave out the `#`, or write it as %23 \
                 (RFC 6455 §3)",
            ),
            Self::Syntax { fault } => write!(f, "malformed WebSocket URI: {fault}"),
        }
    }
}

impl std::error::Error for UriError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// (URI, scheme, host, port, Host header, resource name)
    type Parts = (&'static str, &'static str, &'static str, u16, &'static str, &'static str);

    #[test]
    fn parts_of_a_uri() {
        // RFC 6455 §3.
        let cases: [Parts; 10] = [
            ("ws://example.com", "ws", "example.com", 80, "example.com", "/"),
            ("wss://example.com", "wss", "example.com", 443, "example.com", "/"),
            ("ws://example.com:80/", "ws", "example.com", 80, "example.com", "/"),
            ("wss://example.com:80/", "wss", "example.com", 80, "example.com:80", "/"),
            ("ws://[::1]:8080/a", "ws", "::1", 8080, "[::1]:8080", "/a"),
            ("wss://[::1]/a", "wss", "::1", 443, "[::1]", "/a"),
            ("ws://h?q", "ws", "h", 80, "h", "/?q"),
            ("ws://h/p?", "ws", "h", 80, "h", "/p"),
            ("ws://h/a b?c d", "ws", "h", 80, "h", "/a%20b?c%20d"),
            (
                "WS://BÜCHER.example/%2f",
                "ws",
                "xn--bcher-kva.example",
                80,
                "xn--bcher-kva.example",
                "/%2f",
            ),
        ];
        for (text, scheme, host, port, authority, resource) in cases {
            let uri = WsUri::parse(text).expect(text);
            assert_eq!(
                (uri.scheme(), uri.host(), uri.port(), uri.authority(), uri.resource_name()),
                (scheme, host, port, authority, resource),
                "{text}"
            );
        }
    }

    #[test]
    fn http_stands_for_ws() {
        // WHATWG WebSockets, the constructor, step 2.
        let printed = |text| WsUri::parse(text).map(|uri| uri.to_string());
        assert_eq!(printed("https://h/p?q").as_deref(), Ok("wss://h/p?q"));
        assert_eq!(printed("http://h:443/").as_deref(), Ok("ws://h:443/"));
    }

    #[test]
    fn a_user_and_a_password_stay_apart() {
        let uri = WsUri::parse("ws://us%40er:pa%3Ass@example.com/chat").expect("a URI");
        assert_eq!((uri.username(), uri.password()), ("us%40er", Some("pa%3Ass")));
        assert_eq!((uri.authority(), uri.resource_name()), ("example.com", "/chat"));
        assert_eq!(format!("{uri} {uri:?}"), "ws://example.com/chat WsUri(ws://example.com/chat)");
        let without = WsUri::parse("ws://example.com/chat").expect("a URI");
        assert_eq!((without.username(), without.password()), ("", None));
    }

    #[test]
    fn no_fragment_not_even_an_empty_one() {
        // RFC 6455 §3: "Fragment identifiers are meaningless [...] and MUST NOT be used on these
        // URIs."
        for text in ["ws://h/#", "ws://h/#top", "ws://h#", "ws://h/?q#"] {
            assert_eq!(WsUri::parse(text), Err(UriError::Fragment), "{text}");
        }
    }

    #[test]
    fn what_is_no_websocket_uri() {
        let scheme = |scheme: &str| UriError::SchemeUnknown { scheme: scheme.to_owned() };
        assert_eq!(WsUri::parse("ftp://h/"), Err(scheme("ftp")));
        assert_eq!(WsUri::parse("localhost:8080/chat"), Err(scheme("localhost")));
        assert_eq!(WsUri::parse("example.com/chat"), Err(UriError::SchemeMissing));
        assert_eq!(WsUri::parse(""), Err(UriError::SchemeMissing));
        for text in ["ws://", "ws:///chat", "ws:////chat", "ws://\\chat", "ws://?q"] {
            assert_eq!(WsUri::parse(text), Err(UriError::HostMissing), "{text}");
        }
        for text in ["ws://h:65536/", "ws://a b/", "ws://[::1/", "ws://%00/"] {
            assert!(matches!(WsUri::parse(text), Err(UriError::Syntax { .. })), "{text}");
        }
        let long = format!("ws://h/{}", "a".repeat(70_000));
        assert!(matches!(WsUri::parse(&long), Err(UriError::Syntax { .. })));
    }
}
