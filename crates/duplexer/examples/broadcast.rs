//! What one says, all hear: `cargo run -p duplexer --example broadcast`. A message is framed and compressed once, however many hear it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use duplexer::{Prepared, RecvError, Sender, Server, WebSocket};
use tokio::net::TcpListener;

/// Messages that are handed on together at most, where several have arrived.
const TOGETHER_MAX: usize = 64;

/// Everyone who is there.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Mutex<Vec<Sender>>>);

impl Room {
    /// Sends to everyone without waiting. Who has gone leaves the room, and so does who is 1 MiB behind, or is
    /// being sent something else in pieces.
    pub fn send(&self, news: &[Prepared]) {
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

    /// Hears one member, to its end.
    pub async fn host(self, socket: WebSocket) -> Result<(), RecvError> {
        let (sender, mut receiver) = socket.split();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        let mut messages = Vec::new();
        while receiver.recv_many(&mut messages, TOGETHER_MAX).await? > 0 {
            let news: Vec<_> = messages.drain(..).map(Prepared::new).collect();
            self.send(&news);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    println!("ws://{}/", listener.local_addr()?);
    let room = Room::default();
    Server::default().serve(listener, move |socket, _| room.clone().host(socket)).await?;
    Ok(())
}
