//! An extension without a function, for tests that negotiate one.

use std::sync::Arc;

use duplexer_proto::extension::{
    Accepted, Boundary, DecodeError, Decoded, Extension, NegotiationError, Negotiator, Offer,
};
use duplexer_proto::frame::Rsv;
use duplexer_proto::{MessageKind, Scratch};

/// Negotiators for extensions of these names, each with its bits.
pub(crate) fn toys(toys: &[(&'static str, Rsv)]) -> Arc<[Arc<dyn Negotiator>]> {
    toys.iter().map(|&(name, rsv)| Arc::new(Toy(name, rsv)) as Arc<dyn Negotiator>).collect()
}

/// An extension of this name that uses these bits, accepted without parameters only.
#[derive(Clone, Debug)]
struct Toy(&'static str, Rsv);

impl Negotiator for Toy {
    fn name(&self) -> &str {
        self.0
    }

    fn offers(&self) -> Vec<Offer> {
        vec![Offer::new(self.0)]
    }

    fn accept(&self, offer: &Offer) -> Option<Accepted> {
        let extension = Box::new(self.clone());
        offer.params().is_empty().then(|| Accepted { response: Offer::new(self.0), extension })
    }

    fn confirm(&self, _: &Offer) -> Result<Box<dyn Extension>, NegotiationError> {
        Ok(Box::new(self.clone()))
    }
}

impl Extension for Toy {
    fn rsv(&self) -> Rsv {
        self.1
    }

    fn wants(&self, _: MessageKind, _: Option<u64>) -> bool {
        false
    }

    fn encode(&mut self, input: &[u8], _: Boundary, _: &mut Scratch, output: &mut Vec<u8>) {
        output.extend_from_slice(input);
    }

    fn share_class(&self) -> Option<u32> {
        None
    }

    fn decode(
        &mut self,
        _: &[u8],
        _: bool,
        _: usize,
        _: &mut Scratch,
        _: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError> {
        Ok(Decoded { consumed: 0, done: true })
    }
}
