//! A client's settings: what it sends, how it leads to servers, and its limits. Nothing is looked up or opened here.

#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::{ClientConfig, Keepalive, Limits};
use http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};

use crate::client::open::Client;
use crate::dial::{Dialler, Proxy};
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
    subprotocols: Vec<String>,
    deflate: Option<Deflate>,
    limits: Limits,
    keepalive: Keepalive,
    /// The environment's where it is not set.
    proxy: Option<Proxy>,
    #[cfg(unix)]
    unix_socket: Option<PathBuf>,
    pub(super) tls: TlsSettings,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            headers: HeaderMap::new(),
            wrong_origin: None,
            subprotocols: Vec::new(),
            deflate: Some(Deflate::default()),
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            proxy: None,
            #[cfg(unix)]
            unix_socket: None,
            tls: TlsSettings::default(),
        }
    }
}

impl ClientBuilder {
    /// Adds a header to the opening request. Those of the handshake are refused when connecting.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the `Origin` of the opening request (RFC 6455 §4.1, item 8), which browsers send and others need not. One with
    /// characters that no header may have is [refused when connecting](ConnectError::OriginInvalid).
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
        self.keepalive = Keepalive { interval, timeout };
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
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        let dialler = Dialler::new(self.proxy.unwrap_or_else(Proxy::from_env));
        #[cfg(unix)]
        let dialler = dialler.or_unix_socket(self.unix_socket);
        let mut config = ClientConfig::default();
        config.limits = Arc::new(self.limits);
        config.keepalive = self.keepalive;
        config.negotiators = negotiators(self.deflate);
        config.subprotocols = self.subprotocols;
        config.headers = self.headers;
        let tls = ClientTls::new(self.tls);
        Client { config, dialler, tls, wrong_origin: self.wrong_origin }
    }
}
