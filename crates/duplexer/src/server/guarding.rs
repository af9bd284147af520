//! The builder's methods for the settings with which a server guards itself.

use crate::server::builder::ServerBuilder;
use crate::server::forwarded::ForwardedHeaders;
use crate::server::proxy_protocol::ProxyProtocol;
use crate::server::trust::TrustedProxies;
use crate::terms::RateLimits;

/// Caps and rates. What is over them is refused before [`authorize`](ServerBuilder::authorize) is asked: with 503, or 429 for
/// the rates, and a `Retry-After`, whether it asks for a WebSocket or for plain HTTP. Who has not sent a request within 2 s, or comes
/// when 256 others are being refused, is dropped instead.
impl<S> ServerBuilder<S> {
    /// Sets how many connections there may be at a time, plain HTTP and those not open yet included, each from its being accepted
    /// until its handler has returned. Default: any number, as far as the system lets there be.
    ///
    /// ```
    /// let server = duplexer::Server::builder().connections_max(100_000).build();
    /// ```
    #[must_use]
    pub fn connections_max(mut self, max: impl Into<Option<usize>>) -> Self {
        self.guard.caps.connections_max = max.into();
        self
    }

    /// Sets how many connections one address may have at a time, counted as above; for IPv6 one /64. Default: any number,
    /// because the clients of a proxy, an office or a mobile network all come from one address: behind a proxy of your own set
    /// [`trusted_proxies`](ServerBuilder::trusted_proxies) too, and each of their clients counts by itself: on connections that
    /// carry plain HTTP for many clients only those that become WebSockets.
    ///
    /// ```
    /// let server = duplexer::Server::builder().connections_per_address_max(100).build();
    /// ```
    #[must_use]
    pub fn connections_per_address_max(mut self, max: impl Into<Option<usize>>) -> Self {
        self.guard.caps.connections_per_address_max = max.into();
        self
    }

    /// Sets how many connections may be accepted per second. As many may come at once after a second's rest; zero lets nobody
    /// in. Default: any number.
    ///
    /// ```
    /// let server = duplexer::Server::builder().openings_per_second_max(1_000).build();
    /// ```
    #[must_use]
    pub fn openings_per_second_max(mut self, max: impl Into<Option<u32>>) -> Self {
        self.guard.caps.openings_per_second_max = max.into();
        self
    }

    /// The same for each address, as [`connections_per_address_max`](ServerBuilder::connections_per_address_max) tells them
    /// apart. Default: any number.
    ///
    /// ```
    /// let server = duplexer::Server::builder().openings_per_address_per_second_max(20).build();
    /// ```
    #[must_use]
    pub fn openings_per_address_per_second_max(mut self, max: impl Into<Option<u32>>) -> Self {
        self.guard.caps.openings_per_address_per_second_max = max.into();
        self
    }
}

/// What peers of open connections may do.
impl<S> ServerBuilder<S> {
    /// Sets how fast the peer of each connection may talk. Default: [`RateLimits::default`].
    #[must_use]
    pub fn rates(mut self, rates: RateLimits) -> Self {
        self.guard.rates = rates;
        self
    }

    /// Sets how many bytes all unfinished messages of the server may take together: those whose end has not come yet, in the memory
    /// that was allocated for them, and those that are held for a handler that is busy sending. The connection that wants
    /// more is closed with 1013 (try again later), since its message is not too big by itself; the error of `recv` names the setting. What comes whole in
    /// one read, and what is read as a stream, takes nothing. Counted after each read: a
    /// message that inflates may be over it for that moment. Default 1 GiB.
    ///
    /// ```
    /// let server = duplexer::Server::builder().unfinished_bytes_max(256 << 20).build();
    /// ```
    #[must_use]
    pub fn unfinished_bytes_max(mut self, bytes: usize) -> Self {
        self.guard.unfinished_bytes_max = bytes;
        self
    }
}

/// Proxies in front of the server.
impl<S> ServerBuilder<S> {
    /// Sets the proxies that are believed when they say who their client is, in headers or by the PROXY protocol:
    /// [`Request::client`](crate::Request::client), [`host`](crate::Request::host) and [`scheme`](crate::Request::scheme) are what they say then. They must
    /// overwrite or append to the headers that they are believed in, whatever a client has sent. Default: none, and all such headers are
    /// only text.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.guard.proxies.trusted = proxies;
        self
    }

    /// Sets which headers trusted proxies say it in. Default: [`ForwardedHeaders::XForwarded`].
    #[must_use]
    pub fn forwarded_headers(mut self, headers: ForwardedHeaders) -> Self {
        self.guard.proxies.headers = headers;
        self
    }

    /// Sets whether connections begin with a header of the PROXY protocol, before TLS. It counts against the limit `open_timeout`.
    /// Where it names a client that is no trusted proxy itself, headers are that client's own, and not believed. Default:
    /// [`ProxyProtocol::Off`].
    #[must_use]
    pub fn proxy_protocol(mut self, protocol: ProxyProtocol) -> Self {
        self.guard.proxies.protocol = protocol;
        self
    }
}
