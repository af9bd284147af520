//! What users hold of a connection that is opened again: one that receives, and any number that send, look and stop.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use duplexer_proto::{CloseCode, CloseReason, CloseReasonError, Message, SendOptions};
use tokio::sync::watch;

use crate::client::Client;
use crate::reconnect::cycle::{Cycle, NoSender};
use crate::reconnect::outcome::{ReconnectError, ReconnectSendError};
use crate::reconnect::settings::Settings;
use crate::reconnect::state::ReconnectState;
use crate::socket::Sender;

/// A connection that is opened again when it is lost.
///
/// [`recv`](Self::recv) and [`send`](Self::send) span connections. Between them is a wait that grows with each failure, drawn at
/// random within its bound; whether a loss is worth another attempt is decided by [`Loss::decision`](crate::Loss::decision)
/// or a [`decide`](crate::ReconnectBuilder::decide) of one's own. What has to be said first on each connection, and tokens that
/// expire, belong into the opener of [`builder_with`](Self::builder_with).
///
/// **What is lost with a connection is not sent again**, since only the application knows whether twice is better than not at all.
/// A `send` that has not begun waits for the next connection; one cut off on its way says
/// [`Lost`](ReconnectSendError::Lost); bytes that were queued, by sends that were dropped for example, are counted in
/// [`Loss::unsent_bytes`](crate::Loss). What a `send` has written may be lost on its way nevertheless, and so may messages of the
/// peer's: applications that mind number their messages.
///
/// No task runs beside it: it connects, waits and answers pings while any future of it, or of its [senders](Self::sender), is
/// polled. Dropping it ends all of it, as far as saying 1001 can be done at once.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use duplexer::{Client, Reconnect};
/// let mut feed = Reconnect::new(Client::default(), "wss://example.com/feed");
/// while let Some(message) = feed.recv().await? {
///     println!("{message:?}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Reconnect {
    cycle: Arc<Cycle>,
}

/// Sends on whichever connection of a [`Reconnect`] is open; shows its state and stops it. Clones are the same.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use duplexer::{Client, Reconnect};
/// let mut feed = Reconnect::new(Client::default(), "wss://example.com/feed");
/// let sender = feed.sender();
/// tokio::spawn(async move { sender.send("hello").await });
/// while let Some(message) = feed.recv().await? {
///     println!("{message:?}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct ReconnectSender {
    cycle: Arc<Cycle>,
    state: watch::Receiver<ReconnectState>,
}

impl Reconnect {
    /// A connection that `client` opens to `uri`, first when something is asked of it, with the default settings.
    #[must_use]
    pub fn new(client: Client, uri: impl Into<String>) -> Self {
        Self::builder(client, uri).build()
    }

    pub(super) fn with_settings(settings: Settings) -> Self {
        Self { cycle: Cycle::new(settings) }
    }

    /// Waits for the next message, over as many connections as it takes. `None` is the end: [`close`](Self::close) or
    /// [`stop`](ReconnectSender::stop) was called, or the peer closed with 1000 or no code. Cancel-safe: no message that was
    /// received is lost, and an attempt goes on where it was.
    ///
    /// # Errors
    /// No other attempt is made. Asked again, it says the same.
    pub fn recv(
        &mut self,
    ) -> impl Future<Output = Result<Option<Message>, ReconnectError>> + Send + '_ {
        let cycle = &*self.cycle;
        let mut call = cycle.call();
        poll_fn(move |cx| cycle.poll_recv(&mut call, cx))
    }

    /// Waits for a connection, sends a message and waits until it is written; see [`ReconnectSender::send`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`ReconnectSender::send`].
    pub fn send<M: Into<Message>>(
        &self,
        message: M,
    ) -> impl Future<Output = Result<(), ReconnectSendError>> + Send + '_ {
        send(&self.cycle, message.into())
    }

    /// One that sends, looks and stops from elsewhere.
    #[must_use]
    pub fn sender(&self) -> ReconnectSender {
        ReconnectSender { cycle: self.cycle.clone(), state: self.cycle.state().subscribe() }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> ReconnectState {
        self.cycle.state().borrow().clone()
    }

    /// Closes the open connection, as [`WebSocket::close`](crate::WebSocket::close) does, or ends the attempt or the wait at once;
    /// opens no other. Messages not yet received are discarded. Idempotent, cancel-safe; ends within `close_timeout`.
    ///
    /// # Errors
    /// The code may not be sent or the reason is longer than 123 bytes; nothing was done then.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), CloseReasonError> {
        self.cycle.stop(&CloseReason::new(code, reason)?);
        let mut call = self.cycle.call();
        poll_fn(|cx| self.cycle.poll_settled(&mut call, cx)).await;
        Ok(())
    }
}

impl Drop for Reconnect {
    fn drop(&mut self) {
        self.cycle.abandon();
    }
}

impl ReconnectSender {
    /// Waits until a connection is open and has room, sends a message on it, and waits until it is written. A connection that is
    /// lost before the message was queued does no harm: the next one is waited for. Has no deadline of its own.
    ///
    /// Cancel-safe: a dropped call has queued the message on one connection, whole, or not at all.
    ///
    /// # Errors
    /// No other connection is opened; the connection was lost on the way, and the message perhaps with it; or messages have to be
    /// received first.
    pub fn send<M: Into<Message>>(
        &self,
        message: M,
    ) -> impl Future<Output = Result<(), ReconnectSendError>> + Send + '_ {
        send(&self.cycle, message.into())
    }

    /// The plain sender of the connection that is open now; `None` where none is. For all that ends with one connection: pings,
    /// messages in pieces, `try_send`. [`abort`](Sender::abort) makes the cycle open another one; `close` ends it.
    #[must_use]
    pub fn current(&self) -> Option<Sender> {
        self.cycle.current()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> ReconnectState {
        self.cycle.state().borrow().clone()
    }

    /// Waits for a change of state since this was last called, and returns the state then; between two calls states may have come
    /// and gone. The first call waits for a change since the sender was made or cloned. `None` after the end. Cancel-safe. Drives
    /// nothing.
    pub async fn changed(&mut self) -> Option<ReconnectState> {
        let ended = matches!(*self.state.borrow(), ReconnectState::Ended);
        if ended && !self.state.has_changed().unwrap_or_default() {
            return None;
        }
        // The other side is in the cycle, which is held here.
        self.state.changed().await.ok()?;
        Some(self.state.borrow_and_update().clone())
    }

    /// Ends it: closes the open connection with 1000, which goes on while anything is polled, or ends the attempt or the wait at once.
    /// [`recv`](Reconnect::recv) then returns `None`. Idempotent.
    pub fn stop(&self) {
        if let Ok(reason) = CloseReason::new(CloseCode::NORMAL, "") {
            self.cycle.stop(&reason);
        }
    }
}

impl Clone for ReconnectSender {
    fn clone(&self) -> Self {
        Self { cycle: self.cycle.clone(), state: self.cycle.state().subscribe() }
    }
}

async fn send(cycle: &Cycle, mut message: Message) -> Result<(), ReconnectSendError> {
    let (mut after, mut call) = (0, cycle.call());
    loop {
        let open = poll_fn(|cx| cycle.poll_sender(after, &mut call, cx)).await;
        let (sender, connection) = match open {
            Ok(open) => open,
            Err(NoSender::Ended) => return Err(ReconnectSendError::Ended(message)),
            Err(NoSender::Unread) => return Err(ReconnectSendError::Unread(message)),
        };
        let (mut unqueued, options) = (Some(message), SendOptions::default());
        let sent = poll_fn(|cx| sender.poll_send(&mut unqueued, options, true, cx)).await;
        match (sent, unqueued) {
            (Ok(()), _) => return Ok(()),
            (Err(error), None) => return Err(ReconnectSendError::Lost(error)),
            (Err(_), Some(left)) => (message, after) = (left, connection),
        }
    }
}

impl fmt::Debug for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReconnectSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectSender").field("state", &self.state()).finish_non_exhaustive()
    }
}
