//! What is sound for a reason that the compiler does not see: text that was checked when it came, few bytes that are words too,
//! and code for a processor that was asked for. The one module of this crate with unsafe code. Decides nothing.

/// The bytes of a text as a `str`. The safe version would be `str::from_utf8(bytes).expect(…)`: a second look at
/// every byte of every message that was looked at when it arrived.
#[allow(unsafe_code, reason = "checked once on arrival; checking again doubles the cost of text")]
#[inline]
pub(crate) fn text(checked: &[u8]) -> &str {
    // SAFETY: only `Text::as_str` calls this, with the bytes of a `Text`. Those are none, or come from a `str`, from `TryFrom`,
    // which checks, or from `Message::from_checked_payload`, whose callers in this crate pass bytes that `Utf8Check` has
    // accepted whole; debug builds check there again.
    unsafe { std::str::from_utf8_unchecked(checked) }
}

/// At most 23 bytes in place. Its last byte says how many; what stands behind them means nothing.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Small {
    bytes: [u8; SMALL_BYTES_MAX],
    len: SmallLen,
}

/// The number of bytes as a type that has values to spare: they tell other things apart that are in the same place.
#[derive(Clone, Copy)]
#[repr(u8)]
#[rustfmt::skip]
#[allow(dead_code, reason = "read and written as bytes")]
enum SmallLen {
    L0, L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11, L12, L13, L14, L15, L16, L17, L18, L19, L20, L21, L22, L23,
}

impl Small {
    /// Bytes in words, the first byte lowest. The last one says how many of the others there are; `None` where that is too many.
    #[allow(
        unsafe_code,
        reason = "taken apart, they are written in other portions than they are read in, and that waits"
    )]
    #[inline]
    pub(crate) fn from_words(words: [u64; 3]) -> Option<Self> {
        if words[2] >> 56 > SMALL_BYTES_MAX as u64 {
            return None;
        }
        // SAFETY: of the same size; every byte is valid in every place but the last, and there it was looked at.
        Some(unsafe { std::mem::transmute::<[u64; 3], Self>(words.map(u64::to_le)) })
    }

    /// All bytes, the last of which says how many of the others there are.
    #[allow(
        unsafe_code,
        reason = "a length that has values to spare is no `u8` to the compiler, and a copy is what words are for to avoid"
    )]
    #[inline]
    pub(crate) const fn as_bytes(&self) -> &[u8; SMALL_BYTES_MAX + 1] {
        // SAFETY: of the same size, without padding, and less strictly aligned; no byte can be written through either reference.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    /// How many there are.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }
}

/// This processor has vectors of 32 bytes, though not every one of its kind does: AVX2 of x86-64.
pub(crate) struct Wide(());

impl Wide {
    #[inline]
    pub(crate) fn here() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return std::arch::is_x86_feature_detected!("avx2").then_some(Self(()));
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// Does something, compiled for such vectors as far as it is compiled in place. A closure is, if it is used nowhere else.
    #[allow(unsafe_code, reason = "without it 16 KiB are unmasked in twice the instructions")]
    #[inline]
    pub(crate) fn run<R>(self, act: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `self` is made by `here` alone, where the processor has AVX2.
        return unsafe { with_avx2(act) };
        #[cfg(not(target_arch = "x86_64"))]
        act()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<R>(act: impl FnOnce() -> R) -> R {
    act()
}

/// Most bytes that are kept in place: with their number they are three words, as large as what a reference to more takes beside the
/// word that tells the two apart.
pub(crate) const SMALL_BYTES_MAX: usize = 23;
const _: () = assert!(
    size_of::<Small>() == size_of::<[u64; 3]>() && size_of::<Small>() == SMALL_BYTES_MAX + 1
);
