//! The senders of all connections of a server, for handlers that speak to others.

use std::sync::{Arc, Mutex};

use duplexer::Sender;

use super::until;

pub(crate) type Everybody = Arc<Mutex<Vec<Sender>>>;

/// Waits until so many are there.
pub(crate) async fn gathered(everybody: &Everybody, count: usize) {
    until(async {
        while everybody.lock().expect("no panic").len() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
