//! Which permessage-deflate a measured server agrees to (RFC 7692 §7.1.1). A word of the command line in, a setting out.

/// Whether a message may refer to the messages before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Deflate {
    /// Each message is compressed by itself, in both directions
    NoTakeover,
    /// Messages refer to earlier ones, in both directions
    Takeover,
}
