//! WebSockets whole: a client and a server for tokio.
//!
#![cfg_attr(doctest, doc = include_str!("../../../README.md"))]

mod client;
mod clock;
mod cork;
mod driver;
mod handle;
mod input;
mod local;
mod server;
mod socket;
mod transport;
mod waiters;

pub use client::{Client, ClientBuilder, ConnectError, connect};
pub use duplexer_proto::extension::deflate::Deflate;
pub use duplexer_proto::handshake::RequestError;
pub use duplexer_proto::{
    CloseCode, CloseInfo, CloseReason, CloseReasonError, End, Fault, HandshakeError, Keepalive, Limits, Message,
    MessageKind, Prepared, SendOptions, SetupError, Text, UriError,
};
pub use server::{
    HandlerOutcome, Origins, Rejection, Request, Server, ServerBuilder,
};
pub use socket::{
    ControlError, MessageReader, MessageWriter, PingError, Receiver, RecvError, SendError, Sender,
    TrySendError, WebSocket,
};
