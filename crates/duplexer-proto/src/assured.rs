//! What is sound for a reason that the compiler does not see: text that was checked when it came, and code for a processor that was asked
//! for. The one module of this crate with unsafe code. Decides nothing.

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
