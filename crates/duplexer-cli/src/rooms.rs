//! Chat rooms: what one member sends, all others receive. A room exists while somebody is in it; who cannot keep up
//! is asked to leave.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use duplexer::{CloseCode, Prepared, Receiver, RecvError, Sender};

/// All rooms of a server.
#[derive(Clone, Default)]
pub(crate) struct Rooms(Arc<Mutex<HashMap<String, Room>>>);

#[derive(Default)]
struct Room {
    next: u64,
    members: Vec<(u64, Sender)>,
}

impl Rooms {
    /// Keeps a connection in a room until it ends.
    pub(crate) async fn visit(
        self,
        name: String,
        sender: Sender,
        mut receiver: Receiver,
    ) -> Result<(), RecvError> {
        let member = self.join(name, sender);
        let mut messages = Vec::new();
        while receiver.recv_many(&mut messages, TOGETHER_MAX).await? > 0 {
            let prepared: Vec<_> = messages.drain(..).map(Prepared::new).collect();
            member.publish(&prepared);
        }
        Ok(())
    }

    fn join(&self, name: String, sender: Sender) -> Member {
        let mut rooms = self.lock();
        let room = rooms.entry(name.clone()).or_default();
        let id = room.next;
        room.next += 1;
        room.members.push((id, sender));
        drop(rooms);
        Member { rooms: self.clone(), name, id }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's stay in a room, which ends when this is dropped.
struct Member {
    rooms: Rooms,
    name: String,
    id: u64,
}

impl Member {
    /// Sends to everyone else in the room; nobody is waited for.
    fn publish(&self, messages: &[Prepared]) {
        let others: Vec<Sender> = match self.rooms.lock().get(&self.name) {
            Some(room) => room
                .members
                .iter()
                .filter(|(id, _)| *id != self.id)
                .map(|(_, sender)| sender.clone())
                .collect(),
            None => return,
        };
        for sender in others {
            if sender.try_send_prepared_many(messages).is_ok_and(|sent| sent < messages.len()) {
                tracing::info!(room = self.name, "a member is too slow and is asked to leave");
                tokio::spawn(async move {
                    let _ = sender.close(CloseCode::TRY_AGAIN_LATER, "too slow").await;
                });
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        if let Entry::Occupied(mut room) = rooms.entry(std::mem::take(&mut self.name)) {
            room.get_mut().members.retain(|(id, _)| *id != self.id);
            if room.get().members.is_empty() {
                room.remove();
            }
        }
    }
}

/// Messages that are passed on together at most, where a member has sent several.
const TOGETHER_MAX: usize = 64;
