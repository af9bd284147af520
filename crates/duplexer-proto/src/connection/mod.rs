//! An open connection (RFC 6455 §5–§7) of either role: bytes and time in, events and bytes out. Reads no socket, clock
//! or randomness, and knows extensions only by their trait.

mod endpoint;
mod event;
mod fault;
mod liveness;
mod queue;
mod receive;
mod send;
mod state;

pub use endpoint::{Connection, Timeout};
pub use event::{Chunk, Event, Received};
pub use fault::Fault;
pub use liveness::Keepalive;
pub use send::{ControlError, SendError, SendOptions};
pub use state::{CloseInfo, End, State};
