//! What users hold: the socket, its halves, and messages as streams. Every wait here polls the driver; no tasks.

mod events;
mod facts;
mod halves;
mod io;
mod outcome;
mod reader;
mod sink;
mod websocket;
mod writer;

pub use events::{Event, Events};
pub(crate) use facts::LatestFacts;
pub use halves::{Receiver, Sender};
pub use io::ByteStream;
pub use outcome::{ControlError, PingError, RecvError, SendError, TrySendError};
pub use reader::MessageReader;
pub use websocket::WebSocket;
pub use writer::MessageWriter;
