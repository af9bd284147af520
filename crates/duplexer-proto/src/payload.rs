//! The bytes of a message: a few of them where the message itself is, more by reference. What a chat or a ticker says is small, and
//! allocating for it would cost more than all else that is done with it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::Bytes;

/// Immutable bytes, cheap to clone.
#[derive(Clone)]
pub(crate) enum Payload {
    /// `len` bytes, in place.
    Small { len: u8, bytes: [u8; SMALL_BYTES_MAX] },
    /// By reference.
    Shared(Bytes),
}

impl Payload {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Small { len, bytes } => &bytes[..usize::from(*len)],
            Self::Shared(bytes) => bytes,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Small { len, bytes } => Bytes::copy_from_slice(&bytes[..usize::from(len)]),
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Small { len: 0, bytes: [0; SMALL_BYTES_MAX] }
    }
}

/// A copy.
impl From<&[u8]> for Payload {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        match u8::try_from(bytes.len()) {
            Ok(len) if bytes.len() <= SMALL_BYTES_MAX => {
                let mut small = [0; SMALL_BYTES_MAX];
                small[..bytes.len()].copy_from_slice(bytes);
                Self::Small { len, bytes: small }
            }
            _ => Self::Shared(Bytes::copy_from_slice(bytes)),
        }
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

/// Most bytes that are kept in place, 23 on 64 bits: as many as fit where a reference to more would be, beside their number and what
/// tells the two apart.
const SMALL_BYTES_MAX: usize = size_of::<Bytes>() - size_of::<usize>() - 1;

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
            assert_eq!(matches!(copied, Payload::Small { .. }), len <= SMALL_BYTES_MAX);
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
    fn payloads_are_ordered_as_their_bytes_are() {
        let long = Payload::from(Bytes::from_static(&[1; 100]));
        assert!(Payload::from(&[1][..]) < long);
        assert!(long < Payload::from(&[2][..]));
    }
}
