//! The bytes of a message: a few of them where the message itself is, more by reference. What a chat or a ticker says is small, and
//! allocating for it would cost more than all else that is done with it.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use crate::assured::{SMALL_BYTES_MAX, Small};
use crate::mask::{mask, masked, masked_behind};

/// Immutable bytes, cheap to clone. On 64 bits as large as a reference alone: what else there is stands together in [`Own`],
/// since `Bytes` have one value to spare.
#[derive(Clone)]
pub(crate) enum Payload {
    /// By reference.
    Shared(Bytes),
    /// Made here.
    Own(Own),
}

/// Bytes that were copied here.
#[derive(Clone)]
pub(crate) enum Own {
    /// In place.
    Small(Small),
    /// By reference, to leave in another frame from the same place.
    Roomy(Roomy),
}

impl Payload {
    /// A copy of what [`mask`](crate::mask()) makes of the bytes, where `check` finds nothing wrong with it.
    // What is checked is not what is returned: with a reference to it, that would be put together in memory.
    #[inline]
    pub(crate) fn masked<E>(
        bytes: &[u8],
        key: [u8; 4],
        check: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        if let Some(small) = Small::masked(bytes, key) {
            let same = small;
            check(same.as_slice())?;
            return Ok(Self::Own(Own::Small(small)));
        }
        if bytes.len() < REFERENCE_BYTES_MIN {
            let copy = masked(bytes, key);
            check(&copy)?;
            // What `Bytes` would do with a vector by a call, which puts them together in memory.
            return Ok(Self::Shared(Bytes::from(copy.into_boxed_slice())));
        }
        let roomy = Roomy::masked(bytes, key);
        check(roomy.as_slice())?;
        Ok(Self::Own(Own::Roomy(roomy)))
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(Own::Small(small)) => small.as_slice(),
            Self::Shared(bytes) => bytes,
            Self::Own(Own::Roomy(roomy)) => roomy.as_slice(),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Own(Own::Small(small)) => Bytes::copy_from_slice(small.as_slice()),
            Self::Shared(bytes) => bytes,
            Self::Own(Own::Roomy(roomy)) => roomy.into_bytes(),
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::from(&[][..])
    }
}

/// A copy.
impl From<&[u8]> for Payload {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        let Ok(payload) = Self::masked(bytes, [0; 4], |_| Ok::<_, Infallible>(()));
        payload
    }
}

/// Without a copy, however few they are: somebody has allocated already.
impl From<Bytes> for Payload {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Payload {}

impl PartialOrd for Payload {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Payload {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl Hash for Payload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

/// As `Bytes` are shown.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.clone().into_bytes(), f)
    }
}

impl Small {
    /// What [`mask`](crate::mask()) makes of `bytes`, where they are so few.
    ///
    /// In words, since a processor waits long for bytes that it has just written in other portions than it reads them in.
    #[inline]
    fn masked(bytes: &[u8], key: [u8; 4]) -> Option<Self> {
        if bytes.len() > SMALL_BYTES_MAX {
            return None;
        }
        let key = u64::from(u32::from_le_bytes(key));
        let [first, second, third] = words(bytes).map(|word| word ^ (key << 32 | key));
        Self::from_words([first, second, third << 8 >> 8 | (bytes.len() as u64) << 56])
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.as_bytes()[..self.len()]
    }

    /// Appends the bytes to `output`.
    #[inline]
    pub(crate) fn append_to(&self, output: &mut Vec<u8>) {
        // All words, since their number is known, and then as many bytes as there are.
        let end = output.len() + self.len();
        output.extend_from_slice(self.as_bytes());
        output.truncate(end);
    }
}

/// Bytes behind some zeros, which are room for the header of a frame: what leaves in one piece needs no vectored write, which costs
/// the kernel more.
#[derive(Clone)]
pub(crate) struct Roomy(Arc<Vec<u8>>);

impl Roomy {
    /// What [`mask`](crate::mask()) makes of `bytes`.
    // A call, so that it comes in one register, and the message that it may be is not put together in memory.
    #[inline(never)]
    fn masked(bytes: &[u8], key: [u8; 4]) -> Self {
        Self(Arc::new(masked_behind(ROOM_BYTES, bytes, key)))
    }

    fn as_slice(&self) -> &[u8] {
        &self.0[ROOM_BYTES..]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len() - ROOM_BYTES
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match Arc::try_unwrap(self.0) {
            Ok(whole) => from(whole, ROOM_BYTES),
            Err(held) => Bytes::from_owner(Self(held)),
        }
    }

    /// The bytes behind `header`, masked if there is a `key`; as they are where somebody else holds them too.
    pub(crate) fn behind(self, header: &[u8], key: Option<[u8; 4]>) -> Result<Bytes, Self> {
        let mut whole = Arc::try_unwrap(self.0).map_err(Self)?;
        let (room, bytes) = whole.split_at_mut(ROOM_BYTES);
        let start = room.len() - header.len();
        room[start..].copy_from_slice(header);
        if let Some(key) = key {
            mask(bytes, key, 0);
        }
        Ok(from(whole, start))
    }
}

/// The bytes from `start` on.
fn from(whole: Vec<u8>, start: usize) -> Bytes {
    let mut bytes = Bytes::from(whole);
    bytes.advance(start);
    bytes
}

impl AsRef<[u8]> for Roomy {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

/// At most 23 bytes in words, the first byte lowest, and zeros.
#[inline]
fn words(bytes: &[u8]) -> [u64; 3] {
    let Some((first, rest)) = bytes.split_first_chunk() else { return [part(bytes), 0, 0] };
    let first = u64::from_le_bytes(*first);
    let Some((second, rest)) = rest.split_first_chunk() else { return [first, part(rest), 0] };
    [first, u64::from_le_bytes(*second), part(rest)]
}

/// Fewer than eight bytes as the low part of a word. Some are taken twice.
#[inline]
fn part(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
        return first | last << (8 * (len - 4));
    }
    let byte = |at: usize| u64::from(bytes[at]) << (8 * at);
    if len == 0 { 0 } else { byte(0) | byte(len / 2) | byte(len - 1) }
}

/// From this many bytes on they wait to be sent by reference instead of as a copy.
pub(crate) const REFERENCE_BYTES_MIN: usize = 4 << 10;
/// At least what the longest header takes, and what is behind it begins where vectors like to.
const ROOM_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_payload_takes_no_more_room_than_a_reference() {
        assert_eq!(size_of::<Payload>(), size_of::<Bytes>());
    }

    #[test]
    fn bytes_in_place_equal_the_same_bytes_by_reference() {
        for len in [0, 1, SMALL_BYTES_MAX - 1, SMALL_BYTES_MAX, SMALL_BYTES_MAX + 1, 100] {
            let bytes: Vec<u8> = (1..).take(len).collect();
            let (copied, shared) =
                (Payload::from(&bytes[..]), Payload::from(Bytes::from(bytes.clone())));
            assert_eq!(matches!(copied, Payload::Own(Own::Small(_))), len <= SMALL_BYTES_MAX);
            assert_eq!(copied, shared);
            assert_eq!(copied.cmp(&shared), Ordering::Equal);
            assert_eq!(format!("{copied:?}"), format!("{:?}", Bytes::from(bytes.clone())));
            let of = |payload: &Payload| {
                let mut hasher = std::hash::DefaultHasher::new();
                payload.hash(&mut hasher);
                hasher.finish()
            };
            assert_eq!(of(&copied), of(&shared));
            assert_eq!(copied.clone().as_slice(), bytes);
            assert_eq!(copied.into_bytes(), bytes);
        }
    }

    #[test]
    fn a_masked_copy_is_what_masking_in_place_makes() {
        for key in [[0; 4], [0x37, 0xfa, 0x21, 0x3d]] {
            for len in 0..=SMALL_BYTES_MAX + 2 {
                let mut bytes: Vec<u8> = (1..).take(len).collect();
                let Ok(copy) = Payload::masked(&bytes, key, |_| Ok::<_, Infallible>(()));
                crate::mask(&mut bytes, key, 0);
                assert_eq!(copy.as_slice(), bytes, "{key:?}, {len}");
                let Payload::Own(Own::Small(small)) = copy else { continue };
                let mut appended = b"before".to_vec();
                small.append_to(&mut appended);
                assert_eq!(appended, [b"before", &bytes[..]].concat(), "{key:?}, {len}");
            }
        }
    }

    #[test]
    fn what_has_room_for_a_header_is_the_same_bytes_whoever_holds_them() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(REFERENCE_BYTES_MIN + 3).collect();
        let roomy = || {
            let Payload::Own(Own::Roomy(roomy)) = Payload::from(&bytes[..]) else {
                panic!("so many bytes are not copied once more");
            };
            roomy
        };
        assert_eq!((roomy().as_slice(), roomy().len()), (&bytes[..], bytes.len()));
        assert_eq!(roomy().into_bytes(), bytes);
        let held = roomy();
        assert_eq!(held.clone().into_bytes(), bytes);
        let refused = held.clone().behind(b"header", Some(key)).expect_err("it is held twice");
        assert_eq!((refused.as_slice(), held.as_slice()), (&bytes[..], &bytes[..]));
        for (key, masked) in [(None, &bytes), (Some(key), &masked(&bytes, key))] {
            let framed = roomy().behind(b"header", key).ok().expect("nobody else holds it");
            assert_eq!(framed, [b"header", &masked[..]].concat());
        }
    }

    #[test]
    fn words_become_the_bytes_that_they_are_made_of_unless_they_say_too_much() {
        for len in 0..=u8::MAX {
            let bytes = std::array::from_fn(|at| if at == 23 { len } else { at.to_le_bytes()[0] });
            let words = [0, 8, 16]
                .map(|at| u64::from_le_bytes(bytes[at..][..8].try_into().expect("they are eight")));
            let small = Small::from_words(words);
            assert_eq!(small.is_some(), usize::from(len) <= SMALL_BYTES_MAX, "{len}");
            if let Some(small) = small {
                assert_eq!((small.as_bytes(), small.len()), (&bytes, usize::from(len)));
            }
        }
    }

    #[test]
    fn payloads_are_ordered_as_their_bytes_are() {
        let long = Payload::from(Bytes::from_static(&[1; 100]));
        assert!(Payload::from(&[1][..]) < long);
        assert!(long < Payload::from(&[2][..]));
    }
}
