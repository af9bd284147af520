//! A blocking socket in one piece, and as an iterator over what it receives.

use std::time::Duration;

use duplexer_proto::{CloseCode, CloseInfo, CloseReasonError, Message, Prepared, SendOptions};

use crate::blocking::halves::{Receiver, RecvTimeoutError, Sender};
use crate::blocking::runtime::Runtime;
use crate::socket::{self, PingError, RecvError, SendError, TrySendError};

/// An open WebSocket whose calls wait. Also an iterator over messages, which ends with the connection or behind the first error.
///
/// Dropped without [`close`](WebSocket::close), it says 1001 as far as that can be done at once, and never waits.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use duplexer::{CloseCode, blocking};
/// let mut socket = blocking::connect("ws://127.0.0.1:9001/")?;
/// socket.send("hello")?;
/// println!("{:?}", socket.recv()?);
/// socket.close(CloseCode::NORMAL, "done")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WebSocket {
    sender: Sender,
    receiver: Receiver,
    subprotocol: Option<Box<str>>,
    extensions: Box<str>,
}

impl WebSocket {
    pub(super) fn new(socket: socket::WebSocket, runtime: Runtime) -> Self {
        let subprotocol = socket.subprotocol().map(Into::into);
        let extensions = socket.extensions().into();
        let (sender, receiver) = socket.split();
        runtime.attend(sender.handle.weak());
        Self {
            sender: Sender { inner: sender, runtime: runtime.clone() },
            receiver: Receiver { inner: receiver, runtime, ended: false },
            subprotocol,
            extensions,
        }
    }

    /// The subprotocol that was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The extensions that were agreed on; empty for none.
    #[must_use]
    pub fn extensions(&self) -> &str {
        &self.extensions
    }

    /// Splits the socket into halves that threads may use at once. Senders can be cloned.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Waits for the next message; `None` is a clean end. See [`Receiver::recv`].
    ///
    /// # Errors
    /// The connection ended, and not cleanly.
    pub fn recv(&mut self) -> Result<Option<Message>, RecvError> {
        self.receiver.recv()
    }

    /// Waits for the next message for at most `timeout`; see [`Receiver::recv_timeout`].
    ///
    /// # Errors
    /// None came in time, or the connection ended, and not cleanly.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Message>, RecvTimeoutError> {
        self.receiver.recv_timeout(timeout)
    }

    /// Waits for the next message, and takes those along that have arrived with it; see [`Receiver::recv_many`].
    ///
    /// # Errors
    /// The connection ended, and not cleanly.
    pub fn recv_many(
        &mut self,
        messages: &mut Vec<Message>,
        limit: usize,
    ) -> Result<usize, RecvError> {
        self.receiver.recv_many(messages, limit)
    }

    /// Sends a message and waits until it is written; see [`Sender::send`].
    ///
    /// # Errors
    /// The connection is closing or closed, or the transport failed.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.send(message)
    }

    /// [`send`](WebSocket::send), with options for this message.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.sender.send_with(message, options)
    }

    /// Sends a message that was prepared for many connections.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.sender.send_prepared(prepared)
    }

    /// Queues a message, waiting for room for at most `timeout`; see [`Sender::send_timeout`].
    ///
    /// # Errors
    /// There was no room in time, and the message is given back; or nothing can be sent any more.
    pub fn send_timeout(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<(), TrySendError> {
        self.sender.send_timeout(message, timeout)
    }

    /// Queues a message if that is possible without waiting; see [`Sender::try_send`].
    ///
    /// # Errors
    /// The message did not fit and is given back, or nothing can be sent any more.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sender.try_send(message)
    }

    /// Waits until everything queued has been written.
    ///
    /// # Errors
    /// The transport failed.
    pub fn flush(&mut self) -> Result<(), SendError> {
        self.sender.flush()
    }

    /// Sends a ping and waits for its pong; returns the round-trip time.
    ///
    /// # Errors
    /// The connection closed, or the pong did not come within the keepalive's timeout.
    pub fn ping(&mut self) -> Result<Duration, PingError> {
        self.sender.ping()
    }

    /// Closes the connection and waits for its end, at most `close_timeout`. Messages not yet received are discarded. Idempotent.
    ///
    /// # Errors
    /// The code may not be sent or the reason is longer than 123 bytes; nothing was done then.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), CloseReasonError> {
        self.sender.close(code, reason)
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

impl Iterator for WebSocket {
    type Item = Result<Message, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.next()
    }
}
