//! Redirects of an opening request (RFC 9110 §15.4): a refusal with a `Location` in, the next URI out, or why it is not
//! followed. Requests nothing.

use std::fmt;

use duplexer_proto::{UriError, WsUri};
use http::header::LOCATION;
use http::{Response, StatusCode};
use url::Url;

/// The URIs asked on the way to a server, the first one first.
#[derive(Debug)]
pub(super) struct Trail {
    asked: Vec<WsUri>,
    redirects_max: usize,
    /// All are asked over one Unix socket.
    on_unix_socket: bool,
}

impl Trail {
    pub(super) fn new(first: WsUri, redirects_max: usize) -> Self {
        Self { asked: vec![first], redirects_max, on_unix_socket: false }
    }

    /// The same, over a Unix socket where this is true.
    pub(super) const fn on_unix_socket(mut self, is_one: bool) -> Self {
        self.on_unix_socket = is_one;
        self
    }

    /// The URI to ask now.
    pub(super) fn uri(&self) -> &WsUri {
        &self.asked[self.asked.len() - 1]
    }

    /// The URI that was asked for.
    pub(super) fn first(&self) -> &WsUri {
        &self.asked[0]
    }

    /// Whether no redirect has led away from the first URI's scheme, host and port.
    pub(super) fn is_at_home(&self) -> bool {
        let home = origin(self.first());
        self.asked.iter().all(|uri| origin(uri) == home)
    }

    /// Whether this status is a redirect that may be followed.
    pub(super) fn follows(&self, status: StatusCode) -> bool {
        self.redirects_max > 0 && is_redirect(status)
    }

    /// Goes on to where the response leads.
    pub(super) fn follow<B>(&mut self, response: &Response<B>) -> Result<(), RedirectError> {
        let next = self.target(response)?;
        if self.uri().is_secure() && !next.is_secure() {
            return Err(RedirectError::Downgrade {
                from: self.uri().to_string(),
                to: next.to_string(),
            });
        }
        if self.on_unix_socket && origin(&next) != origin(self.first()) {
            return Err(RedirectError::OffUnixSocket {
                from: self.uri().to_string(),
                to: next.to_string(),
            });
        }
        if self.asked.len() > self.redirects_max {
            let chain = self.asked.iter().chain([&next]).map(WsUri::to_string).collect();
            return Err(RedirectError::TooMany { redirects_max: self.redirects_max, chain });
        }
        self.asked.push(next);
        Ok(())
    }

    /// Where a redirect leads. A user and a password in it are not taken: no server chooses what a client proves itself with.
    fn target<B>(&self, response: &Response<B>) -> Result<WsUri, RedirectError> {
        let (from, status) = (self.uri().to_string(), response.status());
        let mut locations = response.headers().get_all(LOCATION).iter();
        let (Some(location), None) = (locations.next(), locations.next()) else {
            return Err(RedirectError::LocationMissing { from, status });
        };
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        resolve(&from, &location).map_err(|fault| RedirectError::LocationInvalid {
            from,
            location,
            fault,
        })
    }
}

/// A reference relative to an absolute URI (RFC 9110 §10.2.2). Its fragment is left out: no WebSocket URI has one.
fn resolve(base: &str, reference: &str) -> Result<WsUri, UriError> {
    let syntax = |fault: url::ParseError| UriError::Syntax { fault: fault.to_string() };
    if reference.contains(|character: char| character.is_control() || character == '\u{fffd}') {
        return Err(UriError::Syntax { fault: "control character".to_owned() });
    }
    if reference.split_once("://").is_some_and(|(_, rest)| rest.starts_with(['/', '\\'])) {
        return Err(UriError::HostMissing);
    }
    let mut url = Url::parse(base).and_then(|base| base.join(reference)).map_err(syntax)?;
    url.set_fragment(None);
    // These fail only where there is no host, which the next step finds.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    WsUri::parse(url.as_str())
}

/// Whether this status leads elsewhere with the same method, which for GET all of them keep.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// RFC 6454 §4.
fn origin(uri: &WsUri) -> (bool, &str, u16) {
    (uri.is_secure(), uri.host(), uri.port())
}

/// A redirect was not followed, though [`redirects`](crate::ClientBuilder::redirects) allows some.
///
/// ```
/// use duplexer::{ConnectError, RedirectError};
/// fn is_loop(error: &ConnectError) -> bool {
///     matches!(error, ConnectError::Redirect(RedirectError::TooMany { chain, .. })
///         if chain.iter().rev().skip(1).any(|uri| Some(uri) == chain.last()))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectError {
    /// There were more than allowed.
    TooMany {
        /// The setting.
        redirects_max: usize,
        /// The URIs asked in turn, and the last one, which was not.
        chain: Vec<String>,
    },
    /// There is no `Location`, or more than one.
    LocationMissing {
        /// The URI that was asked.
        from: String,
        /// The status of its answer.
        status: StatusCode,
    },
    /// The `Location` leads to no WebSocket.
    LocationInvalid {
        /// The URI that was asked.
        from: String,
        /// The header's value.
        location: String,
        /// What is wrong with it.
        fault: UriError,
    },
    /// The redirect leads from `wss` to `ws`, where everyone on the way could read along.
    Downgrade {
        /// The URI that was asked.
        from: String,
        /// Where its answer leads.
        to: String,
    },
    /// The redirect leads to another scheme, host or port than that of the one server that the setting
    /// [`unix_socket`](crate::ClientBuilder::unix_socket) leads to.
    OffUnixSocket {
        /// The URI that was asked.
        from: String,
        /// Where its answer leads.
        to: String,
    },
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { redirects_max, chain } => write!(
                f,
                "more than {redirects_max} redirects (setting redirects): {}",
                chain.join(" → ")
            ),
            Self::LocationMissing { from, status } => {
                write!(f, "{from} answered {status} without one Location to follow")
            }
            Self::LocationInvalid { from, location, fault } => write!(
                f,
                "{from} redirects to `{}`, which leads to no WebSocket: {fault}",
                location.escape_debug()
            ),
            Self::Downgrade { from, to } => {
                write!(f, "{from} redirects to {to}, out of TLS; such redirects are never followed")
            }
            Self::OffUnixSocket { from, to } => write!(
                f,
                "{from} redirects to {to}, which is not where the Unix socket leads (setting unix_socket)"
            ),
        }
    }
}

impl std::error::Error for RedirectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::LocationInvalid { fault, .. } => Some(fault),
            Self::TooMany { .. }
            | Self::LocationMissing { .. }
            | Self::Downgrade { .. }
            | Self::OffUnixSocket { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_resolved_against_the_uri_that_was_asked() {
        // RFC 3986 §5.2.2; RFC 9110 §10.2.2.
        let cases = [
            ("/new", "wss://h:8443/new"),
            ("new?x=1", "wss://h:8443/a/new?x=1"),
            ("../up", "wss://h:8443/up"),
            ("?only", "wss://h:8443/a/b?only"),
            ("//other/p", "wss://other/p"),
            ("https://other:444/p#part", "wss://other:444/p"),
            ("wss://user:secret@other/", "wss://other/"),
            ("", "wss://h:8443/a/b?q"),
        ];
        for (reference, expected) in cases {
            let next = resolve("wss://h:8443/a/b?q", reference).map(|uri| {
                assert_eq!((uri.username(), uri.password()), ("", None), "{reference}");
                uri.to_string()
            });
            assert_eq!(next.as_deref(), Ok(expected), "{reference}");
        }
    }

    #[test]
    fn a_location_that_leads_to_no_websocket_is_told() {
        for reference in
            ["http:///evil", "ftp://h/", "javascript:1", "ws://h:99999/", "/a\r\nb", "//[::1"]
        {
            assert!(resolve("ws://h/", reference).is_err(), "{reference}");
        }
    }

    #[test]
    fn a_redirect_out_of_tls_is_never_followed() {
        let to = |location: &str| {
            Response::builder().status(302).header(LOCATION, location).body(()).expect("a response")
        };
        let uri = |text| WsUri::parse(text).expect("a URI");
        for location in ["ws://h/", "http://h:443/", "ws://other/"] {
            let mut trail = Trail::new(uri("wss://h/"), 9);
            let error = trail.follow(&to(location)).expect_err(location);
            assert!(matches!(error, RedirectError::Downgrade { .. }), "{location}: {error:?}");
        }
        let mut trail = Trail::new(uri("ws://h/"), 9);
        assert_eq!(trail.follow(&to("https://h/")), Ok(()));
        assert!(!trail.is_at_home(), "another scheme is another origin");
        assert!(matches!(trail.follow(&to("ws://h/")), Err(RedirectError::Downgrade { .. })));
    }
}
