//! What a cycle of connections is told: how to open one, who decides, and the bounds. Decides and opens nothing itself.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::reconnect::backoff::Backoff;
use crate::reconnect::judge::Decision;
use crate::reconnect::loss::{BoxError, Loss, LossCause};
use crate::socket::WebSocket;

/// What an opener is told.
///
/// ```
/// use duplexer::{Attempt, Client, ConnectError, WebSocket};
/// async fn open(attempt: Attempt) -> Result<WebSocket, ConnectError> {
///     let mirror = if attempt.number % 2 == 1 { "one" } else { "two" };
///     duplexer::connect(format!("wss://{mirror}.example.com/feed")).await
/// }
/// let feed = duplexer::Reconnect::builder_with(open).build();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Its number since a connection was open for long enough; the first is 1.
    pub number: u32,
    /// Why there is no connection; `None` before the first attempt.
    pub loss: Option<Arc<Loss>>,
}

/// What a `Reconnect` keeps of its settings.
pub(super) struct Settings {
    pub(super) open: Mutex<Opener>,
    pub(super) decide: Mutex<Decider>,
    pub(super) backoff: Backoff,
    pub(super) attempts_max: u32,
    pub(super) reset_after: Duration,
    pub(super) retry_after_max: Duration,
    pub(super) attempt_timeout: Duration,
}

pub(super) type Opener =
    Box<dyn FnMut(Attempt) -> Pin<Box<dyn Future<Output = Opened> + Send>> + Send>;
type Opened = Result<WebSocket, BoxError>;
pub(super) type Decider = Box<dyn FnMut(&Loss) -> Decision + Send>;

/// An attempt that runs.
pub(super) type Opening = Pin<Box<dyn Future<Output = Result<WebSocket, LossCause>> + Send>>;

impl Settings {
    /// Begins an attempt.
    pub(super) fn attempt(&self, attempt: Attempt) -> Opening {
        let (opening, after) = ((self.open.lock())(attempt), self.attempt_timeout);
        Box::pin(async move {
            match tokio::time::timeout(after, opening).await {
                Ok(opened) => opened.map_err(LossCause::of_opener),
                Err(_) => Err(LossCause::TimedOut { after }),
            }
        })
    }

    pub(super) fn decide(&self, loss: &Loss) -> Decision {
        (self.decide.lock())(loss)
    }
}
