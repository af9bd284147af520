//! The settings of a connection that is opened again, as users give them. Opens nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::client::Client;
use crate::reconnect::backoff::Backoff;
use crate::reconnect::handles::Reconnect;
use crate::reconnect::judge::Decision;
use crate::reconnect::loss::Loss;
use crate::reconnect::settings::{Attempt, Opener, Settings};
use crate::socket::WebSocket;

/// Settings of a [`Reconnect`].
///
/// ```
/// use std::time::Duration;
/// let feed = duplexer::Reconnect::builder(duplexer::Client::default(), "wss://example.com/feed")
///     .backoff(Duration::from_millis(200), Duration::from_secs(10))
///     .attempts_max(20)
///     .build();
/// ```
pub struct ReconnectBuilder {
    settings: Settings,
}

impl Reconnect {
    /// Settings to change, for connections that `client` opens to `uri`.
    #[must_use]
    pub fn builder(client: Client, uri: impl Into<String>) -> ReconnectBuilder {
        let uri: Arc<str> = uri.into().into();
        Self::builder_with(move |_| {
            let (client, uri) = (client.clone(), uri.clone());
            async move { client.connect(uri).await }
        })
    }

    /// Settings to change, for connections opened in a way of one's own: with a fresh token or another URI each time, over a
    /// transport of one's own, and with what has to be said first on each connection, such as subscriptions.
    ///
    /// A [`ConnectError`](crate::ConnectError) or [`RecvError`](crate::RecvError) that the opener returns is judged
    /// as any; any other error is worth another attempt, unless [`decide`](ReconnectBuilder::decide) says something else.
    ///
    /// ```
    /// # async fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// use duplexer::http::header::AUTHORIZATION;
    /// let client = duplexer::Client::default();
    /// let feed = duplexer::Reconnect::builder_with(move |_attempt| {
    ///     let client = client.clone();
    ///     async move {
    ///         let token = format!("Bearer {}", fresh_token().await?).parse()?;
    ///         let client = client.with_header(AUTHORIZATION, token);
    ///         let mut socket = client.connect("wss://example.com/feed").await?;
    ///         socket.send("subscribe news").await?;
    ///         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(socket)
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn builder_with<O, F, E>(mut open: O) -> ReconnectBuilder
    where
        O: FnMut(Attempt) -> F + Send + 'static,
        F: Future<Output = Result<WebSocket, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let open: Opener = Box::new(move |attempt| {
            let opening = open(attempt);
            Box::pin(async move { opening.await.map_err(Into::into) })
        });
        ReconnectBuilder {
            settings: Settings {
                open: Mutex::new(open),
                decide: Mutex::new(Box::new(Loss::decision)),
                backoff: Backoff::default(),
                attempts_max: u32::MAX,
                reset_after: Duration::from_secs(10),
                retry_after_max: Duration::from_secs(300),
                attempt_timeout: Duration::from_secs(60),
            },
        }
    }
}

impl ReconnectBuilder {
    /// Sets the bounds of the waits between attempts. The wait after the first failure, and after a connection was lost, is at
    /// most `first`; the bound doubles with each further failure, up to `max`. Each wait is drawn at random between nothing
    /// and its bound, so that clients that lost a server together do not come back together. Default: 500 ms and 30 s.
    #[must_use]
    pub fn backoff(mut self, first: Duration, max: Duration) -> Self {
        self.settings.backoff = Backoff { first, max };
        self
    }

    /// Gives up after so many failed attempts in a row, at least 1. A connection that is lost sooner than
    /// [`reset_after`](Self::reset_after) counts as a failed attempt. Default: goes on for ever.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.settings.attempts_max = attempts.max(1);
        self
    }

    /// Sets how long a connection has to be open before the count of failed attempts begins anew. Default 10 s.
    #[must_use]
    pub fn reset_after(mut self, lived: Duration) -> Self {
        self.settings.reset_after = lived;
        self
    }

    /// Sets the longest time that a server's `Retry-After`, or [`Decision::RetryAfter`], is followed for. Default 5 min.
    #[must_use]
    pub fn retry_after_max(mut self, bound: Duration) -> Self {
        self.settings.retry_after_max = bound;
        self
    }

    /// Sets how long one attempt may take, with all that the opener does. Default 60 s; the client's
    /// [`open_timeout`](crate::Limits::open_timeout), 10 s, holds within it.
    #[must_use]
    pub fn attempt_timeout(mut self, bound: Duration) -> Self {
        self.settings.attempt_timeout = bound;
        self
    }

    /// Decides after each loss whether there is another attempt. Default: [`Loss::decision`], whose table is the place to begin.
    #[must_use]
    pub fn decide(mut self, decide: impl FnMut(&Loss) -> Decision + Send + 'static) -> Self {
        self.settings.decide = Mutex::new(Box::new(decide));
        self
    }

    /// The connection, which is first opened when something is asked of it.
    #[must_use]
    pub fn build(self) -> Reconnect {
        Reconnect::with_settings(self.settings)
    }
}

impl fmt::Debug for ReconnectBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectBuilder")
            .field("backoff", &self.settings.backoff)
            .field("attempts_max", &self.settings.attempts_max)
            .field("reset_after", &self.settings.reset_after)
            .field("retry_after_max", &self.settings.retry_after_max)
            .field("attempt_timeout", &self.settings.attempt_timeout)
            .finish_non_exhaustive()
    }
}
