//! Opens connections: a URI and settings in, an open socket out. One deadline covers everything from the name's look-up to
//! the last byte of the handshake. Follows no redirects.

use duplexer_proto::{ClientConfig, ClientHandshake, HandshakeError, Time, WsUri};
use rand::RngExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::client::outcome::ConnectError;
use crate::client::report;
use crate::clock;
use crate::dial::Dialler;
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
    pub(super) config: ClientConfig,
    pub(super) dialler: Dialler,
    /// An origin that cannot be sent.
    pub(super) wrong_origin: Option<String>,
}

impl Client {
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
            let transport = self.dialler.dial(uri.host(), uri.port()).await?;
            self.open(&uri, transport, started).await
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

    /// What its connections have in common.
    #[cfg(feature = "testing")]
    pub(crate) const fn config(&self) -> &ClientConfig {
        &self.config
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
        timed.unwrap_or(Err(ConnectError::TimedOut { after })).inspect_err(report::refused)
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
                let socket = WebSocket::unhosted(connection, transport, input, agreed);
                return Ok(report::opened(socket, uri, started));
            }
        }
    }
}

/// Bytes read at a time while the response is awaited.
const READ_BYTES: usize = 4 << 10;
