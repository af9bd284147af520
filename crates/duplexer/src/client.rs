//! Opens connections: a URI and settings in, an open socket out. One deadline covers everything from the name's look-up to
//! the last byte of the handshake. Follows no redirects.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::{
    ClientConfig, ClientHandshake, HandshakeError, Keepalive, Limits, SetupError, Time, UriError,
    WsUri,
};
use http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};
use rand::RngExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock;
use crate::extensions::negotiators;
use crate::input::Input;
use crate::socket::WebSocket;
use crate::transport::Transport;

/// Opens a connection with the default settings: deflate offered, keepalive on.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = duplexer::connect("ws://127.0.0.1:9001/").await?;
/// socket.send("hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// Cancel-safe: dropped, it leaves nothing open.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(uri: impl AsRef<str>) -> Result<WebSocket, ConnectError> {
    Client::default().connect(uri).await
}

/// Opens connections with settings of its own. Cheap to clone.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = duplexer::Client::builder().subprotocol("chat").build();
/// let socket = client.connect("ws://127.0.0.1:8080/rooms/lobby").await?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    config: ClientConfig,
    /// An origin that cannot be sent.
    wrong_origin: Option<String>,
}

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

    /// Opens a connection over TCP, within [`Limits::open_timeout`]. The addresses of a name are tried in turn. Cancel-safe.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(&self, uri: impl AsRef<str>) -> Result<WebSocket, ConnectError> {
        let uri = self.parse(uri.as_ref())?;
        if uri.is_secure() {
            return Err(ConnectError::TlsUnavailable);
        }
        let started = clock::now();
        self.in_time(started, async {
            let host = uri.host();
            let stream = TcpStream::connect((host, uri.port())).await;
            let dialled = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
            let stream = dialled.map_err(|error| ConnectError::Dial {
                authority: match host.contains(':') {
                    true => format!("[{host}]:{}", uri.port()),
                    false => format!("{host}:{}", uri.port()),
                },
                error,
            })?;
            self.open(&uri, Transport::Tcp(stream), started).await
        })
        .await
    }

    /// Opens a connection over a byte stream that leads to the server of `uri`, within [`Limits::open_timeout`]. A stream
    /// for a `wss` URI has to be encrypted already. Cancel-safe.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect_over<T>(
        &self,
        io: T,
        uri: impl AsRef<str>,
    ) -> Result<WebSocket, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let uri = self.parse(uri.as_ref())?;
        let started = clock::now();
        self.in_time(started, self.open(&uri, Transport::other(io), started)).await
    }

    /// Whether a connection to `uri` can be tried at all.
    fn parse(&self, uri: &str) -> Result<WsUri, ConnectError> {
        if let Some(origin) = &self.wrong_origin {
            return Err(ConnectError::OriginInvalid { origin: origin.clone() });
        }
        Ok(WsUri::parse(uri)?)
    }

    async fn in_time(
        &self,
        started: Time,
        opening: impl Future<Output = Result<WebSocket, ConnectError>>,
    ) -> Result<WebSocket, ConnectError> {
        let after = self.config.limits.open_timeout;
        let timed = tokio::time::timeout_at(clock::instant(started + after), opening).await;
        timed.unwrap_or(Err(ConnectError::TimedOut { after }))
    }

    async fn open(
        &self,
        uri: &WsUri,
        mut transport: Transport,
        started: Time,
    ) -> Result<WebSocket, ConnectError> {
        let entropy = rand::rng().random();
        let mut handshake = ClientHandshake::new(uri, self.config.clone(), entropy, started)?;
        transport.write_all(&handshake.request()).await.map_err(ConnectError::Io)?;
        transport.flush().await.map_err(ConnectError::Io)?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let by = clock::instant(handshake.deadline());
            let read = tokio::time::timeout_at(by, transport.read(&mut buffer)).await;
            let Ok(read) = read else {
                // A refusal whose body does not end is one all the same.
                let refused = handshake.receive_end();
                let after = self.config.limits.open_timeout;
                return Err(match refused {
                    HandshakeError::Refused(_) => refused.into(),
                    _ => ConnectError::TimedOut { after },
                });
            };
            let len = read.map_err(ConnectError::Io)?;
            if len == 0 {
                return Err(handshake.receive_end().into());
            }
            if let Some((consumed, opened)) = handshake.receive(&buffer[..len])? {
                let input = Input::starting_with(&buffer[consumed..len]);
                let (connection, agreed) = (opened.connection, opened.agreed);
                return Ok(WebSocket::unhosted(connection, transport, input, agreed));
            }
        }
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
        Client { config, wrong_origin: self.wrong_origin }
    }
}

/// A connection was not opened.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use duplexer::{ConnectError, UriError};
/// match duplexer::connect("ftp://example.com/").await {
///     Err(ConnectError::Uri(UriError::SchemeUnknown { .. })) => println!("ws:// is meant"),
///     other => unreachable!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI is none of a WebSocket (RFC 6455 §3).
    Uri(UriError),
    /// A setting cannot be sent.
    Setup(SetupError),
    /// The setting [`origin`](ClientBuilder::origin) cannot be sent.
    OriginInvalid {
        /// The origin.
        origin: String,
    },
    /// `wss` over TCP is not in this version; [`connect_over`](Client::connect_over) takes an encrypted stream.
    TlsUnavailable,
    /// The TCP connection was not made.
    Dial {
        /// Host and port; an IPv6 address in brackets.
        authority: String,
        /// What the system said.
        error: io::Error,
    },
    /// The transport failed during the handshake.
    Io(io::Error),
    /// The server's answer opened no connection.
    Handshake(HandshakeError),
    /// It took longer than the limit `open_timeout`.
    TimedOut {
        /// The limit.
        after: Duration,
    },
}

impl From<UriError> for ConnectError {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl From<SetupError> for ConnectError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(error) => error.fmt(f),
            Self::Setup(error) => error.fmt(f),
            Self::OriginInvalid { origin } => write!(
                f,
                "the origin `{}` has characters that no header may have (RFC 6454 §7)",
                origin.escape_debug()
            ),
            Self::TlsUnavailable => f.write_str(
                "wss:// is not available in this version; use ws://, or `connect_over` with a TLS \
                 stream of your own",
            ),
            Self::Dial { authority, error } => write!(f, "cannot connect to {authority}: {error}"),
            Self::Io(error) => write!(f, "the connection failed while it was opened: {error}"),
            Self::Handshake(error) => error.fmt(f),
            Self::TimedOut { after } => {
                write!(f, "the connection was not open within {after:?} (limit open_timeout)")
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Uri(error) => Some(error),
            Self::Setup(error) => Some(error),
            Self::Dial { error, .. } | Self::Io(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::OriginInvalid { .. } | Self::TlsUnavailable | Self::TimedOut { .. } => None,
        }
    }
}

/// Bytes read at a time while the response is awaited.
const READ_BYTES: usize = 4 << 10;
