//! The WebSocket protocol without I/O: RFC 6455 and permessage-deflate (RFC 7692) as state machines.
//!
//! Bytes, points in time and entropy go in; events and bytes come out. There is no socket, clock, randomness or runtime
//! here, so the same input gives the same output, however it was cut. Programs use the `duplexer` crate,
//! which runs this one on tokio; this crate is for those who bring their own I/O, and for tests.

#![forbid(clippy::unwrap_used)]

mod assembler;
mod assured;
mod client;
mod close;
mod code;
mod connection;
pub mod extension;
pub mod frame;
pub mod handshake;
mod limits;
mod mask;
mod message;
mod payload;
mod piece;
mod prepared;
mod recycle;
mod role;
mod scratch;
mod segments;
mod server;
mod time;
mod uri;
mod utf8;
mod visible;

pub use assembler::{Delivery, MessageError};
pub use client::{ClientConfig, ClientHandshake, HandshakeError, Opened, SetupError};
pub use close::{CloseBodyError, CloseReason, CloseReasonError};
pub use code::CloseCode;
pub use connection::{
    Chunk, CloseInfo, Connection, ControlError, End, Event, Fault, Keepalive, Received, SendError,
    SendOptions, State, Timeout,
};
pub use limits::{Limits, Oversize};
pub use mask::mask;
pub use message::{Binary, Message, MessageKind, Text};
pub use piece::Piece;
pub use prepared::Prepared;
pub use role::Role;
pub use scratch::Scratch;
pub use server::{Acceptance, AnswerError, Opening, ServerConfig, ServerHandshake, reject};
pub use time::Time;
pub use uri::{UriError, WsUri};
pub use utf8::{InvalidUtf8, Utf8Check};
