//! Masking (RFC 6455 §5.3): the exclusive or of a payload with a repeated four-byte key, in place.
//! The same function masks and unmasks. Eight bytes at a time, which the compiler turns into vectors: the widest that every processor
//! of the target has, and for a long payload wider ones where this processor has them.
//!
//! Beside it, the same into a copy: reading and writing every byte once instead of twice.

use crate::assured::Wide;

/// Masks or unmasks `bytes`, the first of which stands at position `at` of the frame's payload.
///
/// ```
/// let mut payload = *b"Hello"; // RFC 6455 §5.7
/// duplexer_proto::mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline]
pub fn mask(bytes: &mut [u8], key: [u8; 4], at: u64) {
    let turned = u32::from_le_bytes(key).rotate_right(8 * (at % 4) as u32);
    let key = turned.to_le_bytes();
    if bytes.len() < LONG_BYTES_MIN {
        mask_words(bytes, key);
    } else {
        mask_long(bytes, key);
    }
}

fn mask_long(bytes: &mut [u8], key: [u8; 4]) {
    match Wide::here() {
        Some(wide) => wide.run(move || mask_words(bytes, key)),
        None => mask_words(bytes, key),
    }
}

/// Returns what [`mask`] makes of `bytes`, the first of which stands at the beginning of a payload, and leaves them as
/// they are.
#[inline]
pub(crate) fn masked(bytes: &[u8], key: [u8; 4]) -> Vec<u8> {
    if key == [0; 4] {
        return bytes.to_vec();
    }
    if bytes.len() < LONG_BYTES_MIN {
        masked_words(bytes, key)
    } else {
        masked_behind(0, bytes, key)
    }
}

/// The same behind so many zeros, for what is long.
pub(crate) fn masked_behind(zeros: usize, bytes: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(zeros + bytes.len());
    copy.resize(zeros, 0);
    if key == [0; 4] {
        copy.extend_from_slice(bytes);
        return copy;
    }
    match Wide::here() {
        Some(wide) => wide.run(|| append_masked(&mut copy, bytes, key)),
        None => append_masked(&mut copy, bytes, key),
    }
    copy
}

/// The key as it is at the first of the bytes. In place, to be compiled for whatever processor the caller is compiled for.
#[inline(always)]
fn mask_words(bytes: &mut [u8], key: [u8; 4]) {
    let word = u32::from_ne_bytes(key);
    let wide = u64::from(word) << 32 | u64::from(word);
    let (chunks, tail) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    let (words, tail) = tail.as_chunks_mut::<4>();
    for chunk in words {
        *chunk = (u32::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[inline(always)]
fn masked_words(bytes: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(bytes.len());
    append_masked(&mut copy, bytes, key);
    copy
}

#[inline(always)]
fn append_masked(copy: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    let (blocks, tail) = bytes.as_chunks::<128>();
    for block in blocks {
        let mut block = *block;
        mask_words(&mut block, key);
        copy.extend_from_slice(&block);
    }
    let whole_blocks = copy.len();
    copy.extend_from_slice(tail);
    mask_words(&mut copy[whole_blocks..], key);
}

/// From this length on wider vectors are worth asking the processor for.
const LONG_BYTES_MIN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_like_the_formula_of_section_5_3_at_every_length_and_position() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        // Miri needs a second for each length.
        let long =
            (LONG_BYTES_MIN - 1..LONG_BYTES_MIN + 70).step_by(if cfg!(miri) { 23 } else { 1 });
        for len in (0..70).chain(long) {
            for at in 0..9 {
                let plain: Vec<u8> =
                    (0..=u8::MAX).cycle().map(|i| i.wrapping_mul(7)).take(len).collect();
                let keys = key.iter().cycle().skip(at);
                let expected: Vec<u8> = plain.iter().zip(keys).map(|(b, k)| b ^ k).collect();
                let mut masked = plain.clone();
                mask(&mut masked, key, at as u64);
                assert_eq!(masked, expected, "len {len} at {at}");
                let mut narrow = plain.clone();
                mask_words(&mut narrow, [0, 1, 2, 3].map(|i| key[(at + i) % 4]));
                assert_eq!(narrow, expected, "without wide vectors, len {len} at {at}");
            }
        }
    }

    #[test]
    fn a_masked_copy_equals_what_is_masked_in_place() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        // Two blocks and a part of one, below and above where wider vectors are asked for. Miri needs a second for each length.
        let long = (200..LONG_BYTES_MIN + 140).step_by(if cfg!(miri) { 51 } else { 1 });
        for len in (0..200).chain(long) {
            let plain: Vec<u8> =
                (0..=u8::MAX).cycle().map(|i| i.wrapping_mul(7)).take(len).collect();
            let mut in_place = plain.clone();
            mask(&mut in_place, key, 0);
            assert_eq!(masked(&plain, key), in_place, "len {len}");
            assert_eq!(masked_words(&plain, key), in_place, "without wide vectors, len {len}");
            for zeros in [0, 5, 16] {
                let behind = masked_behind(zeros, &plain, key);
                assert_eq!(
                    behind,
                    [&[0; 16][..zeros], &in_place].concat(),
                    "len {len} behind {zeros}"
                );
                let plain = [&[0; 16][..zeros], &plain].concat();
                assert_eq!(masked_behind(zeros, &plain[zeros..], [0; 4]), plain);
            }
        }
    }
}
