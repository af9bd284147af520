//! Huffman codes (RFC 1951 §3.2.2): how often each symbol occurs in, code lengths and codes out. Knows
//! no alphabet.

/// The lengths of an optimal code, none over `len_max`, which is at most 15. At least two symbols get a
/// code, since some inflaters refuse others.
pub(super) fn lengths<const N: usize>(counts: &[u32; N], len_max: usize) -> [u8; N] {
    let mut lens = [0; N];
    let mut sorted = [0; SYMBOLS_MAX];
    let mut used = 0;
    for (symbol, &count) in (0..).zip(counts) {
        // Without a branch, which nothing foretells.
        sorted[used] = count << SYMBOL_BITS | symbol;
        used += usize::from(count > 0);
    }
    if used < 2 {
        let only = if used == 1 { (sorted[0] & SYMBOL_MASK) as usize } else { 0 };
        lens[only] = 1;
        lens[if only == 0 { 1 } else { 0 }] = 1;
        return lens;
    }
    let sorted = &mut sorted[..used];
    sorted.sort_unstable();
    let mut weights = [0; SYMBOLS_MAX];
    let weights = &mut weights[..used];
    for (weight, key) in weights.iter_mut().zip(sorted.iter()) {
        *weight = key >> SYMBOL_BITS;
    }
    let mut of_len = depths(weights);
    shorten(&mut of_len, len_max);
    // The rarest get the longest.
    let mut rarest = sorted.iter();
    for len in (1..=len_max).rev() {
        for key in rarest.by_ref().take(of_len[len] as usize) {
            lens[(key & SYMBOL_MASK) as usize] = u8::try_from(len).expect("at most 15");
        }
    }
    lens
}

/// How many leaves of an optimal tree are how deep; those deeper than [`LEN_MAX`] count there. In place, after Moffat and
/// Katajainen, "In-Place Calculation of Minimum-Redundancy Codes" (1995): ascending weights in, of two leaves at least.
fn depths(weights: &mut [u32]) -> [u32; LEN_MAX + 1] {
    let leaves = weights.len();
    // Weights become inner nodes, and these the number of their parent.
    let (mut inner, mut leaf) = (0, 0);
    for next in 0..leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            if leaf >= leaves || (inner < next && weights[inner] < weights[leaf]) {
                weight += weights[inner];
                weights[inner] = u32::try_from(next).expect("fewer than the symbols");
                inner += 1;
            } else {
                weight += weights[leaf];
                leaf += 1;
            }
        }
        weights[next] = weight;
    }
    // Parents become depths, from the root on, and at each depth those that are no inner nodes are leaves.
    let mut of_len = [0; LEN_MAX + 1];
    weights[leaves - 2] = 0;
    for node in (0..leaves - 2).rev() {
        weights[node] = weights[weights[node] as usize] + 1;
    }
    let (mut places, mut inner, mut depth, mut left) = (1, leaves - 1, 0, leaves);
    while left > 0 {
        let mut inners = 0;
        while inner > 0 && weights[inner - 1] == depth {
            inners += 1;
            inner -= 1;
        }
        let here = places - inners;
        of_len[(depth as usize).min(LEN_MAX)] += here;
        left -= here as usize;
        places = 2 * inners;
        depth += 1;
    }
    of_len
}

/// Makes a code of at most `len_max` bits of one that may be too long: what is too long gets so many bits, and shorter
/// ones get longer until there are codes for all.
fn shorten(of_len: &mut [u32; LEN_MAX + 1], len_max: usize) {
    let long: u32 = of_len[len_max + 1..].iter().sum();
    of_len[len_max + 1..].fill(0);
    of_len[len_max] += long;
    let taken = |of_len: &[u32; LEN_MAX + 1]| -> u32 {
        (1..=len_max).map(|len| of_len[len] << (len_max - len)).sum()
    };
    let mut over = taken(of_len) - (1 << len_max);
    while over > 0 {
        // A leaf of the lowest level goes, and comes back beside one of a higher level, which is moved down.
        let len = (1..len_max).rev().find(|&len| of_len[len] > 0).expect("some code is shorter");
        of_len[len_max] -= 1;
        of_len[len] -= 1;
        of_len[len + 1] += 2;
        over -= 1;
    }
}

/// A code as it is put out, its first bit lowest, and behind 16 bits its length.
pub(super) type Code = u32;

/// The codes that lengths stand for.
pub(super) fn codes<const N: usize>(lens: &[u8; N]) -> [Code; N] {
    let mut of_len = [0; LEN_MAX + 1];
    for &len in lens {
        of_len[usize::from(len)] += 1;
    }
    of_len[0] = 0;
    let mut next = [0_u16; LEN_MAX + 1];
    for len in 1..=LEN_MAX {
        next[len] = (next[len - 1] + of_len[len - 1]) << 1;
    }
    let mut codes = [0; N];
    for (code, &len) in codes.iter_mut().zip(lens) {
        // Symbols without a code come in runs.
        if len > 0 {
            let next: &mut u16 = &mut next[usize::from(len & 15)];
            *code = u32::from(next.reverse_bits() >> (16 - len)) | u32::from(len) << 16;
            *next = next.wrapping_add(1);
        }
    }
    codes
}

/// The longest code of DEFLATE. (A tree of the most symbols and counts that a block has may be deeper.)
const LEN_MAX: usize = 15;
/// Literals, lengths and the end of the block are the largest alphabet.
const SYMBOLS_MAX: usize = 288;
const SYMBOL_BITS: u32 = 9;
const SYMBOL_MASK: u32 = (1 << SYMBOL_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// What all codes together take of all that there are: 1 for a code that is complete.
    fn share<const N: usize>(lens: &[u8; N]) -> f64 {
        lens.iter().filter(|len| **len > 0).map(|len| 0.5_f64.powi(i32::from(*len))).sum()
    }

    #[test]
    fn codes_are_as_in_the_example_of_the_rfc() {
        // RFC 1951 §3.2.2: lengths 3, 3, 3, 3, 3, 2, 4, 4 are codes 010 to 110, 00, 1110, 1111.
        let codes = codes(&[3, 3, 3, 3, 3, 2, 4, 4]);
        let bits: Vec<_> = codes
            .iter()
            .map(|code| (0..code >> 16).map(|at| (code >> at & 1).to_string()).collect::<String>())
            .collect();
        assert_eq!(bits, ["010", "011", "100", "101", "110", "00", "1110", "1111"]);
    }

    #[test]
    fn frequent_symbols_get_short_codes() {
        assert_eq!(lengths(&[5, 9, 12, 13, 16, 45], 15), [4, 4, 3, 3, 3, 1]);
        assert_eq!(lengths(&[0, 7, 7, 0, 7, 7], 15), [0, 2, 2, 0, 2, 2]);
    }

    #[test]
    fn two_symbols_at_least_have_codes() {
        assert_eq!(lengths(&[0; 30], 15)[..3], [1, 1, 0]);
        assert_eq!(lengths(&[9, 0, 0], 15), [1, 1, 0]);
        assert_eq!(lengths(&[0, 0, 9], 15), [1, 0, 1]);
    }

    #[test]
    fn too_long_codes_become_complete_shorter_ones() {
        // Fibonacci's numbers make the deepest tree there is.
        let mut counts = [0; 24];
        (counts[0], counts[1]) = (1, 1);
        for at in 2..24 {
            counts[at] = counts[at - 1] + counts[at - 2];
        }
        for len_max in [5, 6, 7, 15] {
            let lens = lengths(&counts, len_max);
            assert!(lens.iter().all(|len| (1..=len_max).contains(&usize::from(*len))), "{lens:?}");
            assert!((share(&lens) - 1.0).abs() < 1e-9, "{lens:?}");
            assert!(lens.is_sorted_by(|rarer, rarest| rarer >= rarest), "{lens:?}");
        }
    }
}
