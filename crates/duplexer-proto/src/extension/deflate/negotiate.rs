//! The settings of permessage-deflate and its negotiation (RFC 7692 §5 and §7.1): what a client
//! offers, what a server answers, what a client accepts as an answer. Makes the codec for a
//! connection, and compresses nothing itself.

use super::codec::Codec;
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::params::{
    CLIENT_MAX_WINDOW_BITS, ClientBits, NAME, Params, SERVER_MAX_WINDOW_BITS,
    SERVER_NO_CONTEXT_TAKEOVER,
};
use crate::extension::{Accepted, Extension, NegotiationError, Negotiator, Offer};

/// The settings of permessage-deflate (RFC 7692), for either role.
///
/// By default neither side keeps its compression window from message to message (no context
/// takeover), so that an idle connection holds no context: they belong to the thread. Messages
/// under 128 bytes are sent plain.
///
/// Do not compress secrets together with text that an attacker chooses: the length tells about the
/// secret (CRIME, BREACH). Send such messages plain.
///
/// ```
/// use duplexer_proto::extension::{Negotiator, Offer, deflate::Deflate};
/// let server = Deflate::default();
/// let chrome = Offer::new("permessage-deflate").with("client_max_window_bits");
/// let answer = server.accept(&chrome).expect("acceptable").response.to_string();
/// assert_eq!(
///     answer,
///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deflate {
    level: u8,
    min_bytes: u64,
    server_takeover: bool,
    client_takeover: bool,
    /// 8 to 15.
    server_window_bits: u8,
    /// 8 to 15.
    client_window_bits: u8,
}

impl Deflate {
    /// No context takeover in either direction: compression contexts are shared by the connections
    /// of a thread. The default.
    #[must_use]
    pub const fn shared() -> Self {
        Self {
            level: LEVEL,
            min_bytes: MIN_BYTES,
            server_takeover: false,
            client_takeover: false,
            server_window_bits: BITS_MAX,
            client_window_bits: BITS_MAX,
        }
    }

    /// Context takeover in both directions unless the peer asks otherwise: small messages that
    /// resemble each other shrink much more, and each connection in use holds about 230 KB.
    ///
    /// ```
    /// use duplexer_proto::extension::{Negotiator, deflate::Deflate};
    /// let offer = Deflate::takeover().offers()[0].to_string();
    /// assert_eq!(offer, "permessage-deflate; client_max_window_bits");
    /// ```
    #[must_use]
    pub const fn takeover() -> Self {
        Self { server_takeover: true, client_takeover: true, ..Self::shared() }
    }

    /// The effort of compressing, from 0 (none) to 9 (smallest); above 9 counts as 9.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = if level > 9 { 9 } else { level };
        self
    }

    /// Sends messages of fewer bytes plain. Messages of unknown length are compressed.
    #[must_use]
    pub const fn min_bytes(mut self, bytes: u64) -> Self {
        self.min_bytes = bytes;
        self
    }

    /// Whether the server's compressor may keep its window from message to message. A client that
    /// sets `false` demands that it does not.
    #[must_use]
    pub const fn server_takeover(mut self, allowed: bool) -> Self {
        self.server_takeover = allowed;
        self
    }

    /// Whether the client's compressor may keep its window from message to message. A server that
    /// sets `false` demands that it does not.
    #[must_use]
    pub const fn client_takeover(mut self, allowed: bool) -> Self {
        self.client_takeover = allowed;
        self
    }

    /// Bounds the window of the server's compressor to 2 to the power of `bits` bytes; brought into
    /// 8 to 15.
    #[must_use]
    pub const fn server_window_bits(mut self, bits: u8) -> Self {
        self.server_window_bits = clamp_bits(bits);
        self
    }

    /// Bounds the window of the client's compressor to 2 to the power of `bits` bytes; brought into
    /// 8 to 15. A server can demand this only of clients that offer `client_max_window_bits`;
    /// others use what they like.
    #[must_use]
    pub const fn client_window_bits(mut self, bits: u8) -> Self {
        self.client_window_bits = clamp_bits(bits);
        self
    }

    /// What this client offers.
    const fn offered(&self) -> Params {
        Params {
            server_no_context_takeover: !self.server_takeover,
            client_no_context_takeover: !self.client_takeover,
            server_max_window_bits: below_max(self.server_window_bits),
            client_max_window_bits: Some(match below_max(self.client_window_bits) {
                Some(bits) => ClientBits::AtMost(bits),
                None => ClientBits::Understood,
            }),
        }
    }

    /// What this server answers to an offer that breaks no rule (RFC 7692 §7.1).
    fn answer(&self, offer: Params) -> Params {
        let client_bits = self.client_window_bits;
        Params {
            server_no_context_takeover: offer.server_no_context_takeover || !self.server_takeover,
            client_no_context_takeover: offer.client_no_context_takeover || !self.client_takeover,
            // Without a request the smaller window is used all the same: an unsolicited answer is
            // legal, but has broken clients.
            server_max_window_bits: offer
                .server_max_window_bits
                .map(|bits| bits.min(self.server_window_bits)),
            // "If a received extension negotiation offer doesn't have the client_max_window_bits
            // extension parameter, the corresponding … response … MUST NOT include" it
            // (§7.1.2.2).
            client_max_window_bits: match offer.client_max_window_bits {
                None => None,
                Some(ClientBits::Understood) => below_max(client_bits).map(ClientBits::AtMost),
                Some(ClientBits::AtMost(bits)) => Some(ClientBits::AtMost(bits.min(client_bits))),
            },
        }
    }

    /// How client and server compress under a server's answer to what this client offers, or the
    /// rule that the answer breaks.
    fn judge(&self, response: &Offer) -> Result<Agreed, String> {
        let answer = Params::parse(response).map_err(|fault| fault.to_string())?;
        let offered = self.offered();
        if offered.server_no_context_takeover && !answer.server_no_context_takeover {
            return Err(format!(
                "`{SERVER_NO_CONTEXT_TAKEOVER}` was asked for (RFC 7692 §7.1.1.1)"
            ));
        }
        match (offered.server_max_window_bits, answer.server_max_window_bits) {
            (Some(bits), None) => {
                return Err(format!(
                    "`{SERVER_MAX_WINDOW_BITS}={bits}` was asked for (RFC 7692 §7.1.2.1)"
                ));
            }
            (Some(bits), Some(answered)) if answered > bits => {
                return Err(format!(
                    "`{SERVER_MAX_WINDOW_BITS}` is over the offered {bits} (RFC 7692 §7.1.2.1)"
                ));
            }
            (Some(_) | None, Some(_)) | (None, None) => {}
        }
        match answer.client_max_window_bits {
            Some(ClientBits::AtMost(bits)) if bits > self.client_window_bits => {
                return Err(format!(
                    "`{CLIENT_MAX_WINDOW_BITS}` is over the offered {} (RFC 7692 §7.1.2.2)",
                    self.client_window_bits
                ));
            }
            Some(ClientBits::Understood) => {
                return Err(format!(
                    "`{CLIENT_MAX_WINDOW_BITS}` must have a value in an answer (RFC 7692 §7.1.2.2)"
                ));
            }
            Some(ClientBits::AtMost(_)) | None => {}
        }
        let mut agreed = Agreed::under(&answer, BITS_MAX, self.client_window_bits);
        // "I will not use takeover" holds whether or not the server repeats it (§7.1.1.2).
        agreed.client.takeover &= self.client_takeover;
        Ok(agreed)
    }

    /// The codec of a connection: `ours` is the compressor's direction, `theirs` the peer's.
    fn codec(&self, ours: Direction, theirs: Direction) -> Box<dyn Extension> {
        Box::new(Codec {
            encoder: Encoder::new(ours.takeover, ours.window_bits, self.level),
            decoder: Decoder::new(theirs.takeover, theirs.window_bits),
            min_bytes: self.min_bytes,
        })
    }
}

impl Default for Deflate {
    /// [`Deflate::shared`].
    fn default() -> Self {
        Self::shared()
    }
}

impl Negotiator for Deflate {
    fn name(&self) -> &str {
        NAME
    }

    fn offers(&self) -> Vec<Offer> {
        vec![self.offered().to_offer()]
    }

    fn accept(&self, offer: &Offer) -> Option<Accepted> {
        let answer = self.answer(Params::parse(offer).ok()?);
        let agreed = Agreed::under(&answer, self.server_window_bits, BITS_MAX);
        let extension = self.codec(agreed.server, agreed.client);
        Some(Accepted { response: answer.to_offer(), extension })
    }

    fn confirm(&self, response: &Offer) -> Result<Box<dyn Extension>, NegotiationError> {
        let agreed = self
            .judge(response)
            .map_err(|fault| NegotiationError { response: response.to_string(), fault })?;
        Ok(self.codec(agreed.client, agreed.server))
    }
}

/// How one side compresses on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Direction {
    takeover: bool,
    /// 8 to 15.
    window_bits: u8,
}

/// How both sides compress on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Agreed {
    server: Direction,
    client: Direction,
}

impl Agreed {
    /// What `answer` says, and the given window bits where it says nothing.
    fn under(answer: &Params, server_bits: u8, client_bits: u8) -> Self {
        let server = Direction {
            takeover: !answer.server_no_context_takeover,
            window_bits: answer.server_max_window_bits.unwrap_or(server_bits),
        };
        let client = Direction {
            takeover: !answer.client_no_context_takeover,
            window_bits: match answer.client_max_window_bits {
                Some(ClientBits::AtMost(bits)) => bits,
                Some(ClientBits::Understood) | None => client_bits,
            },
        };
        Self { server, client }
    }
}

/// The bits, where they say more than the absence of the parameter.
const fn below_max(bits: u8) -> Option<u8> {
    if bits < BITS_MAX { Some(bits) } else { None }
}

const fn clamp_bits(bits: u8) -> u8 {
    match bits {
        0..BITS_MIN => BITS_MIN,
        BITS_MIN..=BITS_MAX => bits,
        _ => BITS_MAX,
    }
}

const BITS_MIN: u8 = 8;
/// The window without a parameter that bounds it: 32 KiB.
const BITS_MAX: u8 = 15;
/// The effort unless set.
const LEVEL: u8 = 6;
/// Shorter messages are sent plain unless set.
const MIN_BYTES: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn element(line: &str) -> Offer {
        let mut offers = Offer::parse_all([line.as_bytes()]).expect("a line of the grammar");
        assert_eq!(offers.len(), 1, "{line}");
        offers.remove(0)
    }

    /// RFC 7692 §7.1.1.1: what the client asks for (first) against what the server answers
    /// (second).
    #[test]
    fn client_table_of_server_no_context_takeover() {
        let no_takeover = |asked: bool, answer| {
            let client = Deflate::takeover().server_takeover(!asked);
            client.judge(&element(answer)).map(|agreed| !agreed.server.takeover).ok()
        };
        let absent = "permessage-deflate";
        let present = "permessage-deflate; server_no_context_takeover";
        assert_eq!(no_takeover(false, absent), Some(false));
        assert_eq!(no_takeover(false, present), Some(true));
        assert_eq!(no_takeover(true, absent), None);
        assert_eq!(no_takeover(true, present), Some(true));
    }

    /// RFC 7692 §7.1.1.2: a client keeps its own promise.
    #[test]
    fn client_table_of_client_no_context_takeover() {
        let no_takeover = |promised: bool, answer| {
            let client = Deflate::takeover().client_takeover(!promised);
            client.judge(&element(answer)).map(|agreed| !agreed.client.takeover).ok()
        };
        let absent = "permessage-deflate";
        let present = "permessage-deflate; client_no_context_takeover";
        assert_eq!(no_takeover(false, absent), Some(false));
        assert_eq!(no_takeover(false, present), Some(true));
        assert_eq!(no_takeover(true, absent), Some(true));
        assert_eq!(no_takeover(true, present), Some(true));
    }

    /// RFC 7692 §7.1.2.1.
    #[test]
    fn client_table_of_server_max_window_bits() {
        for offered in 8..=15 {
            for answered in 8..=15 {
                let answer =
                    element(&format!("permessage-deflate; server_max_window_bits={answered}"));
                let client = Deflate::takeover().server_window_bits(offered);
                let bits = client.judge(&answer).map(|agreed| agreed.server.window_bits).ok();
                assert_eq!(bits, (answered <= offered).then_some(answered));
            }
            let client = Deflate::takeover().server_window_bits(offered);
            let bits = client.judge(&element("permessage-deflate"));
            let bits = bits.map(|agreed| agreed.server.window_bits).ok();
            assert_eq!(bits, (offered == 15).then_some(15), "15 is not offered");
        }
    }

    /// RFC 7692 §7.1.2.2. (This client always offers the parameter.)
    #[test]
    fn client_table_of_client_max_window_bits() {
        for offered in 8..=15 {
            let client = Deflate::takeover().client_window_bits(offered);
            for answered in 8..=15 {
                let answer =
                    element(&format!("permessage-deflate; client_max_window_bits={answered}"));
                let bits = client.judge(&answer).map(|agreed| agreed.client.window_bits).ok();
                assert_eq!(bits, (answered <= offered).then_some(answered));
            }
            let agreed = client.judge(&element("permessage-deflate"));
            assert_eq!(agreed.map(|agreed| agreed.client.window_bits), Ok(offered));
        }
    }

    /// RFC 7692 §7.1.2.1: a compressor may always use a smaller window than was agreed.
    #[test]
    fn server_compresses_with_its_own_bound_where_none_is_asked_for() {
        let server = Deflate::takeover().server_window_bits(10);
        let answer = server.answer(Params::default());
        assert_eq!(answer, Params::default());
        assert_eq!(Agreed::under(&answer, server.server_window_bits, 15).server.window_bits, 10);
    }

    #[test]
    fn settings_are_brought_into_range() {
        let deflate = Deflate::shared().level(99).server_window_bits(0).client_window_bits(99);
        assert_eq!(deflate, Deflate::shared().level(9).server_window_bits(8));
        assert_eq!(Deflate::default(), Deflate::shared());
    }
}
