//! The bounds on what a peer may make an endpoint hold, with the defaults of the documentation's table.
//! Pure numbers: who enforces them reads them here.

use std::time::Duration;

/// Bounds on one connection. Start from [`Limits::default`] and change fields.
///
/// ```
/// let mut limits = duplexer_proto::Limits::default();
/// limits.message_bytes_max = 64 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest whole message received, in bytes after inflation, inclusive. Over it the connection
    /// fails with 1009; so it does where the message takes more than twice as many bytes and 1 KiB before
    /// inflation. Default 16 MiB. See `oversize` for another way.
    pub message_bytes_max: u64,
    /// What becomes of a message over `message_bytes_max`. Default: it fails the connection.
    pub oversize: Oversize,
    /// Largest message received as a stream, in bytes after inflation, inclusive, with the same margin before.
    /// Default: no bound.
    pub stream_bytes_max: u64,
    /// Largest frame payload received, in bytes on the wire, inclusive. Default: no bound beside the message's.
    pub frame_bytes_max: u64,
    /// Bytes that each frame of a message after the first is charged against the message's bound at least, so that
    /// tiny fragments cannot cost more than they weigh. Default 64.
    pub fragment_bytes_min: u64,
    /// Bytes in the send queue above which sending waits; it waits below `queue_bytes_max` in any case. Default 64 KiB.
    pub queue_bytes_high: usize,
    /// Bytes in the send queue at or below which a waiting sender goes on. Default 16 KiB.
    pub queue_bytes_low: usize,
    /// Bytes in the send queue above which a message that does not wait is refused; one message may
    /// always pass a queue that is below it. Default 1 MiB.
    pub queue_bytes_max: usize,
    /// Largest opening head, in bytes. Default 16 KiB.
    pub head_bytes_max: usize,
    /// Most header lines in an opening head. Default 100.
    pub head_lines_max: usize,
    /// Time for the whole opening handshake. Default 10 s.
    pub open_timeout: Duration,
    /// Time from starting or answering the closing handshake to dropping the transport. Default 5 s.
    pub close_timeout: Duration,
}

/// What becomes of a message that is received whole and is over [`Limits::message_bytes_max`].
///
/// ```
/// use duplexer_proto::{Limits, Oversize};
/// let mut limits = Limits::default();
/// assert_eq!(limits.oversize, Oversize::Close);
/// limits.oversize = Oversize::Skip;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oversize {
    /// It fails the connection with 1009 (RFC 6455 §7.4.1).
    #[default]
    Close,
    /// It is let go and said to be; the connection goes on with the next message. What is left of it is dropped as it arrives,
    /// in constant memory and without a look: neither is a text's UTF-8 checked behind the limit, nor is anything inflated that no
    /// later message refers to. What is inflated, because one may, must be a DEFLATE stream. Over
    /// [`Limits::stream_bytes_max`], which counts what is skipped too, the connection fails all the same, and so it does for a
    /// frame over [`Limits::frame_bytes_max`].
    Skip,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 << 20,
            oversize: Oversize::Close,
            stream_bytes_max: u64::MAX,
            frame_bytes_max: u64::MAX,
            fragment_bytes_min: 64,
            queue_bytes_high: 64 << 10,
            queue_bytes_low: 16 << 10,
            queue_bytes_max: 1 << 20,
            head_bytes_max: 16 << 10,
            head_lines_max: 100,
            open_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
        }
    }
}
