//! A client's settings: what it sends, how it leads to servers, and its limits. Nothing is looked up or opened here.

use std::sync::Arc;
use std::time::Duration;

use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::{ClientConfig, Keepalive, Limits};
use http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};

use crate::client::open::Client;
use crate::dial::Dialler;
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

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        let mut config = ClientConfig::default();
        config.limits = Arc::new(self.limits);
        config.keepalive = self.keepalive;
        config.negotiators = negotiators(self.deflate);
        config.subprotocols = self.subprotocols;
        config.headers = self.headers;
        let tls = ClientTls::new(self.tls);
        Client { config, dialler: Dialler, tls, wrong_origin: self.wrong_origin }
    }
}
