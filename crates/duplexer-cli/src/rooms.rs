//! Chat rooms: what one member sends, all others receive. A room exists while somebody is in it; who cannot keep up
//! is asked to leave.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use duplexer::{CloseCode, Prepared, Receiver, RecvError, Sender, TrySendError};

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
        while let Some(message) = receiver.recv().await? {
            member.publish(&Prepared::new(message));
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
    fn publish(&self, message: &Prepared) {
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
            if let Err(TrySendError::Full(_)) = sender.try_send_prepared(message) {
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
