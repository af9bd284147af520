//! The bytes of a message: a few of them where the message itself is, more by reference. What a chat or a ticker says is small, and
//! allocating for it would cost more than all else that is done with it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::Bytes;

use crate::mask::masked;

/// Immutable bytes, cheap to clone.
#[derive(Clone)]
pub(crate) enum Payload {
    /// In place.
    Small(Small),
    /// By reference.
    Shared(Bytes),
}

impl Payload {
    /// A copy of what [`mask`](crate::mask()) makes of the bytes.
    #[inline]
    pub(crate) fn masked(bytes: &[u8], key: [u8; 4]) -> Self {
        match Small::masked(bytes, key) {
            Some(small) => Self::Small(small),
            None => Self::Shared(masked(bytes, key).into()),
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Small(small) => small.as_slice(),
            Self::Shared(bytes) => bytes,
        }
    }

    /// Appends the bytes to `output`.
    #[inline]
    pub(crate) fn append_to(&self, output: &mut Vec<u8>) {
        match self {
            Self::Small(small) => {
                // All words, since their number is known, and then as many bytes as there are.
                let end = output.len() + small.as_slice().len();
                output.extend_from_slice(&small.0);
                output.truncate(end);
            }
            Self::Shared(bytes) => output.extend_from_slice(bytes),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Small(small) => Bytes::copy_from_slice(small.as_slice()),
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Small(Small([0; _]))
    }
}

/// A copy.
impl From<&[u8]> for Payload {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        Self::masked(bytes, [0; 4])
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

/// Few bytes, and in the last place how many. Behind them stands anything.
#[derive(Clone)]
pub(crate) struct Small([u8; SMALL_BYTES_MAX + 1]);

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
        let mut masked = [0; 24];
        for (place, word) in masked.as_chunks_mut().0.iter_mut().zip(words(bytes)) {
            *place = (word ^ (key << 32 | key)).to_le_bytes();
        }
        let mut small = *masked.first_chunk().expect("as many as fit are no more than three words");
        small[SMALL_BYTES_MAX] = u8::try_from(bytes.len()).ok()?;
        Some(Self(small))
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.0[..usize::from(self.0[SMALL_BYTES_MAX])]
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

/// Most bytes that are kept in place, 23 on 64 bits: as many as fit where a reference to more would be, beside their number and what
/// tells the two apart.
const SMALL_BYTES_MAX: usize = size_of::<Bytes>() - size_of::<usize>() - 1;
const _: () = assert!(SMALL_BYTES_MAX < 24, "they are no more than three words");

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(matches!(copied, Payload::Small(_)), len <= SMALL_BYTES_MAX);
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
                let copy = Payload::masked(&bytes, key);
                crate::mask(&mut bytes, key, 0);
                assert_eq!(copy.as_slice(), bytes, "{key:?}, {len}");
                let mut appended = b"before".to_vec();
                copy.append_to(&mut appended);
                assert_eq!(appended, [b"before", &bytes[..]].concat(), "{key:?}, {len}");
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
