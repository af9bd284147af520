//! A client's settings: what it sends, how it leads to servers, and its limits. Nothing is looked up or opened here.

use std::sync::Arc;
use std::time::Duration;

use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::{ClientConfig, Keepalive, Limits};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, ORIGIN};

use crate::client::cookies::CookieJar;
use crate::client::credentials::{self, CredentialError};
use crate::client::open::Client;
use crate::dial::{Dialler, Proxy, UnixSocket};
use crate::extensions::negotiators;
use crate::tls::{ClientTls, TlsSettings};

impl Default for Client {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Client {
    /// Settings to change before [`build`](ClientBuilder::build).
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

/// Settings of a [`Client`].
///
/// ```
/// use std::time::Duration;
/// let client = duplexer::Client::builder()
///     .origin("https://example.com")
///     .keepalive(Some(Duration::from_secs(10)), Duration::from_secs(10))
///     .build();
/// ```
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    headers: HeaderMap,
    /// An origin that is no header's value.
    wrong_origin: Option<String>,
    authorization: Option<Result<HeaderValue, CredentialError>>,
    cookies: Option<CookieJar>,
    redirects_max: usize,
    subprotocols: Vec<String>,
    deflate: Option<Deflate>,
    limits: Limits,
    keepalive: Keepalive,
    /// The environment's where it is not set.
    proxy: Option<Proxy>,
    unix_socket: UnixSocket,
    pub(super) tls: TlsSettings,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            headers: HeaderMap::new(),
            wrong_origin: None,
            authorization: None,
            cookies: None,
            redirects_max: 0,
            subprotocols: Vec::new(),
            deflate: Some(Deflate::default()),
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            proxy: None,
            unix_socket: UnixSocket::default(),
            tls: TlsSettings::default(),
        }
    }
}

impl ClientBuilder {
    /// Adds a header to the opening request. Those of the handshake (`Host`, `Upgrade`, `Connection`, `Content-Length`,
    /// `Transfer-Encoding`, `Sec-WebSocket-…`) are [refused when connecting](duplexer_proto::SetupError::HeaderReserved).
    #[must_use]
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        if credentials::is_credential(&name) {
            value.set_sensitive(true);
        }
        self.headers.append(name, value);
        self
    }

    /// Sends a user's name and password with the opening request (RFC 7617), in UTF-8, without waiting to be asked; use it over
    /// `wss` alone. Takes the place of an earlier credential, and of an `Authorization` among the [headers](Self::header). What
    /// cannot be sent is [refused when connecting](crate::ConnectError::Credential).
    ///
    /// A user and a password in the URI do the same where no credential is set. (RFC 6455 §3 knows none, but browsers and
    /// others take them so.)
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(credentials::basic(user, password));
        self
    }

    /// Sends a token with the opening request (RFC 6750), in the place of an earlier credential as
    /// [`basic_auth`](Self::basic_auth) does. Use it over `wss` alone.
    #[must_use]
    pub fn bearer_auth(mut self, token: &str) -> Self {
        self.authorization = Some(credentials::bearer(token));
        self
    }

    /// Sends the cookies of a jar, and keeps there what servers set. A `Cookie` among the [headers](Self::header) is sent as well, in
    /// one line with the jar's; where both have a cookie of one name, that of the header counts. Default: no cookies.
    #[must_use]
    pub fn cookies(mut self, jar: CookieJar) -> Self {
        self.cookies = Some(jar);
        self
    }

    /// Follows at most so many redirects (301, 302, 303, 307 and 308) in [`connect`](Client::connect). Default 0: none is followed.
    ///
    /// All of them share one [`open_timeout`](Limits::open_timeout). `http` and `https` in a `Location` stand for `ws` and `wss`. A
    /// redirect from `wss` to `ws` is an error. Once another scheme, host or port is asked, credentials stay behind: `Authorization`
    /// of any origin, `Proxy-Authorization` and `Cookie` among the [headers](Self::header); a [jar](Self::cookies) sends to each server what it may see. All else is sent to each, and the
    /// [`identity`](Self::identity) shown to each that asks for a certificate. A user and a password in a `Location` are not used.
    #[must_use]
    pub fn redirects(mut self, max: usize) -> Self {
        self.redirects_max = max;
        self
    }

    /// Sets the `Origin` of the opening request (RFC 6455 §4.1, item 8), which browsers send and others need not. One with
    /// characters that no header may have is [refused when connecting](crate::ConnectError::OriginInvalid).
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        let value = HeaderValue::from_str(origin);
        self.wrong_origin = value.is_err().then(|| origin.to_owned());
        if let Ok(value) = value {
            self.headers.insert(ORIGIN, value);
        }
        self
    }

    /// Offers a subprotocol, after those offered before.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Offers permessage-deflate with these settings; `None` offers no extension. Default: [`Deflate::shared`].
    #[must_use]
    pub fn deflate(mut self, deflate: impl Into<Option<Deflate>>) -> Self {
        self.deflate = deflate.into();
        self
    }

    /// Sets all limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the time between pings (`None` for no pings), and how long the answer is awaited. Default 20 s each.
    #[must_use]
    pub fn keepalive(mut self, interval: Option<Duration>, timeout: Duration) -> Self {
        self.keepalive = Keepalive::new(interval, timeout);
        self
    }

    /// Connects through these proxies; `None` connects directly. Default: [`Proxy::from_env`], read when the client is built.
    #[must_use]
    pub fn proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.proxy = Some(proxy.into().unwrap_or_else(Proxy::none));
        self
    }

    /// Connects to this Unix socket, whatever host a URI names, and never through a proxy. On Linux a path that begins with a zero
    /// byte is an abstract name.
    #[cfg(unix)]
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.unix_socket = UnixSocket::at(path.into());
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        let proxy = self.proxy.unwrap_or_else(Proxy::from_env);
        let dialler = Dialler::new(self.unix_socket, proxy);
        let mut config = ClientConfig::default();
        config.limits = Arc::new(self.limits);
        config.keepalive = self.keepalive;
        config.negotiators = negotiators(self.deflate);
        config.subprotocols = self.subprotocols;
        config.headers = self.headers;
        let tls = ClientTls::new(self.tls);
        let wrong_credential = match self.authorization {
            Some(Ok(value)) => {
                config.headers.insert(AUTHORIZATION, value);
                None
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        Client {
            config,
            dialler,
            tls,
            wrong_origin: self.wrong_origin,
            wrong_credential,
            cookies: self.cookies,
            redirects_max: self.redirects_max,
        }
    }
}
