//! The socket in one piece: what `connect` returns and a server's handler is given.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use duplexer_proto::handshake::Agreed;
use duplexer_proto::{
    CloseCode, CloseInfo, CloseReasonError, Connection, ControlError, Message, MessageKind,
    Prepared, SendOptions,
};

use crate::driver::Driver;
use crate::handle::Shared;
use crate::input::Input;
use crate::socket::facts::Facts;
use crate::socket::halves::{Receiver, Sender, halves};
use crate::socket::outcome::{PingError, RecvError, SendError, TrySendError};
use crate::socket::reader::MessageReader;
use crate::socket::writer::MessageWriter;
use crate::tls::TlsInfo;
use crate::transport::Transport;
use crate::watch::Trace;

/// An open WebSocket, of a client or of a server.
///
/// Control frames are handled while any of its futures is polled; no task runs beside. Dropped without
/// [`close`](WebSocket::close), a client's socket says 1001 as far as that can be done at once; in a handler of our
/// [`Server`](crate::Server) the server closes it with 1000, or with 1011 after an error.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use duplexer::CloseCode;
/// let mut socket = duplexer::connect("ws://127.0.0.1:9001/").await?;
/// socket.send("hello").await?;
/// while let Some(message) = socket.recv().await? {
///     println!("{message:?}");
/// }
/// socket.close(CloseCode::NORMAL, "done").await?;
/// # Ok(())
/// # }
/// ```
pub struct WebSocket {
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    /// What is known of the opening, where that is not nothing.
    facts: Option<Arc<Facts>>,
}

impl WebSocket {
    /// A socket of our own making: nobody else runs its driver.
    pub(crate) fn unhosted(
        conn: Connection,
        transport: Transport,
        input: Input,
        agreed: Agreed,
    ) -> Self {
        Self::new(Shared::new(Driver::new(conn, transport, input)), Facts::of(agreed))
    }

    pub(crate) fn new(shared: Arc<Shared>, facts: Option<Arc<Facts>>) -> Self {
        let (sender, receiver) = halves(shared);
        Self { sender, receiver, facts }
    }

    /// The same, knowing what was agreed on below it.
    pub(crate) fn with_tls(mut self, tls: TlsInfo) -> Self {
        Arc::make_mut(self.facts.get_or_insert_default()).tls = Some(tls);
        self
    }

    /// The same, told of where somebody reads.
    pub(crate) fn traced(self, trace: Option<Arc<Trace>>) -> Self {
        self.sender.handle.now(|driver, _| driver.trace(trace));
        self
    }

    /// The subprotocol that was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.facts.as_ref()?.agreed.subprotocol.as_deref()
    }

    /// The extensions that were agreed on, as in the response's `Sec-WebSocket-Extensions`; empty for none.
    #[must_use]
    pub fn extensions(&self) -> &str {
        self.facts.as_ref().map_or("", |facts| &facts.agreed.extensions)
    }

    /// What a client's socket knows of TLS; `None` where it is not encrypted, or not by this library. A server's handler finds the
    /// same in [`Request::tls`](crate::Request::tls).
    #[must_use]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.facts.as_ref()?.tls.as_ref()
    }

    /// Splits the socket into halves that may be used from two tasks at once. Senders can be cloned.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        self.sender.handle.share();
        (self.sender, self.receiver)
    }

    /// Waits for the next message; see [`Receiver::recv`]. Cancel-safe.
    ///
    /// # Errors
    /// The connection ended, and not cleanly.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, RecvError>> + Send {
        self.receiver.recv()
    }

    /// [`recv`](WebSocket::recv) for hand-written futures.
    ///
    /// # Errors
    /// As [`recv`](WebSocket::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, RecvError>> {
        self.receiver.poll_recv(cx)
    }

    /// Waits for the next message and takes those along that have arrived with it; see [`Receiver::recv_many`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`recv`](WebSocket::recv).
    pub fn recv_many(
        &mut self,
        messages: &mut Vec<Message>,
        limit: usize,
    ) -> impl Future<Output = Result<usize, RecvError>> + Send {
        self.receiver.recv_many(messages, limit)
    }

    /// Waits for a message of any length to begin; see [`Receiver::recv_stream`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`recv`](WebSocket::recv).
    pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_>>, RecvError> {
        self.receiver.recv_stream().await
    }

    /// Sends a message; see [`Sender::send`]. Cancel-safe: whole or not at all.
    ///
    /// # Errors
    /// The connection is closing or closed, or the transport failed.
    pub fn send<M: Into<Message>>(
        &mut self,
        message: M,
    ) -> impl Future<Output = Result<(), SendError>> + Send {
        self.sender.send(message)
    }

    /// [`send`](WebSocket::send), with options for this message. Cancel-safe: whole or not at all.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub async fn send_with(
        &mut self,
        message: impl Into<Message>,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.sender.send_with(message, options).await
    }

    /// Queues a message to be written with later ones; see [`Sender::feed`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.feed(message).await
    }

    /// [`feed`](WebSocket::feed), with options for this message. Cancel-safe: whole or not at all.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub async fn feed_with(
        &mut self,
        message: impl Into<Message>,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.sender.feed_with(message, options).await
    }

    /// Sends a message that was prepared for many connections; see [`Sender::send_prepared`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.sender.send_prepared(prepared).await
    }

    /// Queues a message that was prepared for many connections, if that is possible without waiting; see
    /// [`Sender::try_send_prepared`].
    ///
    /// # Errors
    /// As [`try_send`](WebSocket::try_send).
    pub fn try_send_prepared(&mut self, prepared: &Prepared) -> Result<(), TrySendError> {
        self.sender.try_send_prepared(prepared)
    }

    /// Queues several of them, and tells how many; see [`Sender::try_send_prepared_many`].
    ///
    /// # Errors
    /// Nothing can be sent any more.
    pub fn try_send_prepared_many(&mut self, prepared: &[Prepared]) -> Result<usize, SendError> {
        self.sender.try_send_prepared_many(prepared)
    }

    /// Waits until all that was queued has been written. Cancel-safe.
    ///
    /// # Errors
    /// The transport failed.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        self.sender.flush().await
    }

    /// Waits until [`try_send`](WebSocket::try_send) would queue a message. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub async fn ready(&mut self) -> Result<(), SendError> {
        self.sender.ready().await
    }

    /// Queues a message if that is possible without waiting; see [`Sender::try_send`].
    ///
    /// # Errors
    /// The message did not fit and is given back, or nothing can be sent any more.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sender.try_send(message)
    }

    /// [`try_send`](WebSocket::try_send), with options for this message.
    ///
    /// # Errors
    /// As [`try_send`](WebSocket::try_send).
    pub fn try_send_with(
        &mut self,
        message: impl Into<Message>,
        options: SendOptions,
    ) -> Result<(), TrySendError> {
        self.sender.try_send_with(message, options)
    }

    /// Begins a message that is written piece by piece; see [`Sender::send_stream`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub async fn send_stream(&mut self, kind: MessageKind) -> Result<MessageWriter<'_>, SendError> {
        self.sender.send_stream(kind).await
    }

    /// [`send_stream`](WebSocket::send_stream), with options for this message. Cancel-safe: dropped while it waits, it has begun no message.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub async fn send_stream_with(
        &mut self,
        kind: MessageKind,
        options: SendOptions,
    ) -> Result<MessageWriter<'_>, SendError> {
        self.sender.send_stream_with(kind, options).await
    }

    /// Sends a ping and waits for its pong; returns the round-trip time. See [`Sender::ping`]. Cancel-safe.
    ///
    /// # Errors
    /// The connection closed, or the pong did not come within the keepalive timeout.
    pub async fn ping(&mut self) -> Result<Duration, PingError> {
        self.sender.ping().await
    }

    /// Sends a pong that nobody asked for (RFC 6455 §5.5.3), at most 125 bytes.
    ///
    /// # Errors
    /// The connection is closing or closed, or the payload is too long.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), ControlError> {
        self.sender.pong(payload)
    }

    /// Closes the connection and waits for its end, at most `close_timeout`; see [`Sender::close`]. Idempotent, cancel-safe.
    ///
    /// # Errors
    /// The code may not be sent or the reason is longer than 123 bytes; nothing was done then.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), CloseReasonError> {
        self.sender.close(code, reason).await
    }

    /// Ends the connection at once; the peer sees 1006.
    pub fn abort(&mut self) {
        self.sender.abort();
    }

    /// Bytes queued and not yet written, frame headers counted.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.sender.buffered_amount()
    }

    /// How the connection ended, or is ending; `None` while it is open.
    #[must_use]
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.sender.close_info()
    }

    /// Whether messages can be sent: false once either end has begun to close.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sender.is_open()
    }

    /// The round-trip time of the last ping, the keepalive's included.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.sender.rtt()
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("sender", &self.sender)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}
