//! What a workload asks a server to be. A server that cannot is left out of the workload.

/// What a server is started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sends every message back, uncompressed.
    Echo,
    /// Sends each message of the connection to `/publish` to every connection that is on another path.
    FanOut,
    /// The same as [`Echo`](Self::Echo) over TLS (rustls), with a certificate that signs itself.
    Tls,
}
