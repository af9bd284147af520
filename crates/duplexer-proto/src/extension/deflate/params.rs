//! The parameters of permessage-deflate (RFC 7692 §7.1): an element of the header in, typed values
//! out, and back. Judges what concerns one element alone; what an answer may say to an offer is for
//! `negotiate`.

use std::fmt;

use crate::extension::{Offer, Param};

/// The extension's registered name (RFC 7692 §7).
pub(super) const NAME: &str = "permessage-deflate";

/// The typed parameters of an offer or an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    /// The server's compressor forgets after each message (§7.1.1.1).
    pub(super) server_no_context_takeover: bool,
    /// The client's compressor forgets after each message (§7.1.1.2).
    pub(super) client_no_context_takeover: bool,
    /// Bound on the window of the server's compressor (§7.1.2.1).
    pub(super) server_max_window_bits: Option<u8>,
    /// Bound on the window of the client's compressor (§7.1.2.2).
    pub(super) client_max_window_bits: Option<ClientBits>,
}

/// What `client_max_window_bits` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientBits {
    /// An offer without a value: the client understands the parameter.
    Understood,
    /// The client's window is at most 2 to this power.
    AtMost(u8),
}

impl Params {
    /// Reads the parameters; names are compared exactly.
    pub(super) fn parse(offer: &Offer) -> Result<Self, ParamFault> {
        if offer.name() != NAME {
            return Err(ParamFault::Name);
        }
        let mut params = Self::default();
        for param in offer.params() {
            let repeated = match param.name() {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    flag(param)?;
                    std::mem::replace(&mut params.server_no_context_takeover, true)
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    flag(param)?;
                    std::mem::replace(&mut params.client_no_context_takeover, true)
                }
                SERVER_MAX_WINDOW_BITS => {
                    let bits = window_bits(param)?.ok_or_else(|| param_fault(param, VALUE))?;
                    params.server_max_window_bits.replace(bits).is_some()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits =
                        window_bits(param)?.map_or(ClientBits::Understood, ClientBits::AtMost);
                    params.client_max_window_bits.replace(bits).is_some()
                }
                _ => return Err(param_fault(param, "is unknown")),
            };
            if repeated {
                return Err(param_fault(param, "occurs twice"));
            }
        }
        Ok(params)
    }

    /// The element that says this.
    pub(super) fn to_offer(self) -> Offer {
        let mut offer = Offer::new(NAME);
        if self.server_no_context_takeover {
            offer = offer.with(SERVER_NO_CONTEXT_TAKEOVER);
        }
        if self.client_no_context_takeover {
            offer = offer.with(CLIENT_NO_CONTEXT_TAKEOVER);
        }
        if let Some(bits) = self.server_max_window_bits {
            offer = offer.with_value(SERVER_MAX_WINDOW_BITS, bits);
        }
        match self.client_max_window_bits {
            Some(ClientBits::AtMost(bits)) => offer.with_value(CLIENT_MAX_WINDOW_BITS, bits),
            Some(ClientBits::Understood) => offer.with(CLIENT_MAX_WINDOW_BITS),
            None => offer,
        }
    }
}

/// A rule that an element breaks by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ParamFault {
    /// The element is another extension's.
    Name,
    /// A parameter breaks a rule.
    Param {
        /// The parameter as it was written.
        param: Param,
        /// What is wrong with it.
        rule: &'static str,
    },
}

impl fmt::Display for ParamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(f, "the extension is not {NAME}"),
            Self::Param { param, rule } => write!(f, "parameter `{param}` {rule} (RFC 7692 §7.1)"),
        }
    }
}

fn param_fault(param: &Param, rule: &'static str) -> ParamFault {
    ParamFault::Param { param: param.clone(), rule }
}

fn flag(param: &Param) -> Result<(), ParamFault> {
    match param.value() {
        None => Ok(()),
        Some(_) => Err(param_fault(param, "takes no value")),
    }
}

/// "A decimal integer value without leading zeroes between 8 to 15, inclusive" (§7.1.2.1).
fn window_bits(param: &Param) -> Result<Option<u8>, ParamFault> {
    let bits = match param.value() {
        None => return Ok(None),
        Some("8") => 8,
        Some("9") => 9,
        Some("10") => 10,
        Some("11") => 11,
        Some("12") => 12,
        Some("13") => 13,
        Some("14") => 14,
        Some("15") => 15,
        Some(_) => return Err(param_fault(param, VALUE)),
    };
    Ok(Some(bits))
}

const VALUE: &str = "must have a value from 8 to 15, in plain decimal";
pub(super) const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
pub(super) const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
pub(super) const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
