//! Names of what is counted through the facade of the crate `metrics` (feature `metrics`). Every name has a label `role`:
//! `client` or `server`.
//!
//! | name | kind | what |
//! | --- | --- | --- |
//! | [`CONNECTIONS_OPEN`] | gauge | connections that are open now |
//! | [`CONNECTIONS_OPENED`] | counter | connections opened |
//! | [`CONNECTIONS_REFUSED`] | counter | openings that led to none, by `status`: that of the HTTP answer, or `none` where a client had none |
//! | [`CONNECTIONS_CLOSED`] | counter | connections ended, by `code`: the close code, of the peer's own choice `3xxx` and `4xxx` |
//! | [`MESSAGES_RECEIVED`], [`MESSAGES_SENT`] | counters | messages received whole, and queued whole; discarded ones are not counted |
//! | [`MESSAGES_SKIPPED`] | counter | messages over their limit that were skipped ([`Oversize::Skip`](crate::Oversize::Skip)) |
//! | [`RECEIVED_BYTES`], [`SENT_BYTES`] | counters | bytes of open connections as the transport carries them, frame headers counted |
//! | [`PINGS_RECEIVED`], [`PINGS_SENT`] | counters | pings, the keepalive's included |
//! | [`PING_RTT_SECONDS`] | histogram | from a ping to its pong |
//! | [`HANDSHAKE_SECONDS`] | histogram | from the first look-up (client) or the accepted connection (server) to an open one |
//!
//! Install a recorder before the first connection opens: what a connection counts in is looked up once in the life of a process and role.
//! From then on a message costs an atomic addition, and allocates nothing.
//!
//! ```no_run
//! # fn install_a_recorder() {} // such as metrics_exporter_prometheus::PrometheusBuilder::new().install()
//! # async fn example() -> Result<(), duplexer::ConnectError> {
//! install_a_recorder();
//! let socket = duplexer::connect("ws://127.0.0.1:9001/").await?;
//! # Ok(())
//! # }
//! ```

/// Gauge: connections that are open now.
pub const CONNECTIONS_OPEN: &str = "duplexer_connections_open";
/// Counter: connections opened.
pub const CONNECTIONS_OPENED: &str = "duplexer_connections_opened_total";
/// Counter: openings that led to no connection, by `status`.
pub const CONNECTIONS_REFUSED: &str = "duplexer_connections_refused_total";
/// Counter: connections ended, by `code`.
pub const CONNECTIONS_CLOSED: &str = "duplexer_connections_closed_total";
/// Counter: messages received whole.
pub const MESSAGES_RECEIVED: &str = "duplexer_messages_received_total";
/// Counter: messages queued whole.
pub const MESSAGES_SENT: &str = "duplexer_messages_sent_total";
/// Counter: messages over their limit that were skipped.
pub const MESSAGES_SKIPPED: &str = "duplexer_messages_skipped_total";
/// Counter: bytes read.
pub const RECEIVED_BYTES: &str = "duplexer_received_bytes_total";
/// Counter: bytes written.
pub const SENT_BYTES: &str = "duplexer_sent_bytes_total";
/// Counter: pings received.
pub const PINGS_RECEIVED: &str = "duplexer_pings_received_total";
/// Counter: pings queued.
pub const PINGS_SENT: &str = "duplexer_pings_sent_total";
/// Histogram, in seconds: from a ping to its pong.
pub const PING_RTT_SECONDS: &str = "duplexer_ping_rtt_seconds";
/// Histogram, in seconds: from the beginning of an opening to an open connection.
pub const HANDSHAKE_SECONDS: &str = "duplexer_handshake_seconds";
