//! Leads a byte stream to a server: from a host and a port to a transport over which the opening handshake can be sent.

mod dialler;
mod tcp;

pub(crate) use dialler::{DialError, Dialler};
