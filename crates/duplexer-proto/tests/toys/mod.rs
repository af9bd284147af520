//! Two extensions that exist for the tests: `x-rot13` keeps the length and remembers nothing,
//! `x-runs` changes the length and has state inside a message.

use duplexer_proto::extension::{
    Accepted, Boundary, DecodeError, Decoded, Extension, NegotiationError, Negotiator, Offer,
};
use duplexer_proto::frame::Rsv;
use duplexer_proto::{MessageKind, Role, Scratch};

/// One end of what two ends with the same settings agree on.
pub(crate) fn agree(role: Role, negotiator: &dyn Negotiator) -> Box<dyn Extension> {
    let offer = negotiator.offers().remove(0);
    let accepted = negotiator.accept(&offer).expect("a server accepts an offer like its own");
    match role {
        Role::Server => accepted.extension,
        Role::Client => negotiator.confirm(&accepted.response).expect("an answer like the offer"),
    }
}

/// Moves the letters of texts by half the alphabet. Marks its messages with RSV2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rot13;

impl Negotiator for Rot13 {
    fn name(&self) -> &str {
        "x-rot13"
    }

    fn offers(&self) -> Vec<Offer> {
        vec![Offer::new(self.name()).with_value("turns", 1)]
    }

    fn accept(&self, offer: &Offer) -> Option<Accepted> {
        let response = Offer::new(self.name());
        (offer == &self.offers()[0]).then(|| Accepted { response, extension: Box::new(*self) })
    }

    fn confirm(&self, response: &Offer) -> Result<Box<dyn Extension>, NegotiationError> {
        match response.params() {
            [] => Ok(Box::new(*self)),
            [_, ..] => Err(NegotiationError {
                response: response.to_string(),
                fault: "no parameters are answered".to_owned(),
            }),
        }
    }
}

impl Extension for Rot13 {
    fn rsv(&self) -> Rsv {
        Rsv::RSV2
    }

    fn wants(&self, kind: MessageKind, _len: Option<u64>) -> bool {
        kind == MessageKind::Text
    }

    fn encode(
        &mut self,
        input: &[u8],
        _boundary: Boundary,
        _scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) {
        output.extend(input.iter().map(|byte| match byte {
            b'a'..=b'm' | b'A'..=b'M' => byte + 13,
            b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
            other => *other,
        }));
    }

    fn share_class(&self) -> Option<u32> {
        Some(13)
    }

    fn decode(
        &mut self,
        input: &[u8],
        _end: bool,
        room: usize,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError> {
        let consumed = input.len().min(room);
        self.encode(&input[..consumed], Boundary::Within, scratch, output);
        Ok(Decoded { consumed, done: consumed == input.len() })
    }
}

/// Writes each run of equal bytes as its length, 1 to 255, and the byte. Marks its messages with
/// RSV3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs;

impl Negotiator for Runs {
    fn name(&self) -> &str {
        "x-runs"
    }

    fn offers(&self) -> Vec<Offer> {
        vec![Offer::new(self.name())]
    }

    fn accept(&self, offer: &Offer) -> Option<Accepted> {
        let extension = Box::new(RunsCodec::default());
        offer.params().is_empty().then(|| Accepted { response: offer.clone(), extension })
    }

    fn confirm(&self, _response: &Offer) -> Result<Box<dyn Extension>, NegotiationError> {
        Ok(Box::new(RunsCodec::default()))
    }
}

#[derive(Debug, Default)]
struct RunsCodec {
    /// The run that may go on: length and byte. Outgoing.
    open: Option<(u8, u8)>,
    /// A length whose byte has not come. Incoming.
    len: Option<u8>,
    /// The run that has no room yet: what is left of its length, and its byte. Incoming.
    left: (u8, u8),
}

impl Extension for RunsCodec {
    fn rsv(&self) -> Rsv {
        Rsv::RSV3
    }

    fn wants(&self, _kind: MessageKind, _len: Option<u64>) -> bool {
        true
    }

    fn encode(
        &mut self,
        input: &[u8],
        boundary: Boundary,
        _scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) {
        for &byte in input {
            match &mut self.open {
                Some((len, of)) if *of == byte && *len < u8::MAX => *len += 1,
                open => {
                    if let Some((len, of)) = open.replace((1, byte)) {
                        output.extend([len, of]);
                    }
                }
            }
        }
        if boundary != Boundary::Within
            && let Some((len, of)) = self.open.take()
        {
            output.extend([len, of]);
        }
    }

    fn share_class(&self) -> Option<u32> {
        None
    }

    fn decode(
        &mut self,
        input: &[u8],
        end: bool,
        room: usize,
        _scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError> {
        let fault = |fault| DecodeError { extension: "x-runs", fault };
        let limit = output.len().saturating_add(room);
        let mut consumed = 0;
        loop {
            let (left, byte) = &mut self.left;
            let len = usize::from(*left).min(limit - output.len());
            output.resize(output.len() + len, *byte);
            *left -= u8::try_from(len).expect("at most what was left");
            if *left > 0 {
                return Ok(Decoded { consumed, done: false });
            }
            match (input.get(consumed), self.len.take()) {
                (Some(0), None) => return Err(fault("a run of nothing")),
                (Some(&len), None) => self.len = Some(len),
                (Some(&byte), Some(len)) => self.left = (len, byte),
                (None, Some(_)) if end => return Err(fault("the message ends inside a run")),
                (None, len) => {
                    self.len = len;
                    return Ok(Decoded { consumed, done: true });
                }
            }
            consumed += 1;
        }
    }
}
