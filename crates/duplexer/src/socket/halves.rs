//! The two halves of a socket. Both may be used at once, from different tasks; senders are cloned. Each polls the whole
//! connection, so control frames are answered whichever is in use.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use duplexer_proto::{
    CloseCode, CloseInfo, CloseReason, CloseReasonError, ControlError, Message, MessageKind,
    Prepared, SendOptions, State,
};

use crate::clock;
use crate::driver::Driver;
use crate::handle::{Handle, Shared};
use crate::later::{self, Leaves};
use crate::local::Local;
use crate::socket::outcome::{PingError, RecvError, SendError, TrySendError};
use crate::socket::reader::MessageReader;
use crate::socket::writer::MessageWriter;

/// The half that sends. Clones send on the same connection, one message at a time.
///
/// ```
/// # async fn example(socket: duplexer::WebSocket) -> Result<(), duplexer::SendError> {
/// let (sender, _receiver) = socket.split();
/// let second = sender.clone();
/// tokio::spawn(async move { second.send("from another task").await });
/// sender.send("from here").await?;
/// # Ok(())
/// # }
/// ```
pub struct Sender {
    pub(crate) handle: Handle,
    /// A message that the sink has taken and that could not be queued yet.
    pub(super) parked: Option<Box<Message>>,
}

/// The half that receives.
///
/// Dropping it discards what comes from then on; control frames are still answered while a sender is polled.
///
/// ```
/// # async fn example(socket: duplexer::WebSocket) -> Result<(), duplexer::RecvError> {
/// let (_sender, mut receiver) = socket.split();
/// while let Some(message) = receiver.recv().await? {
///     println!("{message:?}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Receiver {
    pub(super) handle: Handle,
}

/// What came of sending.
type Sent = Result<(), SendError>;

/// The halves of a connection, without leave to be used at once yet.
pub(super) fn halves(shared: Arc<Shared>) -> (Sender, Receiver) {
    let handle = Handle::new(shared);
    (Sender { handle: handle.clone(), parked: None }, Receiver { handle })
}

impl Receiver {
    /// Waits for the next message; `None` is a clean end, after the closing handshake (see [`RecvError`] for what
    /// counts as clean). Pings are answered meanwhile. Cancel-safe: no message is lost.
    ///
    /// # Errors
    /// The connection ended in another way. Asked again, it says the same.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, RecvError>> + Send {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// [`recv`](Receiver::recv) for hand-written futures.
    ///
    /// # Errors
    /// As [`recv`](Receiver::recv).
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, RecvError>> {
        self.handle.poll(cx, |driver, cx, local| {
            Poll::Ready(match ready!(driver.poll_recv(cx, local)) {
                Some(message) => Ok(Some(message)),
                None => RecvError::outcome(driver).map(|()| None),
            })
        })
    }

    /// Waits for the next message, and takes those along that have arrived with it, each whole in one frame, up to the next control
    /// frame: they are put behind what `messages` holds, at most `limit` of them, and no more once they are 256 KiB. Returns
    /// how many came; 0 is a clean end, as `None` is of [`recv`](Receiver::recv), or a `limit` of 0. An end that
    /// has arrived behind them is told by the next call, so that they can still be answered. Cancel-safe: no message is lost.
    ///
    /// For work that is cheaper for several at once, as [`try_send_prepared_many`](Sender::try_send_prepared_many) is.
    ///
    /// ```
    /// # async fn example(mut receiver: duplexer::Receiver) -> Result<(), duplexer::RecvError> {
    /// let mut messages = Vec::new();
    /// while receiver.recv_many(&mut messages, 64).await? > 0 {
    ///     println!("{} at once", messages.drain(..).len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Receiver::recv), once all that came before was taken.
    pub fn recv_many(
        &mut self,
        messages: &mut Vec<Message>,
        limit: usize,
    ) -> impl Future<Output = Result<usize, RecvError>> + Send {
        poll_fn(move |cx| self.poll_recv_many(messages, limit, cx))
    }

    fn poll_recv_many(
        &mut self,
        messages: &mut Vec<Message>,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, RecvError>> {
        if limit == 0 {
            return Poll::Ready(Ok(0));
        }
        self.handle.poll(cx, |driver, cx, local| {
            let Some(first) = ready!(driver.poll_recv(cx, local)) else {
                return Poll::Ready(RecvError::outcome(driver).map(|()| 0));
            };
            let before = messages.len();
            let mut bytes = first.len() + MESSAGE_BYTES;
            messages.push(first);
            while messages.len() - before < limit
                && bytes < TOGETHER_BYTES_MAX
                && let Some(message) = driver.take_arrived(local)
            {
                bytes += message.len() + MESSAGE_BYTES;
                messages.push(message);
            }
            Poll::Ready(Ok(messages.len() - before))
        })
    }

    /// Waits for the next message to begin, and returns a reader of its pieces, for messages of any length. Bound by
    /// [`stream_bytes_max`](duplexer_proto::Limits::stream_bytes_max), not by `message_bytes_max`. Cancel-safe.
    ///
    /// # Errors
    /// As [`recv`](Receiver::recv).
    pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_>>, RecvError> {
        let first = poll_fn(|cx| MessageReader::poll_piece(&self.handle, cx)).await?;
        Ok(first.map(|piece| MessageReader::new(&self.handle, piece)))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.handle.now(|driver, local| driver.discard_messages(local));
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("state", &self.handle.look(|driver| driver.conn.state()))
            .finish()
    }
}

impl Sender {
    /// Sends a message: waits while the queue is over its high mark, queues the message whole, and waits until it
    /// is written. In a handler that our [`Server`](crate::Server) runs it does not wait for that: all that one poll of the
    /// handler has sent leaves together when the poll ends.
    ///
    /// Cancel-safe: a dropped call has queued the message whole or not at all. To know which, use [`ready`](Sender::ready) and then
    /// [`try_send`](Sender::try_send).
    ///
    /// # Errors
    /// The connection is closing or closed, or the transport failed.
    pub fn send<M: Into<Message>>(&self, message: M) -> impl Future<Output = Sent> + Send {
        // Not through `send_with`: the future of a handler that sends would carry the options.
        let mut message = Some(message.into());
        poll_fn(move |cx| self.poll_send(&mut message, SendOptions::default(), true, cx))
    }

    /// [`send`](Sender::send), with options for this message. Cancel-safe, as `send`: whole or not at all.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub fn send_with<M: Into<Message>>(
        &self,
        message: M,
        options: SendOptions,
    ) -> impl Future<Output = Sent> + Send {
        let mut message = Some(message.into());
        poll_fn(move |cx| self.poll_send(&mut message, options, true, cx))
    }

    /// Queues a message without waiting for it to be written: for several that should leave together with the next
    /// [`flush`](Sender::flush) or [`send`](Sender::send). Waits while the queue is over its high mark. Cancel-safe, as `send`.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub fn feed<M: Into<Message>>(&self, message: M) -> impl Future<Output = Sent> + Send {
        self.feed_with(message, SendOptions::default())
    }

    /// [`feed`](Sender::feed), with options for this message. Cancel-safe, as `send`.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub fn feed_with<M: Into<Message>>(
        &self,
        message: M,
        options: SendOptions,
    ) -> impl Future<Output = Sent> + Send {
        let mut message = Some(message.into());
        poll_fn(move |cx| self.poll_send(&mut message, options, false, cx))
    }

    /// Sends a message that was prepared for many connections. As [`send`](Sender::send) in all else, and cancel-safe like it: whole
    /// or not at all.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub async fn send_prepared(&self, prepared: &Prepared) -> Result<(), SendError> {
        let corked = self.handle.is_corked();
        let mut queued = false;
        poll_fn(|cx| {
            self.handle.poll(cx, |driver, cx, local| {
                if !queued {
                    let ready = ready!(driver.poll_ready(cx, local));
                    let options = SendOptions::default();
                    if !ready || driver.send_prepared(prepared, options, local).is_err() {
                        return Poll::Ready(Err(SendError::why(driver)));
                    }
                    queued = true;
                }
                if corked {
                    return Poll::Ready(Ok(()));
                }
                let flushed = ready!(driver.poll_flush(cx, local));
                driver.attend(cx, local);
                Poll::Ready(if flushed { Ok(()) } else { Err(SendError::why(driver)) })
            })
        })
        .await
    }

    /// Queues a prepared message if that is possible without waiting, as [`try_send`](Sender::try_send): for publishers who must not
    /// wait for a slow subscriber.
    ///
    /// # Errors
    /// As [`try_send`](Sender::try_send).
    pub fn try_send_prepared(&self, prepared: &Prepared) -> Result<(), TrySendError> {
        self.try_queue(
            (),
            |()| prepared.message().clone(),
            |(), driver, local| {
                let options = SendOptions::default();
                driver.send_prepared(prepared, options, local)
            },
        )
    }

    /// [`try_send_prepared`](Sender::try_send_prepared) for several messages, which cost a subscriber little more than one does: a publisher
    /// who has several gives all of them to one subscriber before it turns to the next. They leave together and at once, before the call
    /// returns: who holds a lock meanwhile holds it for so long. In a handler that our [`Server`](crate::Server) runs
    /// they leave at the end of the running poll where the connection is the handler's own, and where 1,024 others were
    /// written to before in that poll.
    ///
    /// Returns how many were queued, from the first on. Where that is fewer than all, `prepared[sent..]` was not: the queue is over its hard
    /// bound and the transport takes no more, or a message is being written in pieces.
    ///
    /// ```
    /// # fn example(subscribers: &mut Vec<duplexer::Sender>) {
    /// use duplexer::Prepared;
    /// let news = ["it rains", "it pours"].map(Prepared::new);
    /// subscribers.retain(|one| match one.try_send_prepared_many(&news) {
    ///     Ok(sent) if sent == news.len() => true,
    ///     Ok(_) => {
    ///         one.abort(); // a megabyte behind
    ///         false
    ///     }
    ///     Err(_) => false, // gone
    /// });
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing can be sent any more. Where the connection ended under the call, the first of them may have left.
    pub fn try_send_prepared_many(&self, prepared: &[Prepared]) -> Result<usize, SendError> {
        let corked = self.handle.is_corked();
        let shared = self.handle.shared();
        let mut sent = 0;
        loop {
            let leaves = self.handle.now(|driver, local| {
                if !driver.may_send() {
                    return Err(SendError::why(driver));
                }
                sent += driver.send_prepared_many(&prepared[sent..], local);
                Ok(if sent < prepared.len() {
                    // To make room.
                    Leaves::AtOnce
                } else if corked || prepared.is_empty() {
                    Leaves::Later
                } else {
                    later::leaves(shared, driver)
                })
            })?;
            later::leave(shared, leaves);
            if sent == prepared.len() || !self.handle.look(Driver::has_room) {
                return Ok(sent);
            }
        }
    }

    /// Waits until [`try_send`](Sender::try_send) would queue a message. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub async fn ready(&self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// Queues a message if that is possible without waiting, and writes what can be written. Refused where a message is being written in
    /// pieces or the queue is over its hard bound.
    ///
    /// Called by a handler that our [`Server`](crate::Server) runs, on whatever connection, it leaves the writing to the end of the
    /// handler's running poll: all that the poll has sent on one connection leaves together. On another connection than the handler's own it is
    /// written earlier once 16 KiB wait. Who blocks the thread meanwhile holds it back: see [`flush`](Sender::flush).
    ///
    /// # Errors
    /// The message did not fit and is given back, or nothing can be sent any more.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.try_send_with(message, SendOptions::default())
    }

    /// [`try_send`](Sender::try_send), with options for this message.
    ///
    /// # Errors
    /// As [`try_send`](Sender::try_send).
    pub fn try_send_with(
        &self,
        message: impl Into<Message>,
        options: SendOptions,
    ) -> Result<(), TrySendError> {
        // Moved, not cloned: a client masks a payload where it lies when nobody else holds it.
        self.try_queue(
            message.into(),
            |message| message,
            |message, driver, local| driver.send(message, options, local),
        )
    }

    /// Waits until everything queued has been written to the transport. Cancel-safe.
    ///
    /// # Errors
    /// The transport failed.
    pub async fn flush(&self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Begins a message of any length that is written piece by piece; waits until no other is being written and the queue has
    /// room. Other senders wait until it ends. Cancel-safe: dropped while it waits, it has begun no message.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub async fn send_stream(&self, kind: MessageKind) -> Result<MessageWriter<'_>, SendError> {
        self.send_stream_with(kind, SendOptions::default()).await
    }

    /// [`send_stream`](Sender::send_stream), with options for this message. Cancel-safe: dropped while it waits, it has begun no message.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub async fn send_stream_with(
        &self,
        kind: MessageKind,
        options: SendOptions,
    ) -> Result<MessageWriter<'_>, SendError> {
        poll_fn(|cx| {
            self.handle.poll(cx, |driver, cx, local| {
                if !ready!(driver.poll_ready(cx, local)) {
                    return Poll::Ready(Err(SendError::why(driver)));
                }
                if driver.conn.start_message(kind, options).is_err() {
                    return Poll::Ready(Err(SendError::why(driver)));
                }
                driver.writer_active(true);
                Poll::Ready(Ok(()))
            })
        })
        .await?;
        Ok(MessageWriter::new(&self.handle, kind))
    }

    /// Sends a ping and waits for its pong, at most the keepalive timeout; returns the round-trip time. Messages that
    /// arrive meanwhile are kept for the receiver, up to 1 MiB of them; behind more, the pong cannot be seen. Cancel-safe.
    ///
    /// # Errors
    /// The connection closed, or the pong did not come in time.
    pub async fn ping(&self) -> Result<Duration, PingError> {
        let started = clock::now();
        let (number, wait) = self.handle.now(|driver, local| {
            let number = driver.ping(started, local);
            (number, driver.conn.keepalive().timeout)
        });
        let number = number.map_err(|_| PingError::Closed)?;
        let answered = poll_fn(|cx| {
            self.handle.poll(cx, |driver, cx, local| driver.poll_answered(number, cx, local))
        });
        match tokio::time::timeout(wait, answered).await {
            Ok(true) => Ok(clock::now().since(started)),
            Ok(false) => Err(PingError::Closed),
            Err(_) => Err(PingError::TimedOut),
        }
    }

    /// Queues a pong that nobody asked for (RFC 6455 §5.5.3), at most 125 bytes, and writes what can be written.
    ///
    /// # Errors
    /// The connection is closing or closed, or the payload is too long.
    pub fn pong(&self, payload: &[u8]) -> Result<(), ControlError> {
        self.handle.now(|driver, local| driver.conn.pong(payload, &mut local.scratch))?;
        self.write_now();
        Ok(())
    }

    /// Closes the connection: sends a Close behind all that is queued, waits for the peer's and for the end of the transport, at most
    /// `close_timeout`. Messages not yet received are discarded. Idempotent: on a connection that is closing or closed it waits for
    /// the end and changes nothing. Cancel-safe; if dropped, any other use of the socket goes on with it.
    ///
    /// # Errors
    /// The code may not be sent or the reason is longer than 123 bytes; nothing was done then.
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<(), CloseReasonError> {
        let reason = CloseReason::new(code, reason)?;
        self.handle.now(|driver, local| driver.start_close(Some(&reason), local));
        poll_fn(|cx| self.handle.poll(cx, |driver, cx, local| driver.poll_finish(cx, local))).await;
        Ok(())
    }

    /// Ends the connection at once: no Close, nothing more written. The peer sees 1006.
    pub fn abort(&self) {
        self.handle.now(|driver, _| driver.abort());
    }

    /// Bytes queued and not yet written, frame headers counted.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.handle.look(|driver| driver.conn.queued_bytes())
    }

    /// Begins the closing handshake and writes what the transport takes at once. Needs no runtime; [`close`](Sender::close) waits for the end.
    pub(crate) fn begin_close(&self, reason: &CloseReason) {
        self.handle.now(|driver, local| driver.start_close(Some(reason), local));
        self.handle.write_now();
    }

    /// Bytes that were queued and will not be written, or have not been yet.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.handle.look(|driver| driver.unsent_bytes() + driver.conn.queued_bytes())
    }

    /// How the connection ended, or is ending; `None` while it is open.
    #[must_use]
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.handle.look(|driver| driver.conn.close_info().cloned())
    }

    /// Whether messages can be sent: false once either end has begun to close.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.handle.look(|driver| driver.conn.state() == State::Open)
    }

    /// The round-trip time of the last ping, the keepalive's included.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.handle.look(|driver| driver.conn.rtt())
    }

    /// Waits for room, queues the message, which it takes, and waits until it is written, with `flush`. A message that is still there
    /// after an error was not queued.
    #[inline]
    pub(crate) fn poll_send(
        &self,
        message: &mut Option<Message>,
        options: SendOptions,
        flush: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let corked = self.handle.is_corked();
        self.handle.poll(cx, |driver, cx, local| {
            if message.is_some() {
                if !ready!(driver.poll_ready(cx, local)) {
                    return Poll::Ready(Err(SendError::why(driver)));
                }
                if let Some(message) = message.take()
                    && driver.send(message, options, local).is_err()
                {
                    return Poll::Ready(Err(SendError::why(driver)));
                }
            }
            if corked || !flush {
                return Poll::Ready(Ok(()));
            }
            let flushed = ready!(driver.poll_flush(cx, local));
            driver.attend(cx, local);
            Poll::Ready(if flushed { Ok(()) } else { Err(SendError::why(driver)) })
        })
    }

    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let corked = self.handle.is_corked();
        self.handle.poll(cx, |driver, cx, local| {
            if !corked {
                driver.attend(cx, local);
            }
            let ready = ready!(driver.poll_ready(cx, local));
            Poll::Ready(if ready { Ok(()) } else { Err(SendError::why(driver)) })
        })
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let corked = self.handle.is_corked();
        self.handle.poll(cx, |driver, cx, local| {
            let flushed = ready!(driver.poll_flush(cx, local));
            if !corked {
                driver.attend(cx, local);
            }
            Poll::Ready(if flushed { Ok(()) } else { Err(SendError::why(driver)) })
        })
    }

    /// Queues `what` now or gives it back, and then writes what the transport takes.
    fn try_queue<W>(
        &self,
        what: W,
        give_back: impl FnOnce(W) -> Message,
        queue: impl FnOnce(W, &mut Driver, &mut Local) -> Result<(), duplexer_proto::SendError>,
    ) -> Result<(), TrySendError> {
        let corked = self.handle.is_corked();
        let put_off = self.handle.now(|driver, local| {
            if !driver.may_send() {
                return Err(TrySendError::Closed(SendError::why(driver)));
            }
            if !driver.has_room() {
                return Err(TrySendError::Full(give_back(what)));
            }
            queue(what, driver, local).map_err(|_| TrySendError::Closed(SendError::why(driver)))?;
            Ok(corked || later::put_off(self.handle.shared(), driver))
        })?;
        if !put_off {
            later::write_now(self.handle.shared());
        }
        Ok(())
    }

    /// Writes what the transport takes at once, unless it is written after the running poll anyway.
    fn write_now(&self) {
        if !self.handle.is_corked() {
            self.handle.write_now();
        }
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), parked: None }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("state", &self.handle.look(|driver| driver.conn.state()))
            .finish()
    }
}

/// From so many bytes on no more messages are taken at once: few bytes that have arrived may be large messages, compressed.
const TOGETHER_BYTES_MAX: usize = 256 << 10;
/// What one takes there beside its bytes.
const MESSAGE_BYTES: usize = size_of::<Message>();
