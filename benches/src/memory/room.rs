//! Our server as the example `broadcast` has it: each message of the connections to `/publish` goes to all others.

use std::sync::{Arc, Mutex, PoisonError};

use duplexer::{Prepared, RecvError, Request, Sender, WebSocket};

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
        while let Some(message) = receiver.recv().await? {
            if publishes {
                self.send(&Prepared::new(message));
            }
        }
        Ok(())
    }

    /// Sends to everyone without waiting. Who has gone leaves the room, and so does who is 1 MiB behind.
    fn send(&self, prepared: &Prepared) {
        let mut everyone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        everyone.retain(|one| {
            let sent = one.try_send_prepared(prepared).is_ok();
            if !sent {
                one.abort();
            }
            sent
        });
    }
}
