//! The extensions of one connection, one behind the other (RFC 6455 §9.1): "bar(foo(data))"
//! outgoing where the server answered "foo, bar", and back through them incoming. Knows none of
//! them.

use crate::extension::{Boundary, DecodeError, Decoded, Extension};
use crate::frame::Rsv;
use crate::message::MessageKind;
use crate::scratch::Scratch;

/// A connection's extensions in the order in which the server named them. Boxed, since many connections have none.
#[derive(Debug, Default)]
pub(crate) struct Chain(Option<Box<Links>>);

/// The extensions of a connection that has some.
#[derive(Debug)]
struct Links {
    /// No two share a reserved bit, so there are three at most.
    extensions: Box<[Box<dyn Extension>]>,
    /// While a message that two or more transform is arriving.
    unfinished: Option<Box<[Stage]>>,
}

impl Chain {
    /// Puts the extensions behind each other.
    pub(crate) fn new(extensions: Vec<Box<dyn Extension>>) -> Self {
        debug_assert!(
            extensions.iter().enumerate().all(|(at, extension)| {
                !extension.rsv().is_empty()
                    && !extensions[..at].iter().any(|other| other.rsv().intersects(extension.rsv()))
            }),
            "every extension marks its messages with a bit of its own"
        );
        if extensions.is_empty() {
            return Self(None);
        }
        Self(Some(Box::new(Links { extensions: extensions.into(), unfinished: None })))
    }

    /// Whether no extension was negotiated.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The extensions.
    fn all(&self) -> &[Box<dyn Extension>] {
        self.0.as_deref().map_or(&[], |links| &links.extensions)
    }

    /// Those that `active` names, in the order in which they encode.
    fn chosen(&mut self, active: Rsv) -> impl DoubleEndedIterator<Item = &mut Box<dyn Extension>> {
        let all = self.0.as_deref_mut().map_or(&mut [][..], |links| &mut links.extensions);
        all.iter_mut().filter(move |extension| extension.rsv().intersects(active))
    }

    /// The reserved bits that a message may carry.
    pub(crate) fn rsv(&self) -> Rsv {
        self.all().iter().fold(Rsv::EMPTY, |bits, extension| bits.union(extension.rsv()))
    }

    /// The bits of the extensions that transform the next outgoing message, of `len` bytes where
    /// that is known. Without `compress` it is sent as it is.
    pub(crate) fn choose(&self, kind: MessageKind, mut len: Option<u64>, compress: bool) -> Rsv {
        let mut active = Rsv::EMPTY;
        if compress {
            for extension in self.all() {
                if extension.wants(kind, len) {
                    active = active.union(extension.rsv());
                    len = None;
                }
            }
        }
        active
    }

    /// A number that is equal for connections that encode any message with `active` to the same
    /// bytes.
    pub(crate) fn share_class(&self, active: Rsv) -> Option<u32> {
        let mut chosen = self.all().iter().filter(|extension| extension.rsv().intersects(active));
        match (chosen.next(), chosen.next()) {
            (Some(only), None) => only.share_class(),
            (None, _) | (Some(_), Some(_)) => None,
        }
    }

    /// Passes a piece of an outgoing message through the `active` extensions: takes all of `input`
    /// and appends to `output`.
    pub(crate) fn encode(
        &mut self,
        active: Rsv,
        input: &[u8],
        boundary: Boundary,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) {
        let mut chosen = self.chosen(active);
        let Some(mut last) = chosen.next() else {
            output.extend_from_slice(input);
            return;
        };
        let Some(mut next) = chosen.next() else {
            last.encode(input, boundary, scratch, output);
            return;
        };
        let mut before = scratch.take_buffer();
        let mut after = scratch.take_buffer();
        last.encode(input, boundary, scratch, &mut before);
        loop {
            last = next;
            next = match chosen.next() {
                Some(next) => next,
                None => break,
            };
            last.encode(&before, boundary, scratch, &mut after);
            before.clear();
            std::mem::swap(&mut before, &mut after);
        }
        last.encode(&before, boundary, scratch, output);
        scratch.give_buffer(before);
        scratch.give_buffer(after);
    }

    /// Passes a piece of an incoming message back through the `active` extensions, as
    /// [`Extension::decode`] does for one. Between two of them at most 16 KiB wait, and nothing
    /// between messages.
    ///
    /// # Errors
    /// One of the extensions cannot read its stream.
    pub(crate) fn decode(
        &mut self,
        active: Rsv,
        input: &[u8],
        end: bool,
        room: usize,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError> {
        let several = self.chosen(active).nth(1).is_some();
        if let Some(links) = self.0.as_mut().filter(|_| several) {
            return links.decode_many(active, input, end, room, scratch, output);
        }
        let Some(only) = self.chosen(active).next() else {
            let consumed = input.len().min(room);
            output.extend_from_slice(&input[..consumed]);
            return Ok(Decoded { consumed, done: consumed == input.len() });
        };
        only.decode(input, end, room, scratch, output)
    }

    /// Gives up the incoming message that the `active` extensions decode. Tells whether nothing more of it is to be decoded.
    pub(crate) fn abandon(&mut self, active: Rsv, scratch: &mut Scratch) -> bool {
        let mut chosen = self.chosen(active);
        match (chosen.next(), chosen.next()) {
            (None, _) => true,
            (Some(only), None) => only.abandon(scratch),
            // One may have to go on with what another would no longer put out.
            (Some(_), Some(_)) => false,
        }
    }
}

impl Links {
    fn decode_many(
        &mut self,
        active: Rsv,
        input: &[u8],
        end: bool,
        room: usize,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Decoded, DecodeError> {
        let count = self.extensions.iter().filter(|one| one.rsv().intersects(active)).count();
        let mut stages = self
            .unfinished
            .take()
            .unwrap_or_else(|| std::iter::repeat_with(Stage::default).take(count).collect());
        let limit = output.len().saturating_add(room);
        let mut consumed = 0;
        // The one that encoded last decodes first. Each round moves bytes or ends a stage, and both
        // are bounded.
        loop {
            let mut moved = false;
            let decoders =
                self.extensions.iter_mut().rev().filter(|one| one.rsv().intersects(active));
            for (at, extension) in decoders.enumerate() {
                let (before, rest) = stages.split_at_mut(at);
                let [stage, after @ ..] = rest else { unreachable!("one stage for each") };
                let (from, from_ended) = match before.last() {
                    None => (&input[consumed..], end),
                    Some(previous) => (previous.waiting(), previous.ended),
                };
                if stage.ended || (from.is_empty() && !from_ended && !stage.blocked) {
                    continue;
                }
                let (into, room) = if after.is_empty() {
                    let room = limit - output.len();
                    (&mut *output, room)
                } else {
                    stage.compact();
                    let room = STAGE_BYTES_MAX - stage.bytes.len();
                    (&mut stage.bytes, room)
                };
                let len_before = into.len();
                let decoded = extension.decode(from, from_ended, room, scratch, into)?;
                moved |= decoded.consumed != 0 || into.len() != len_before;
                stage.blocked = !decoded.done;
                if from_ended && decoded.done {
                    stage.ended = true;
                    moved = true;
                }
                match before.last_mut() {
                    None => consumed += decoded.consumed,
                    Some(previous) => previous.read += decoded.consumed,
                }
            }
            if !moved {
                break;
            }
        }
        let ended = stages.last().is_some_and(|last| last.ended);
        let idle = stages.iter().all(|stage| !stage.blocked && stage.waiting().is_empty());
        if !ended {
            self.unfinished = Some(stages);
        }
        let done = if end { ended } else { idle && consumed == input.len() };
        Ok(Decoded { consumed, done })
    }
}

/// One extension's part in a message that is arriving.
#[derive(Debug, Default)]
struct Stage {
    /// What it has put out for the next one; the last one's goes to the caller.
    bytes: Vec<u8>,
    /// How much of `bytes` the next one has taken.
    read: usize,
    /// Whether something waits in it for room.
    blocked: bool,
    /// Whether it has put out the end of the message.
    ended: bool,
}

impl Stage {
    fn waiting(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    /// Frees the room of what was taken.
    fn compact(&mut self) {
        self.bytes.drain(..self.read);
        self.read = 0;
    }
}

/// Most bytes between two extensions.
const STAGE_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds to every byte; marks its messages with RSV2. Stands for any extension that keeps the
    /// length.
    #[derive(Debug)]
    struct Shift(u8);

    impl Extension for Shift {
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
            output.extend(input.iter().map(|byte| byte.wrapping_add(self.0)));
        }

        fn share_class(&self) -> Option<u32> {
            Some(self.0.into())
        }

        fn decode(
            &mut self,
            input: &[u8],
            _end: bool,
            room: usize,
            _scratch: &mut Scratch,
            output: &mut Vec<u8>,
        ) -> Result<Decoded, DecodeError> {
            let consumed = room.min(input.len());
            output.extend(input[..consumed].iter().map(|byte| byte.wrapping_sub(self.0)));
            Ok(Decoded { consumed, done: consumed == input.len() })
        }
    }

    /// Writes every byte three times and ends each message with a full stop; holds what has no
    /// room.
    #[derive(Debug, Default)]
    struct Thrice(Vec<u8>);

    impl Extension for Thrice {
        fn rsv(&self) -> Rsv {
            Rsv::RSV3
        }

        fn wants(&self, _kind: MessageKind, len: Option<u64>) -> bool {
            len.is_none_or(|len| len > 1)
        }

        fn encode(
            &mut self,
            input: &[u8],
            boundary: Boundary,
            _scratch: &mut Scratch,
            output: &mut Vec<u8>,
        ) {
            output.extend(input.iter().flat_map(|&byte| [byte; 3]));
            if boundary == Boundary::End {
                output.push(b'.');
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
            self.0.extend_from_slice(input);
            let fault = |fault| DecodeError { extension: "x-thrice", fault };
            let letters = (self.0.len() / 3).min(room);
            for three in self.0.drain(..letters * 3).as_slice().chunks(3) {
                if three.iter().any(|byte| *byte != three[0]) {
                    return Err(fault("not thrice"));
                }
                output.push(three[0]);
            }
            let blocked = self.0.len() >= 3;
            if end && !blocked && std::mem::take(&mut self.0) != b"." {
                return Err(fault("no full stop"));
            }
            Ok(Decoded { consumed: input.len(), done: !blocked })
        }
    }

    fn chain() -> Chain {
        Chain::new(vec![Box::new(Shift(1)), Box::new(Thrice::default())])
    }

    fn scratch() -> Scratch {
        Scratch::new(|| [0; 4])
    }

    const BOTH: Rsv = Rsv::RSV2.union(Rsv::RSV3);

    /// Decodes a message in pieces of `cut` bytes with `room` at a time, as a connection does.
    fn decode(
        chain: &mut Chain,
        active: Rsv,
        wire: &[u8],
        cut: usize,
        room: usize,
    ) -> Result<Vec<u8>, DecodeError> {
        let mut scratch = scratch();
        let mut message = Vec::new();
        let mut start = 0;
        loop {
            let piece = &wire[start..wire.len().min(start + cut)];
            let end = start + piece.len() == wire.len();
            let before = message.len();
            let decoded = chain.decode(active, piece, end, room, &mut scratch, &mut message)?;
            assert!(message.len() - before <= room);
            assert!(decoded.consumed > 0 || message.len() > before || decoded.done);
            start += decoded.consumed;
            if end && decoded.done {
                return Ok(message);
            }
        }
    }

    #[test]
    fn empty_chain_passes_messages_as_they_are() {
        let mut chain = Chain::new(Vec::new());
        let mut wire = Vec::new();
        assert!(chain.is_empty() && chain.rsv().is_empty());
        assert_eq!(chain.choose(MessageKind::Text, Some(9), true), Rsv::EMPTY);
        chain.encode(Rsv::EMPTY, b"abc", Boundary::End, &mut scratch(), &mut wire);
        assert_eq!(wire, b"abc");
        assert_eq!(decode(&mut chain, Rsv::EMPTY, b"abc", 9, 2), Ok(b"abc".to_vec()));
    }

    #[test]
    fn chain_holds_two_pointers_while_idle() {
        assert!(size_of::<Chain>() <= 4 * size_of::<usize>());
    }

    /// RFC 6455 §9.1: with "foo, bar" the data is "bar(foo(data))".
    #[test]
    fn extensions_apply_in_the_order_of_the_answer_and_back_in_reverse() {
        let mut chain = chain();
        let mut wire = Vec::new();
        chain.encode(BOTH, b"a", Boundary::Within, &mut scratch(), &mut wire);
        chain.encode(BOTH, b"b", Boundary::End, &mut scratch(), &mut wire);
        assert_eq!(wire, b"bbbccc.");
        for cut in 1..=wire.len() {
            for room in 1..=3 {
                assert_eq!(decode(&mut chain, BOTH, &wire, cut, room), Ok(b"ab".to_vec()));
                assert!(chain.0.as_ref().expect("there are two").unfinished.is_none());
            }
        }
    }

    #[test]
    fn single_active_extension_is_called_directly() {
        let mut chain = chain();
        for (active, expected) in [(Rsv::RSV2, &b"bc"[..]), (Rsv::RSV3, b"aaabbb.")] {
            let mut wire = Vec::new();
            chain.encode(active, b"ab", Boundary::End, &mut scratch(), &mut wire);
            assert_eq!(wire, expected);
            assert_eq!(decode(&mut chain, active, &wire, 1, 1), Ok(b"ab".to_vec()));
        }
    }

    #[test]
    fn each_extension_chooses_and_knows_the_length_only_of_what_it_gets() {
        let chain = chain();
        assert_eq!(chain.rsv(), BOTH);
        assert_eq!(chain.choose(MessageKind::Binary, Some(1), true), Rsv::EMPTY);
        assert_eq!(chain.choose(MessageKind::Binary, Some(2), true), Rsv::RSV3);
        assert_eq!(chain.choose(MessageKind::Text, Some(1), true), BOTH);
        assert_eq!(chain.choose(MessageKind::Text, Some(9), false), Rsv::EMPTY);
    }

    #[test]
    fn bytes_are_shared_only_where_one_extension_makes_them() {
        let chain = chain();
        assert_eq!(chain.share_class(Rsv::EMPTY), None);
        assert_eq!(chain.share_class(Rsv::RSV2), Some(1));
        assert_eq!(chain.share_class(Rsv::RSV3), None);
        assert_eq!(chain.share_class(BOTH), None);
    }

    #[test]
    fn what_waits_between_extensions_is_bounded_and_ends_with_the_message() {
        let mut chain = chain();
        let (mut wire, mut message) = (Vec::new(), Vec::new());
        let text = vec![b'x'; 1 << 20];
        chain.encode(BOTH, &text, Boundary::End, &mut scratch(), &mut wire);
        let taken = chain
            .decode(BOTH, &wire[..wire.len() - 9], false, 10, &mut scratch(), &mut message)
            .expect("a part of a valid message");
        assert!(!taken.done && message.len() == 10);
        let unfinished = &chain.0.as_ref().expect("there are two").unfinished;
        let held = unfinished.iter().flatten().map(|stage| stage.bytes.len()).sum::<usize>();
        assert!(held > 0 && held <= STAGE_BYTES_MAX, "{held}");
        let rest = decode(&mut chain, BOTH, &wire[taken.consumed..], 1 << 20, 1 << 20);
        assert_eq!(rest.map(|rest| rest.len()), Ok(text.len() - 10));
        assert!(chain.0.expect("there are two").unfinished.is_none());
    }

    #[test]
    fn fault_of_either_extension_is_the_chains() {
        let fault = |fault| DecodeError { extension: "x-thrice", fault };
        assert_eq!(decode(&mut chain(), BOTH, b"bbc", 9, 9), Err(fault("not thrice")));
        assert_eq!(decode(&mut chain(), BOTH, b"bbb", 9, 9), Err(fault("no full stop")));
    }
}
