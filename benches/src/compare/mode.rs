//! What a workload asks a server to be. A server that cannot, and has nothing else for it, is left out of the workload.

/// What a server is started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sends every message back, uncompressed.
    Echo,
    /// The same with messages of up to 64 MiB.
    Large,
    /// The same as [`Echo`](Self::Echo) on a multi-thread runtime, whose number of workers is the argument that follows.
    Workers,
    /// Sends every message back piece by piece as it comes, without holding it whole. A rival that cannot sends it back whole.
    Streamed,
    /// The same as [`Echo`](Self::Echo), with a keepalive ping every two seconds where the server has such a thing.
    KeptAlive,
    /// Echoes messages compressed by permessage-deflate, each by itself, in both directions (RFC 7692 §7.1.1).
    DeflateNoTakeover,
    /// The same with the memory of the messages before, in both directions.
    DeflateTakeover,
    /// The same as [`DeflateNoTakeover`](Self::DeflateNoTakeover), with such a keepalive.
    KeptAliveDeflate,
    /// Sends each message of the connection to `/publish` to every connection that is on another path.
    FanOut,
    /// The same as [`Echo`](Self::Echo) over TLS (rustls), with a certificate that signs itself.
    Tls,
    /// The same with such a keepalive.
    KeptAliveTls,
    /// Is a client, which connects where it is told to and does what the texts say that it receives.
    Client,
}
