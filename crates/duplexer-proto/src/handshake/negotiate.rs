//! What both ends agree on in the opening handshake (RFC 6455 §9.1): offers, answers and
//! confirmations in `Sec-WebSocket-Extensions`. Knows extensions only by their [`Negotiator`].

use std::fmt;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::extension::{Accepted, Extension, NegotiationError, Negotiator, Offer, OfferError};
use crate::frame::Rsv;

/// What both ends agreed on, in the words of the DOM's `protocol` and `extensions`.
///
/// ```
/// let agreed = duplexer_proto::handshake::Agreed::default();
/// assert_eq!((agreed.subprotocol, agreed.extensions.as_str()), (None, ""));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// The subprotocol, where one was chosen.
    pub subprotocol: Option<String>,
    /// The server's `Sec-WebSocket-Extensions`; empty without extensions.
    pub extensions: String,
}

/// Extensions ready to run, and the header that names them.
#[derive(Debug, Default)]
pub(crate) struct Negotiated {
    pub(crate) extensions: Vec<Box<dyn Extension>>,
    /// The list in its written form.
    pub(crate) header: String,
    /// The bits that the extensions use.
    rsv: Rsv,
}

impl Negotiated {
    /// Adds an extension, unless its bits are none or taken.
    fn add(&mut self, answer: &Offer, extension: Box<dyn Extension>) -> bool {
        let rsv = extension.rsv();
        if rsv.is_empty() || self.rsv.intersects(rsv) {
            return false;
        }
        self.rsv = self.rsv.union(rsv);
        append(&mut self.header, answer);
        self.extensions.push(extension);
        true
    }
}

/// All offers of a client, in the order of its negotiators.
pub(crate) fn make_offers(negotiators: &[Arc<dyn Negotiator>]) -> Vec<Offer> {
    negotiators.iter().flat_map(|negotiator| negotiator.offers()).collect()
}

/// A list of offers as a header's value; `None` when it is empty.
pub(crate) fn offers_value(offers: &[Offer]) -> Option<HeaderValue> {
    let mut list = String::new();
    for offer in offers {
        append(&mut list, offer);
    }
    (!list.is_empty()).then(|| list_value(list))
}

/// A list that [`append`] has written as a header's value.
pub(crate) fn list_value(list: String) -> HeaderValue {
    HeaderValue::try_from(list).expect("an `Offer` consists of tokens, which are visible ASCII")
}

fn append(list: &mut String, offer: &Offer) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list.push_str(&offer.to_string());
}

/// Reads all fields called `name` as one list of offers.
pub(crate) fn parse_offers(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Result<Vec<Offer>, OfferError> {
    if !headers.contains_key(name) {
        return Ok(Vec::new());
    }
    parse_list(headers.get_all(name).iter().map(HeaderValue::as_bytes))
}

/// Reads the values of a list that is there, which has an element (RFC 6455 §9.1).
pub(crate) fn parse_list<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Offer>, OfferError> {
    let offers = Offer::parse_all(values)?;
    if offers.is_empty() {
        return Err(OfferError::NameMissing { at: 0 });
    }
    Ok(offers)
}

/// A server's answer: of each extension that it knows, the first offer that it accepts, in the
/// client's order. An extension whose bits another one has taken is declined.
pub(crate) fn answer_offers(negotiators: &[Arc<dyn Negotiator>], offers: &[Offer]) -> Negotiated {
    let mut negotiated = Negotiated::default();
    if offers.is_empty() {
        return negotiated;
    }
    let mut open: Vec<&Arc<dyn Negotiator>> = negotiators.iter().collect();
    for offer in offers {
        let known = open.iter().position(|negotiator| negotiator.name() == offer.name());
        let Some(index) = known else { continue };
        let Some(Accepted { response, extension }) = open[index].accept(offer) else { continue };
        if negotiated.add(&response, extension) {
            let name = offer.name();
            open.retain(|negotiator| negotiator.name() != name);
        }
    }
    negotiated
}

/// A client's check of the server's answer: only what was offered, none twice, and each as its
/// negotiator allows.
pub(crate) fn confirm_answers(
    negotiators: &[Arc<dyn Negotiator>],
    offered: &[Offer],
    answers: &[Offer],
) -> Result<Negotiated, ExtensionFault> {
    let mut negotiated = Negotiated::default();
    for (index, answer) in answers.iter().enumerate() {
        let name = answer.name();
        let negotiator = negotiators.iter().find(|negotiator| negotiator.name() == name);
        let Some(negotiator) = negotiator.filter(|_| offered.iter().any(|it| it.name() == name))
        else {
            return Err(ExtensionFault::NotOffered { name: name.to_owned() });
        };
        if answers[..index].iter().any(|earlier| earlier.name() == name) {
            return Err(ExtensionFault::Repeated { name: name.to_owned() });
        }
        let extension = negotiator.confirm(answer).map_err(ExtensionFault::Invalid)?;
        if !negotiated.add(answer, extension) {
            return Err(ExtensionFault::Conflict { name: name.to_owned() });
        }
    }
    Ok(negotiated)
}

/// A server's `Sec-WebSocket-Extensions` is no possible answer to the offers (RFC 6455 §9.1).
///
/// ```
/// use duplexer_proto::handshake::ExtensionFault;
/// let fault = ExtensionFault::NotOffered { name: "x-toy".into() };
/// assert_eq!(fault.to_string(), "the extension `x-toy` was chosen but not offered");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionFault {
    /// The header is not of the grammar.
    Malformed(OfferError),
    /// An extension that was not offered.
    NotOffered {
        /// Its name.
        name: String,
    },
    /// An extension that is there twice.
    Repeated {
        /// Its name.
        name: String,
    },
    /// Parameters that the extension does not allow.
    Invalid(NegotiationError),
    /// Extensions that use the same reserved bit.
    Conflict {
        /// The name of the later one.
        name: String,
    },
}

impl fmt::Display for ExtensionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "{error}"),
            Self::NotOffered { name } => {
                write!(f, "the extension `{name}` was chosen but not offered")
            }
            Self::Repeated { name } => write!(f, "the extension `{name}` was chosen twice"),
            Self::Invalid(error) => write!(f, "{error}"),
            Self::Conflict { name } => {
                write!(f, "the extension `{name}` uses the reserved bits of another one")
            }
        }
    }
}

impl std::error::Error for ExtensionFault {}
