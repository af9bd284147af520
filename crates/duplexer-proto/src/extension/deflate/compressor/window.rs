//! What was said, for as far back as a match may reach, and where each four bytes of it are (RFC 1951 §4). Positions
//! count from the beginning of everything, so that nothing has to be cleared or moved with the bytes.

use super::effort::Effort;

/// Bytes, and chains of the places where they begin alike.
pub(super) struct Window {
    /// The window, then what is not compressed yet.
    bytes: Vec<u8>,
    /// The position of the first byte.
    base: u32,
    /// Where the next match is searched for, in `bytes`.
    pub(super) next: usize,
    /// Bytes before are in the chains.
    chained: usize,
    /// The last position where four bytes with this hash begin, or any older one.
    last: Box<[u32; HASHES]>,
    /// How far back the position before is that has the same hash, by position; 0 is further than the window.
    back: Box<[u16]>,
}

/// A match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    /// 4 to 258 bytes, or less than was to be surpassed.
    pub(super) len: usize,
    /// Bytes back, from 1 to the window.
    pub(super) distance: usize,
}

impl Window {
    /// Remembers 2 to the power of `bits` bytes, from 8 to 15.
    pub(super) fn new(bits: u8) -> Self {
        Self {
            bytes: Vec::new(),
            base: 1,
            next: 0,
            chained: 0,
            last: vec![0; HASHES].try_into().expect("as many"),
            back: vec![0; 1 << bits].into(),
        }
    }

    /// Forgets everything. Positions go on, so that what is in the chains is too far back to be found.
    pub(super) fn clear(&mut self) {
        self.base += u32::try_from(self.bytes.len()).expect("at most the window and a chunk");
        (self.next, self.chained) = (0, 0);
        self.bytes.clear();
        self.rebase(POSITION_MAX / 2);
    }

    /// Takes in what there is room for, and tells how much that is.
    pub(super) fn extend(&mut self, input: &[u8]) -> usize {
        let size = self.back.len();
        if self.bytes.len() + input.len() > size + CHUNK_BYTES && self.next > size {
            let gone = self.next - size;
            self.bytes.drain(..gone);
            self.base += u32::try_from(gone).expect("at most the window and a chunk");
            self.next -= gone;
            self.chained = self.chained.saturating_sub(gone);
            self.rebase(POSITION_MAX);
        }
        let taken = input.len().min(size + CHUNK_BYTES - self.bytes.len());
        let (need, kept) = (self.bytes.len() + taken, self.bytes.capacity());
        if need > kept {
            let room = (2 * kept).clamp(need, size + CHUNK_BYTES);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(&input[..taken]);
        taken
    }

    /// Reads all that searching needs, in order, if there is anything to be found. What many connections keep is not in
    /// the processor's caches, and a search would wait for each piece of it by itself, one after the other.
    pub(super) fn warm(&self) {
        if self.next == 0 {
            return;
        }
        let bytes = self.bytes.iter().step_by(64).fold(0, |sum, byte| sum ^ byte);
        let back = self.back.iter().step_by(32).fold(0, |sum, back| sum ^ back);
        let last = self.last.iter().step_by(16).fold(0, |sum, last| sum ^ last);
        std::hint::black_box((bytes, back, last));
    }

    /// How many bytes are not compressed yet.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.next
    }

    /// All that waits, which is then not waiting any more.
    pub(super) fn skip(&mut self) -> &[u8] {
        let from = std::mem::replace(&mut self.next, self.bytes.len());
        &self.bytes[from..]
    }

    /// The byte at a place.
    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    /// Where the bytes end.
    pub(super) const fn end(&self) -> usize {
        self.bytes.len()
    }

    /// The position of the next byte.
    pub(super) fn position(&self) -> u32 {
        self.base + u32::try_from(self.next).expect("at most the window and a chunk")
    }

    /// What was said from a position to the next byte, if it is all here.
    pub(super) fn since(&self, position: u32) -> Option<&[u8]> {
        let from = position.checked_sub(self.base)?;
        self.bytes.get(from as usize..self.next)
    }

    /// Searches for a match of more than `least` bytes, which are 3 or more, at a place behind all that were searched for.
    #[inline(always)]
    pub(super) fn find(&mut self, at: usize, least: usize, effort: Effort) -> Match {
        let mut best = Match { len: least, distance: 0 };
        self.chain_up_to(at);
        let Some(mut candidate) = self.chain(at) else { return best };
        self.chained = at + 1;
        let (bytes, back, mask) = (&self.bytes[..], &self.back[..], self.back.len() - 1);
        let base = self.base as usize;
        let rest = &bytes[at..bytes.len().min(at + LEN_MAX)];
        if rest.len() <= least {
            return best;
        }
        let first = at.saturating_sub(mask + 1);
        let mut tail = four(rest, best.len - 3);
        for _ in 0..effort.places_max {
            // What is older than all bytes is a number beyond all.
            if candidate < first || candidate >= at {
                break;
            }
            if four(bytes, candidate + best.len - 3) == tail {
                let len = alike(rest, &bytes[candidate..]);
                if len > best.len {
                    best = Match { len, distance: at - candidate };
                    if len >= effort.enough || len == rest.len() {
                        break;
                    }
                    tail = four(rest, len - 3);
                }
            }
            let further = usize::from(back[(base + candidate) & mask]);
            if further == 0 {
                break;
            }
            // At the far end of the window is the entry of the newest place: it leads out of it.
            candidate = candidate.wrapping_sub(further);
        }
        best
    }

    /// Puts what is before a place into the chains. A place with fewer than four bytes stays out until there are more.
    #[inline]
    fn chain_up_to(&mut self, at: usize) {
        let at = at.min(self.bytes.len().saturating_sub(3));
        if self.chained >= at {
            return;
        }
        let mask = self.back.len() - 1;
        let from = self.base + u32::try_from(self.chained).expect("at most the window and a chunk");
        for (position, bytes) in (from..).zip(self.bytes[self.chained..at + 3].windows(4)) {
            let before = std::mem::replace(&mut self.last[hash(bytes)], position);
            self.back[position as usize & mask] = u16::try_from(position - before).unwrap_or(0);
        }
        self.chained = at;
    }

    /// Puts a place into its chain, and tells the one before it there, if it has four bytes.
    #[inline]
    fn chain(&mut self, at: usize) -> Option<usize> {
        let hash = hash(self.bytes.get(at..at + 4)?);
        let position = self.base + u32::try_from(at).expect("at most the window and a chunk");
        let back = position - std::mem::replace(&mut self.last[hash], position);
        let mask = self.back.len() - 1;
        self.back[position as usize & mask] = u16::try_from(back).unwrap_or(0);
        Some(at.wrapping_sub(back as usize))
    }

    /// Starts counting again behind so many. (The last places are not found again then.)
    fn rebase(&mut self, position_max: u32) {
        if self.base > position_max {
            self.base = 1;
            self.last.fill(0);
        }
    }
}

/// Where the last place of four bytes is kept.
#[inline]
fn hash(bytes: &[u8]) -> usize {
    (four(bytes, 0).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// Four bytes as a number.
#[inline]
fn four(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// How many bytes of `rest` are the first of `old`, which is longer.
#[inline]
fn alike(rest: &[u8], old: &[u8]) -> usize {
    let old = &old[..rest.len()];
    // Most matches end here.
    if let (Some(new), Some(old)) = (rest.first_chunk::<16>(), old.first_chunk::<16>()) {
        let differ = u128::from_le_bytes(*new) ^ u128::from_le_bytes(*old);
        if differ != 0 {
            return (differ.trailing_zeros() / 8) as usize;
        }
    }
    let mut len = 0;
    for (new, old) in rest.chunks_exact(8).zip(old.chunks_exact(8)) {
        let eight = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let differ = eight(new) ^ eight(old);
        if differ != 0 {
            return len + (differ.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    len + rest[len..].iter().zip(&old[len..]).take_while(|(new, old)| new == old).count()
}

/// The longest match of DEFLATE.
const LEN_MAX: usize = 258;
/// What is taken in behind the window at once.
pub(super) const CHUNK_BYTES: usize = 16 << 10;
/// More would make chains of fewer places that differ, and more memory to read for each message.
const HASH_BITS: u32 = 13;
const HASHES: usize = 1 << HASH_BITS;
/// Counting starts again behind this position, or behind half of it where a stream begins. A window and a chunk further it is
/// still a number of 32 bits.
const POSITION_MAX: u32 = u32::MAX - (1 << 20);

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: Effort = Effort::of(6);

    /// Says `text`, and tells the match at its beginning.
    fn say(window: &mut Window, text: &[u8]) -> Match {
        let mut rest = text;
        while !rest.is_empty() {
            assert_eq!(window.waiting(), 0, "said before");
            let taken = window.extend(rest);
            rest = &rest[taken..];
            let found = window.find(window.next, 3, EFFORT);
            window.skip();
            if rest.is_empty() {
                return found;
            }
        }
        unreachable!("the text is not empty")
    }

    #[test]
    fn what_was_said_is_found_as_far_back_as_the_window() {
        for bits in [8, 9, 12, 15] {
            let size = 1 << bits;
            for (apart, is_found) in [(size - 10, true), (size, true), (size + 1, false)] {
                let mut window = Window::new(bits);
                say(&mut window, b"a needle");
                let hay: Vec<u8> = (b'A'..b'X').cycle().take(apart - 8).collect();
                say(&mut window, &hay);
                let found = say(&mut window, b"a needle");
                let expected = if is_found { (8, apart) } else { (3, 0) };
                assert_eq!((found.len, found.distance), expected, "{bits} bits");
            }
        }
    }

    #[test]
    fn nothing_is_found_of_what_is_forgotten() {
        let mut window = Window::new(9);
        say(&mut window, b"a needle");
        assert_eq!(say(&mut window, b"a needle").len, 8);
        window.clear();
        assert_eq!(say(&mut window, b"a needle").distance, 0);
        assert_eq!(say(&mut window, b"a needle").len, 8);
    }

    #[test]
    fn positions_start_again_before_they_are_used_up() {
        let mut window = Window::new(9);
        window.base = POSITION_MAX - 40_000;
        let text: Vec<u8> = (0..300_u16).flat_map(u16::to_be_bytes).collect();
        for _ in 0..200 {
            let found = say(&mut window, &text);
            assert!(found.distance == 0 || found.distance <= 512);
            assert_eq!(say(&mut window, b"a needle").distance, 0, "600 bytes ago");
            assert_eq!(say(&mut window, b"a needle").distance, 8);
        }
        assert!(window.base < 200_000, "{}", window.base);
        window.base = POSITION_MAX / 2 + 1;
        window.clear();
        assert_eq!((window.base, say(&mut window, b"a needle").distance), (1, 0));
    }
}
