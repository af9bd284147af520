//! TLS between a client and its server: the settings, the step between dialling and the opening handshake, and what a transport's
//! error means where it is TLS that failed.

use std::io;
use std::time::Duration;

use duplexer_proto::{Time, WsUri};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::client::open::Client;
use crate::client::outcome::ConnectError;
use crate::client::redirect::Trail;
use crate::clock;
use crate::socket::WebSocket;
use crate::tls::{TlsError, TlsFault};
use crate::transport::Transport;

impl Client {
    /// Opens a connection over a byte stream that leads to the server of `uri` and is not encrypted yet, such as a tunnel of
    /// your own: for a `wss` URI, TLS is spoken over it first, with this client's settings. Within
    /// [`Limits::open_timeout`](crate::Limits::open_timeout). Cancel-safe.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect_tls_over<T>(
        &self,
        io: T,
        uri: impl AsRef<str>,
    ) -> Result<WebSocket, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let trail = Trail::new(self.parse(uri.as_ref())?, 0);
        let started = clock::now();
        self.in_time(started, self.secure_and_open(&trail, Transport::other(io), started)).await
    }

    /// Speaks TLS over a transport, if the trail leads to a `wss` URI, and asks there.
    pub(super) async fn secure_and_open(
        &self,
        trail: &Trail,
        transport: Transport,
        started: Time,
    ) -> Result<WebSocket, ConnectError> {
        if !trail.uri().is_secure() {
            return self.open(trail, transport, started).await;
        }
        let (transport, info) = self.tls.connect(transport, trail.uri().host()).await?;
        Ok(self.open(trail, transport, started).await?.with_tls(info))
    }
}

impl ConnectError {
    /// What an error of the transport means: in TLS 1.3 a server refuses a client's certificate when the client is already done.
    pub(super) fn transport(error: io::Error, uri: &WsUri) -> Self {
        match TlsFault::inside(error) {
            Ok(fault) => Self::Tls(TlsError::new(uri.host(), fault)),
            Err(error) => Self::Io(error),
        }
    }

    /// What it means that the request could not be written: a server that refuses may have said why before it went.
    pub(super) async fn unwritten(
        error: io::Error,
        transport: &mut Transport,
        uri: &WsUri,
    ) -> Self {
        if uri.is_secure() {
            let mut nothing = [0];
            let last_words = tokio::time::timeout(LAST_WORDS_TIME, transport.read(&mut nothing));
            if let Ok(Err(why)) = last_words.await
                && let told @ Self::Tls(_) = Self::transport(why, uri)
            {
                return told;
            }
        }
        Self::transport(error, uri)
    }
}

/// How long a server's last words are awaited when nothing can be written any more: what has arrived is there at once.
const LAST_WORDS_TIME: Duration = Duration::from_millis(100);
