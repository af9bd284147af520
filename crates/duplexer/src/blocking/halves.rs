//! The two halves of a blocking socket, for two threads or more.

use std::fmt;
use std::time::{Duration, Instant};

use duplexer_proto::{CloseCode, CloseInfo, CloseReasonError, Message, Prepared, SendOptions};

use crate::blocking::runtime::Runtime;
use crate::socket::{self, PingError, RecvError, SendError, TrySendError};

/// The half that sends. Clones send on the same connection, one message at a time.
///
/// ```no_run
/// # fn example(socket: duplexer::blocking::WebSocket) -> Result<(), duplexer::SendError> {
/// let (sender, _receiver) = socket.split();
/// let second = sender.clone();
/// std::thread::spawn(move || second.send("from another thread"));
/// sender.send("from here")
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sender {
    pub(super) inner: socket::Sender,
    pub(super) runtime: Runtime,
}

/// The half that receives: also an iterator over messages, which ends with the connection or behind the first error.
///
/// ```no_run
/// # fn example(socket: duplexer::blocking::WebSocket) -> Result<(), duplexer::RecvError> {
/// let (_sender, receiver) = socket.split();
/// for message in receiver {
///     println!("{:?}", message?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Receiver {
    pub(super) inner: socket::Receiver,
    pub(super) runtime: Runtime,
    /// The iterator has ended.
    pub(super) ended: bool,
}

impl Receiver {
    /// Waits for the next message; `None` is a clean end. A silent peer is noticed by the keepalive.
    ///
    /// # Errors
    /// As [`Receiver::recv`](crate::Receiver::recv).
    pub fn recv(&mut self) -> Result<Option<Message>, RecvError> {
        self.runtime.wait(self.inner.recv())
    }

    /// Waits for the next message for at most `timeout`; zero looks whether one is there. Nothing is lost when none
    /// has come in time, and the connection stays as it is.
    ///
    /// # Errors
    /// None came in time, or as [`recv`](Receiver::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Message>, RecvTimeoutError> {
        let received = self.runtime.wait_until(self.inner.recv(), deadline(timeout));
        match received {
            Some(received) => received.map_err(RecvTimeoutError::Ended),
            None => Err(RecvTimeoutError::TimedOut { after: timeout }),
        }
    }

    /// Waits for the next message, and takes those along that have arrived with it, each whole in one frame, up to the next control
    /// frame: they are put behind what `messages` holds, at most `limit` of them, and no more once they are 256 KiB. Returns how
    /// many came; 0 is a clean end, or a `limit` of 0. An end that has arrived behind them is told by the next call.
    ///
    /// # Errors
    /// As [`Receiver::recv_many`](crate::Receiver::recv_many).
    pub fn recv_many(
        &mut self,
        messages: &mut Vec<Message>,
        limit: usize,
    ) -> Result<usize, RecvError> {
        self.runtime.wait(self.inner.recv_many(messages, limit))
    }
}

impl Iterator for Receiver {
    type Item = Result<Message, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let received = self.recv();
        self.ended = !matches!(received, Ok(Some(_)));
        received.transpose()
    }
}

impl Sender {
    /// Sends a message: waits while the queue is over its high mark, and until the message is written.
    ///
    /// # Errors
    /// As [`Sender::send`](crate::Sender::send).
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_with(message, SendOptions::default())
    }

    /// [`send`](Sender::send), with options for this message.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub fn send_with(
        &self,
        message: impl Into<Message>,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.runtime.wait(self.inner.send_with(message, options))
    }

    /// Sends a message that was prepared for many connections; as [`send`](Sender::send) in all else.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub fn send_prepared(&self, prepared: &Prepared) -> Result<(), SendError> {
        self.runtime.wait(self.inner.send_prepared(prepared))
    }

    /// Queues a message as soon as there is room, waiting for that for at most `timeout`, and writes what can be written.
    ///
    /// # Errors
    /// There was no room in time, and the message is given back; or nothing can be sent any more.
    pub fn send_timeout(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<(), TrySendError> {
        let by = deadline(timeout);
        let mut message = message.into();
        loop {
            match self.runtime.wait_until(self.inner.ready(), by) {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(TrySendError::Closed(error)),
                None => return Err(TrySendError::Full(message)),
            }
            // Another thread may have been faster.
            match self.try_send(message) {
                Err(TrySendError::Full(back)) if Instant::now() < by => message = back,
                sent => return sent,
            }
        }
    }

    /// Queues a message if that is possible without waiting, and writes what can be written.
    ///
    /// # Errors
    /// As [`Sender::try_send`](crate::Sender::try_send).
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.runtime.inside(|| self.inner.try_send(message))
    }

    /// Waits until everything queued has been written.
    ///
    /// # Errors
    /// The transport failed.
    pub fn flush(&self) -> Result<(), SendError> {
        self.runtime.wait(self.inner.flush())
    }

    /// Sends a ping and waits for its pong, at most the keepalive's timeout; returns the round-trip time.
    ///
    /// # Errors
    /// As [`Sender::ping`](crate::Sender::ping).
    pub fn ping(&self) -> Result<Duration, PingError> {
        self.runtime.wait(self.inner.ping())
    }

    /// Closes the connection and waits for its end, at most `close_timeout`. Messages not yet received are discarded. Idempotent. A
    /// receiver that waits in another thread returns.
    ///
    /// # Errors
    /// The code may not be sent or the reason is longer than 123 bytes; nothing was done then.
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), CloseReasonError> {
        self.runtime.wait(self.inner.close(code, reason))
    }

    /// Ends the connection at once; the peer sees 1006.
    pub fn abort(&self) {
        self.runtime.inside(|| self.inner.abort());
    }

    /// Bytes queued and not yet written, frame headers counted.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.inner.buffered_amount()
    }

    /// How the connection ended, or is ending; `None` while it is open.
    #[must_use]
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.inner.close_info()
    }

    /// Whether messages can be sent: false once either end has begun to close.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    /// The round-trip time of the last ping, the keepalive's included.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.inner.rtt()
    }
}

/// The time `timeout` from now, or as late as clocks go.
pub(super) fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(u64::from(u32::MAX)))
}

/// No message was received.
///
/// ```
/// use duplexer::blocking::RecvTimeoutError;
/// use std::time::Duration;
/// let late = RecvTimeoutError::TimedOut { after: Duration::from_secs(5) };
/// assert_eq!(late.to_string(), "no message came within 5s");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// None came in time. The connection is as it was.
    TimedOut {
        /// The time.
        after: Duration,
    },
    /// The connection ended, and not cleanly.
    Ended(RecvError),
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { after } => write!(f, "no message came within {after:?}"),
            Self::Ended(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RecvTimeoutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TimedOut { .. } => None,
            Self::Ended(error) => Some(error),
        }
    }
}
