//! Our server as the example `broadcast` has it: each message of the connections to `/publish` goes to all others.

use std::sync::{Arc, Mutex, PoisonError};

use duplexer::{Prepared, RecvError, Request, Sender, WebSocket};

/// Messages that are handed on together at most, where several have arrived.
const TOGETHER_MAX: usize = 64;

/// Everyone who is there; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Room(Arc<Mutex<Vec<Sender>>>);

impl Room {
    /// Hears one connection to its end: a publisher for everyone, a subscriber for its end alone.
    ///
    /// # Errors
    /// Returns how the connection failed.
    pub async fn host(self, socket: WebSocket, request: Request) -> Result<(), RecvError> {
        let publishes = request.path() == "/publish";
        let (sender, mut receiver) = socket.split();
        if !publishes {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
        let mut messages = Vec::new();
        while receiver.recv_many(&mut messages, TOGETHER_MAX).await? > 0 {
            let messages = messages.drain(..);
            if publishes {
                self.send(&messages.map(Prepared::new).collect::<Vec<_>>());
            }
        }
        Ok(())
    }

    /// Sends to everyone without waiting. Who has gone leaves the room, and so does who is 1 MiB behind.
    fn send(&self, news: &[Prepared]) {
        let mut everyone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        everyone.retain(|one| match one.try_send_prepared_many(news) {
            Ok(sent) if sent == news.len() => true,
            Ok(_) => {
                one.abort();
                false
            }
            Err(_) => false,
        });
    }
}
