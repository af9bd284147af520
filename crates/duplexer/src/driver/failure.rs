//! Why a connection ended without a closing handshake, as far as its driver knows.

use std::fmt;
use std::io;
use std::sync::Arc;

use duplexer_proto::Fault;

/// Why a connection ended without a closing handshake.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Fault(Fault),
    Io(Arc<io::Error>),
    EndOfStream,
    PeerLost,
    CloseOverdue,
    Aborted,
}

/// For a log; users are told by errors.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::EndOfStream => f.write_str("end of stream"),
            Self::PeerLost => f.write_str("peer lost"),
            Self::CloseOverdue => f.write_str("Close unanswered"),
            Self::Aborted => f.write_str("aborted"),
        }
    }
}
