//! WebSockets whole: a client and a server for tokio (RFC 6455, permessage-deflate).
//!
//! [`connect`] opens a [`WebSocket`]; a [`Server`] gives one to its handler. Both send with
//! [`send`](WebSocket::send) and receive with [`recv`](WebSocket::recv), which returns `None` at a clean end.
//!
//! What holds for all of it:
//! - **No task runs beside a connection.** Pings are answered, and deadlines watched, while any future of the socket is polled.
//! - **Every future can be dropped** without losing what was received; a dropped `send` has queued its message whole or not at all.
//! - **Every wait has a deadline and every buffer a bound**: see [`Limits`], [`RateLimits`] and [`Keepalive`]. Fixed are these: 1 MiB of messages
//!   is held for a receiver while a [`send`](WebSocket::send), [`ping`](WebSocket::ping) or [`flush`](WebSocket::flush) waits and reads
//!   on for control frames; a [`MessageWriter`] may be idle for 30 s; a client that a [`Server`] refuses has 2 s to read why.
//! - **A clean end** is `None`: this end closed and the peer answered, or the peer closed with 1000, 1001 or no code. Any other
//!   code of the peer's, 1011 for example, is [`RecvError::Closed`]. After either end began to close, sending fails with
//!   [`SendError::Closed`]; messages that were not received when this end closes are discarded.
//!
//! **Logging** goes through `tracing`, under the target `duplexer` and those within. At info: `refused` (a handshake that was
//! answered with an HTTP error: `peer`, `path` where it is known, `status`, `error`), `handler failed` (`peer`, `path`, `error`). At debug: `accepted`,
//! `open` (`subprotocol`, `extensions`, `took`), `ping answered` (`rtt`), `message skipped` (`kind`, `bytes_max`), `closed` (`code`, `reason`, `by`, `cause`, `lasted`),
//! `not connected`; all that a connection tells, and what the handler tells while it runs, is inside a span `connection` (`peer` and
//! `path`, or `url` without its query). At error: a handler that panicked. A connection that opens while `duplexer` is not enabled
//! at info keeps and costs nothing for it. **Metrics**: see the module `metrics` (feature `metrics`).
//!
//! The protocol itself, without I/O, is the crate `duplexer-proto`. Signatures name types of the crates [`http`] and [`bytes`](Bytes):
//! both are re-exported, so that users need no version of their own. [`ServerBuilder::http`] alone also names those of hyper 1
//! and tower-service. Beside an HTTP server that is there already, [`Upgrade`] takes what it has read.
//!
//! # Cargo features
//!
//! On by default: `aws-lc-rs` (`wss` on both sides, on rustls with AWS-LC). Off: `ring` (the same with ring), `tls` (the same with a provider that the
//! process installs in rustls; the other two bring it), `axum` ([`Upgrade`] as an extractor of axum 0.8), `blocking` (sockets for
//! threads), `metrics` (the `metrics` facade), `testing` (connected pairs in memory). Each only adds.
#![cfg_attr(doctest, doc = include_str!("../../../README.md"))]

#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod clock;
mod coop;
mod cork;
mod dial;
mod driver;
mod extensions;
#[cfg(any(doc, doctest))]
pub mod guide;
mod handle;
mod input;
mod later;
mod local;
#[cfg(feature = "metrics")]
pub mod metrics;
mod pace;
mod prefixed;
mod reconnect;
mod server;
mod socket;
mod terms;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod transport;
mod upgrade;
mod waiters;
mod watch;

pub use bytes::Bytes;
pub use client::{
    Client, ClientBuilder, ConnectError, CookieError, CookieJar, CredentialError, RedirectError,
    connect,
};
pub use dial::{DialError, Proxy, ProxyError, ProxyFault, ProxyUrlError, SocksFault};
pub use duplexer_proto::extension::deflate::Deflate;
pub use duplexer_proto::handshake::RequestError;
pub use duplexer_proto::{
    Binary, CloseCode, CloseInfo, CloseReason, CloseReasonError, End, Fault, HandshakeError,
    Keepalive, Limits, Message, MessageKind, Oversize, Piece, Prepared, SendOptions, SetupError,
    Text, UriError,
};
pub use http;
pub use reconnect::{
    Attempt, Decision, Loss, LossCause, Reconnect, ReconnectBuilder, ReconnectError,
    ReconnectSendError, ReconnectSender, ReconnectState,
};
pub use server::{
    Addresses, ForwardedHeaders, HandlerOutcome, Listener, Listeners, Origins, ProxyProtocol,
    Rejection, Request, RouteError, Routes, Server, ServerBuilder, TrustedProxies,
    TrustedProxiesError,
};
pub use socket::{
    ByteStream, ControlError, Event, Events, MessageReader, MessageWriter, PingError, Receiver,
    RecvError, SendError, Sender, TrySendError, WebSocket,
};
pub use terms::{OverRate, RateLimits};
#[cfg(feature = "tls")]
pub use tls::{
    Certificate, CertificateError, CertificateFault, ClientCertificates, CryptoProvider, Identity,
    Roots, ServerTls, ServerTlsBuilder,
};
pub use tls::{TlsError, TlsFault, TlsInfo, TlsVersion};
pub use upgrade::{Upgrade, UpgradeError};
