//! What the protocol asks of an extension (RFC 6455 §9): a [`Negotiator`] agrees on it in the opening handshake,
//! an [`Extension`] then transforms the messages of one connection as streams of bytes.
//!
//! The open connection knows these two traits only; permessage-deflate is one implementation of them.

mod chain;
pub mod deflate;
mod offer;

pub(crate) use chain::Chain;
pub use offer::{Offer, OfferError, Param};

use std::fmt;

use crate::frame::Rsv;
use crate::message::MessageKind;
use crate::scratch::Scratch;

/// Agrees on one extension in the opening handshake (RFC 6455 §9.1).
pub trait Negotiator: fmt::Debug + Send + Sync {
    /// The registered name, compared exactly.
    fn name(&self) -> &str;

    /// A client's offers, in order of preference.
    fn offers(&self) -> Vec<Offer>;

    /// A server's answer to one offer of this name; `None` declines it.
    fn accept(&self, offer: &Offer) -> Option<Accepted>;

    /// A client's check of the server's answer.
    ///
    /// # Errors
    /// Says which rule the answer breaks; the opening handshake then fails.
    fn confirm(&self, response: &Offer) -> Result<Box<dyn Extension>, NegotiationError>;
}

/// A server's acceptance of an offer: what to answer, and the extension to run.
#[derive(Debug)]
pub struct Accepted {
    /// The element for the response's `Sec-WebSocket-Extensions`.
    pub response: Offer,
    /// The extension, ready for the connection.
    pub extension: Box<dyn Extension>,
}

/// One negotiated extension on one connection.
///
/// Both directions are streams: a message of any length passes in pieces, in constant memory.
pub trait Extension: fmt::Debug + Send {
    /// The reserved bits that mark a message as transformed, on its first frame. Not empty, and not shared
    /// with another extension of the connection.
    fn rsv(&self) -> Rsv;

    /// Whether to transform the next outgoing message, of `len` bytes where that is known.
    fn wants(&self, kind: MessageKind, len: Option<u64>) -> bool;

    /// Transforms a piece of the current outgoing message: takes all of `input` and appends to `output`.
    fn encode(
        &mut self,
        input: &[u8],
        boundary: Boundary,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    );

    /// A number that is equal for connections whose encoding of any message is byte for byte the same, because
    /// it depends on nothing that came before; `None` where it does.
    fn share_class(&self) -> Option<u32>;

    /// Transforms a piece of the current incoming message: takes a prefix of `input` and appends at most
    /// `room` bytes to `output`. `end` says that `input` is the last of the message; the call is then
    /// repeated with what was left until [`Decoded::done`]. Where the room is just enough the call is done; where it is
    /// not, and only then, there is more of the message. Unless there is no room each call takes or
    /// appends something, or is done.
    ///
    /// # Errors
    /// The stream is corrupt; the connection then fails with 1007.
    fn decode(
        &mut self,
        input: &[u8],
        end: bool,
        room: usize,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError>;

    /// Bytes of memory that the extension holds now, roughly, so that a budget for unfinished messages can
    /// count what the first byte of one makes it hold.
    fn held_bytes(&self) -> usize {
        0
    }
}

/// What follows a piece that is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// More of the message; bytes may be held back for a better ratio.
    Within,
    /// More of the message, but all bytes so far must be decodable from what was put out.
    Flush,
    /// The end of the message.
    End,
}

/// How far one call of [`Extension::decode`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of `input` that were taken.
    pub consumed: usize,
    /// All that `input` stands for was put out: without `end`, every byte of `input` was taken and nothing waits for
    /// room; with `end`, the message is complete.
    pub done: bool,
}

/// An incoming message's transformed bytes are corrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The extension's name.
    pub extension: &'static str,
    /// What is wrong with the stream.
    pub fault: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.extension, self.fault)
    }
}

impl std::error::Error for DecodeError {}

/// A server's answer to an offer breaks a rule of the extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiationError {
    /// The answer, as it was received.
    pub response: String,
    /// The rule that it breaks.
    pub fault: String,
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered with extension `{}`: {}", self.response, self.fault)
    }
}

impl std::error::Error for NegotiationError {}
