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
///
/// ```
/// use duplexer_proto::extension::{Accepted, Negotiator, deflate::Deflate};
/// let (client, server) = (Deflate::takeover(), Deflate::shared());
/// let offers = client.offers();
/// let accepted = server.accept(&offers[0]).expect("an offer that it knows");
/// let Accepted { response, extension } = accepted; // for the response's head, and to run
/// let confirmed = client.confirm(&response)?;
/// assert_eq!(confirmed.rsv(), extension.rsv());
/// # Ok::<(), duplexer_proto::extension::NegotiationError>(())
/// ```
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
///
/// The example of [`Negotiator`] shows one.
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
///
/// ```
/// use duplexer_proto::extension::{Boundary, DecodeError, Decoded, Extension};
/// use duplexer_proto::{MessageKind, Scratch, frame::Rsv};
/// /// Sends every byte of binary messages upside down.
/// #[derive(Debug)]
/// struct Flip;
/// impl Extension for Flip {
///     fn rsv(&self) -> Rsv { Rsv::RSV2 }
///     fn wants(&self, kind: MessageKind, _: Option<u64>) -> bool { kind == MessageKind::Binary }
///     fn encode(&mut self, input: &[u8], _: Boundary, _: &mut Scratch, output: &mut Vec<u8>) {
///         output.extend(input.iter().map(|byte| !byte));
///     }
///     fn share_class(&self) -> Option<u32> { Some(0) }
///     fn decode(
///         &mut self, input: &[u8], _: bool, room: usize, _: &mut Scratch, output: &mut Vec<u8>,
///     ) -> Result<Decoded, DecodeError> {
///         let consumed = room.min(input.len());
///         output.extend(input[..consumed].iter().map(|byte| !byte));
///         Ok(Decoded { consumed, done: consumed == input.len() })
///     }
/// }
/// use duplexer_proto::{Connection, Delivery, Role};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let flip: Vec<Box<dyn Extension>> = vec![Box::new(Flip)];
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), flip);
/// let mut input = *b"\xa2\x02\x00\xf0"; // RSV2 is set
/// let received = client.receive(&mut input, Delivery::Whole, &mut scratch)?;
/// assert_eq!(received.event, Some(duplexer_proto::Event::Message(b"\xff\x0f".into())));
/// # Ok::<(), duplexer_proto::Fault>(())
/// ```
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
    /// The caller bounds what comes out and, for each message, what goes in: at most twice the message's limit and 1 KiB.
    /// Work that is out of proportion to both is the extension's to refuse.
    ///
    /// # Errors
    /// The stream is corrupt, or asks for such work; the connection then fails with 1007.
    fn decode(
        &mut self,
        input: &[u8],
        end: bool,
        room: usize,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError>;

    /// Gives up the current incoming message, which is over its limit and to be skipped. True says that nothing more of
    /// it will be decoded and the next call of [`decode`](Extension::decode) begins another message; false, the default, that it must
    /// be decoded to its end, since later messages refer to it.
    fn abandon(&mut self, scratch: &mut Scratch) -> bool {
        let _ = scratch;
        false
    }
}

/// What follows a piece that is encoded.
///
/// ```
/// use duplexer_proto::extension::{Boundary, Negotiator, deflate::Deflate};
/// let deflate = Deflate::shared();
/// let mut accepted = deflate.accept(&deflate.offers()[0]).expect("its own offer");
/// let mut scratch = duplexer_proto::Scratch::new(|| [0; 4]);
/// let mut output = Vec::new();
/// accepted.extension.encode(b"held back", Boundary::Within, &mut scratch, &mut output);
/// assert_eq!(output, b"");
/// accepted.extension.encode(b"", Boundary::Flush, &mut scratch, &mut output);
/// assert_ne!(output, b"");
/// ```
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
///
/// ```
/// use duplexer_proto::extension::{Decoded, Negotiator, deflate::Deflate};
/// let deflate = Deflate::shared();
/// let mut accepted = deflate.accept(&deflate.offers()[0]).expect("its own offer");
/// let mut scratch = duplexer_proto::Scratch::new(|| [0; 4]);
/// let mut output = Vec::new();
/// let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00"; // RFC 7692 §7.2.3.1
/// let decoded = accepted.extension.decode(hello, true, 100, &mut scratch, &mut output);
/// assert_eq!(decoded, Ok(Decoded { consumed: 7, done: true }));
/// assert_eq!(output, b"Hello");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of `input` that were taken.
    pub consumed: usize,
    /// All that `input` stands for was put out: without `end`, every byte of `input` was taken and nothing waits for
    /// room; with `end`, the message is complete.
    pub done: bool,
}

/// An incoming message's transformed bytes are corrupt, or out of proportion to what they cost.
///
/// ```
/// use duplexer_proto::extension::{Negotiator, deflate::Deflate};
/// let deflate = Deflate::shared();
/// let mut accepted = deflate.accept(&deflate.offers()[0]).expect("its own offer");
/// let mut scratch = duplexer_proto::Scratch::new(|| [0; 4]);
/// let mut output = Vec::new();
/// let decoded = accepted.extension.decode(b"\x06", true, 100, &mut scratch, &mut output);
/// let error = decoded.expect_err("no such block");
/// assert_eq!(error.to_string(), "permessage-deflate: not a DEFLATE stream");
/// ```
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
///
/// ```
/// use duplexer_proto::extension::{Negotiator, Offer, deflate::Deflate};
/// let answer = Offer::new("permessage-deflate").with("made_up");
/// let error = Deflate::shared().confirm(&answer).expect_err("a parameter that nobody knows");
/// assert_eq!(error.response, "permessage-deflate; made_up");
/// ```
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
