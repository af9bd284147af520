//! Opens connections: a URI and settings in, an open socket out. One deadline covers everything from the name's look-up to
//! the last byte of the handshake, redirects on the way included.

use std::sync::LazyLock;

use duplexer_proto::{ClientConfig, ClientHandshake, HandshakeError, Time, WsUri};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use rand::RngExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::client::cookies::CookieJar;
use crate::client::credentials::{self, CredentialError};
use crate::client::outcome::ConnectError;
use crate::client::redirect::Trail;
use crate::client::report;
use crate::clock;
use crate::dial::{Deadline, Dialler};
use crate::input::Input;
use crate::socket::WebSocket;
use crate::tls::ClientTls;
use crate::transport::Transport;

/// Opens a connection with the default settings: deflate offered, keepalive on. All calls share one [`Client`], which reads the
/// environment's proxies and the platform's roots once, when it first needs them.
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
    static SHARED: LazyLock<Client> = LazyLock::new(Client::default);
    SHARED.connect(uri).await
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
    pub(super) config: ClientConfig,
    pub(super) dialler: Dialler,
    pub(super) tls: ClientTls,
    /// An origin that cannot be sent.
    pub(super) wrong_origin: Option<String>,
    /// A credential that cannot be sent.
    pub(super) wrong_credential: Option<CredentialError>,
    pub(super) cookies: Option<CookieJar>,
    pub(super) redirects_max: usize,
}

impl Client {
    /// Opens a connection over TCP, and over TLS where the URI begins with `wss`, within [`Limits::open_timeout`](crate::Limits::open_timeout), through a
    /// [proxy](crate::Proxy) where the environment names one. The addresses of a name are raced (RFC 8305 §4 and §5; the guide
    /// says what of it is not done). A user and a password
    /// in the URI are sent as [`basic_auth`](crate::ClientBuilder::basic_auth) is, unless an `Authorization` is set. Redirects are
    /// followed as the setting [`redirects`](crate::ClientBuilder::redirects) says. Cancel-safe.
    ///
    /// A client reads the roots that it trusts once, when it first needs them, and remembers TLS sessions: keep it for further connections.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(&self, uri: impl AsRef<str>) -> Result<WebSocket, ConnectError> {
        let trail = Trail::new(self.parse(uri.as_ref())?, self.redirects_max);
        let mut trail = trail.on_unix_socket(self.dialler.has_unix_socket());
        let started = clock::now();
        self.in_time(started, async {
            loop {
                let refused = match self.dial_and_open(&trail, started).await {
                    Err(ConnectError::Handshake(HandshakeError::Refused(refused)))
                        if trail.follows(refused.status()) =>
                    {
                        refused
                    }
                    opened => return opened,
                };
                trail.follow(&refused)?;
            }
        })
        .await
    }

    /// Opens a connection over a byte stream that leads to the server of `uri`, within [`Limits::open_timeout`](crate::Limits::open_timeout). A stream
    /// for a `wss` URI has to be encrypted already; see [`connect_tls_over`](Client::connect_tls_over). Follows no redirects: the
    /// stream leads nowhere else. Cancel-safe.
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
        let trail = Trail::new(uri, 0);
        self.in_time(started, self.open(&trail, Transport::other(io), started)).await
    }

    /// This client with one header set, in the place of any of that name. Settings, cookies and all else are shared: for a token that
    /// changes from one connection to the next.
    ///
    /// ```
    /// use duplexer::http::header::{AUTHORIZATION, HeaderValue};
    /// let client = duplexer::Client::default();
    /// let renewed = client.with_header(AUTHORIZATION, HeaderValue::from_static("Bearer new"));
    /// ```
    #[must_use]
    pub fn with_header(&self, name: HeaderName, mut value: HeaderValue) -> Self {
        let mut client = self.clone();
        if credentials::is_credential(&name) {
            value.set_sensitive(true);
        }
        if name == AUTHORIZATION {
            client.wrong_credential = None;
        }
        client.config.headers.insert(name, value);
        client
    }

    /// What its connections have in common.
    #[cfg(feature = "testing")]
    pub(crate) const fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Whether a connection to `uri` can be tried at all.
    pub(super) fn parse(&self, uri: &str) -> Result<WsUri, ConnectError> {
        if let Some(origin) = &self.wrong_origin {
            return Err(ConnectError::OriginInvalid { origin: origin.clone() });
        }
        if let Some(error) = &self.wrong_credential {
            return Err(error.clone().into());
        }
        if self.config.headers.contains_key(PROXY_AUTHORIZATION) {
            return Err(CredentialError::ForProxy.into());
        }
        Ok(WsUri::parse(uri)?)
    }

    pub(super) async fn in_time(
        &self,
        started: Time,
        opening: impl Future<Output = Result<WebSocket, ConnectError>>,
    ) -> Result<WebSocket, ConnectError> {
        let after = self.config.limits.open_timeout;
        let timed = tokio::time::timeout_at(clock::instant(started + after), opening).await;
        timed.unwrap_or(Err(ConnectError::TimedOut { after })).inspect_err(report::refused)
    }

    /// Asks where the trail has led to.
    async fn dial_and_open(&self, trail: &Trail, started: Time) -> Result<WebSocket, ConnectError> {
        let after = self.config.limits.open_timeout;
        let by = Deadline { at: clock::instant(started + after), after };
        let transport = self.dialler.dial(trail.uri(), &self.tls, by).await?;
        self.secure_and_open(trail, transport, started).await
    }

    /// Asks over a transport; keeps the cookies of the answer.
    pub(super) async fn open(
        &self,
        trail: &Trail,
        transport: Transport,
        started: Time,
    ) -> Result<WebSocket, ConnectError> {
        let mut config = self.config.clone();
        self.adapt(&mut config.headers, trail)?;
        let entropy = rand::rng().random();
        let handshake = ClientHandshake::new(trail.uri(), config, entropy, started)?;
        let opened = self.shake_hands(handshake, transport, trail, started).await;
        if let (Some(jar), Err(ConnectError::Handshake(HandshakeError::Refused(refused)))) =
            (&self.cookies, &opened)
        {
            jar.take(trail.uri(), refused.headers());
        }
        opened
    }

    /// Adds what proves who asks, or takes it out where the trail has led away.
    fn adapt(&self, headers: &mut HeaderMap, trail: &Trail) -> Result<(), ConnectError> {
        if !trail.is_at_home() {
            credentials::strip(headers);
        } else if !headers.contains_key(AUTHORIZATION)
            && let Some(value) = credentials::of_uri(trail.first())?
        {
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(jar) = &self.cookies {
            jar.merge(trail.uri(), headers);
        }
        Ok(())
    }

    async fn shake_hands(
        &self,
        mut handshake: ClientHandshake,
        mut transport: Transport,
        trail: &Trail,
        started: Time,
    ) -> Result<WebSocket, ConnectError> {
        let request = handshake.request();
        let written = async {
            transport.write_all(&request).await?;
            transport.flush().await
        };
        if let Err(error) = written.await {
            return Err(ConnectError::unwritten(error, &mut transport, trail.uri()).await);
        }
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let by = clock::instant(handshake.deadline());
            let read = tokio::time::timeout_at(by, transport.read(&mut buffer)).await;
            let Ok(read) = read else {
                // A refusal whose body does not end is one all the same.
                let after = self.config.limits.open_timeout;
                return Err(match handshake.handle_timeout(handshake.deadline()) {
                    Ok(()) | Err(HandshakeError::TimedOut { received_bytes: 0, .. }) => {
                        ConnectError::TimedOut { after }
                    }
                    Err(told) => told.into(),
                });
            };
            let len = match read {
                Ok(len) => len,
                // Nor is one whose body is cut off by a reset anything else, and of a head that is cut off so the beginning tells more.
                Err(error) => {
                    return Err(match handshake.receive_end() {
                        HandshakeError::Closed { received_bytes: 0, .. } => {
                            ConnectError::transport(error, trail.uri())
                        }
                        told => told.into(),
                    });
                }
            };
            if len == 0 {
                return Err(handshake.receive_end().into());
            }
            if let Some((consumed, opened)) = handshake.receive(&buffer[..len])? {
                if let Some(jar) = &self.cookies {
                    jar.take(trail.uri(), opened.response.headers());
                }
                let input = Input::starting_with(&buffer[consumed..len]);
                let (connection, agreed) = (opened.connection, opened.agreed);
                let socket = WebSocket::unhosted(connection, transport, input, agreed);
                return Ok(report::opened(socket, trail.uri(), started));
            }
            // What a redirect says in its body is not waited for.
            if handshake.refusal().is_some_and(|response| trail.follows(response.status())) {
                return Err(handshake.receive_end().into());
            }
        }
    }
}

/// Bytes read at a time while the response is awaited.
const READ_BYTES: usize = 4 << 10;
