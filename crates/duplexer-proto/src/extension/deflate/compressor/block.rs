//! One block of DEFLATE (RFC 1951 §3.2.3): literals and matches in, bits out, in the form that is shortest. Knows
//! nothing of how matches are found.

use super::bits::{Bits, Held, SPARE_BYTES};
use super::huffman::{Code, codes, lengths};

/// What a block says, and how often it says what. Lent from call to call: empty between two.
#[derive(Debug)]
pub(crate) struct Block {
    /// A literal, or a match as its length above 16 bits of its distance less 1.
    tokens: Vec<u32>,
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
    fixed_literals: [Code; LITERALS],
    fixed_distances: [Code; DISTANCES],
}

impl Block {
    /// Adds a byte.
    #[inline]
    pub(super) fn literal(&mut self, byte: u8) {
        self.tokens.push(u32::from(byte));
        self.literals[usize::from(byte)] += 1;
    }

    /// Adds a match of 3 to 258 bytes, 1 to 32768 bytes back.
    #[inline]
    pub(super) fn refer(&mut self, len: u32, distance: u32) {
        self.tokens.push(len << 16 | (distance - 1));
        self.literals[len_symbol(len).0] += 1;
        self.distances[distance_symbol(distance - 1).0] += 1;
    }

    /// Whether it is time for another block.
    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.tokens.len() >= TOKENS_MAX
    }

    /// Whether it says nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Puts the block out and empties it. `raw` is what it says, where that is still known.
    pub(super) fn write(&mut self, raw: Option<&[u8]>, held: Held, output: &mut Vec<u8>) -> Held {
        self.literals[END] += 1;
        let dynamic = Dynamic::new(&self.literals, &self.distances);
        let extra_bits = self.extra_bits();
        let dynamic_bits = dynamic.bits(&self.literals, &self.distances) + extra_bits;
        let fixed_bits = 3
            + code_bits(&self.literals, &self.fixed_literals)
            + code_bits(&self.distances, &self.fixed_distances)
            + extra_bits;
        let coded_bits = dynamic_bits.min(fixed_bits);
        let stored = raw.filter(|raw| {
            raw.len() <= STORED_MAX && stored_bits(held, raw.len()) < held.count() + coded_bits
        });
        let held = match stored {
            Some(raw) => store(raw, held, output),
            None => {
                let begun = output.len();
                output.resize(begun + coded_bits / 8 + 1 + 2 * SPARE_BYTES, 0);
                let mut bits = Bits::new(held, &mut output[begun..]);
                if fixed_bits <= dynamic_bits {
                    bits.put(0b010, 3);
                    self.write_tokens(&self.fixed_literals, &self.fixed_distances, &mut bits);
                } else {
                    dynamic.write(&mut bits);
                    let (literals, distances) =
                        (codes(&dynamic.literals), codes(&dynamic.distances));
                    self.write_tokens(&literals, &distances, &mut bits);
                }
                let (held, filled) = bits.finish();
                output.truncate(begun + filled);
                held
            }
        };
        self.tokens.clear();
        self.literals.fill(0);
        self.distances.fill(0);
        held
    }

    /// What follows codes of lengths and distances.
    fn extra_bits(&self) -> usize {
        let literals = (LENGTHS..).zip(&self.literals[LENGTHS..]);
        let lens = literals.map(|(symbol, &count)| count as usize * len_extra(symbol));
        let distances = (0_usize..).zip(&self.distances);
        let distances =
            distances.map(|(symbol, &count)| count as usize * (symbol / 2).saturating_sub(1));
        lens.sum::<usize>() + distances.sum::<usize>()
    }

    fn write_tokens(
        &self,
        literals: &[Code; LITERALS],
        distances: &[Code; DISTANCES],
        bits: &mut Bits<'_>,
    ) {
        bits.spill();
        for &token in &self.tokens {
            let len = token >> 16;
            if len == 0 {
                put_code(bits, literals[(token & 0xff) as usize]);
            } else {
                let (symbol, extra, extra_bits) = len_symbol(len);
                put_code(bits, literals[symbol]);
                bits.put(u64::from(extra), extra_bits);
                let (symbol, extra, extra_bits) = distance_symbol(token & 0xffff);
                put_code(bits, distances[symbol]);
                bits.put(u64::from(extra), extra_bits);
            }
            bits.spill();
        }
        put_code(bits, literals[END]);
    }
}

impl Default for Block {
    fn default() -> Self {
        let fixed: [u8; LITERALS] = std::array::from_fn(|symbol| match symbol {
            0..144 => 8,
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        });
        Self {
            tokens: Vec::new(),
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            fixed_literals: codes(&fixed),
            fixed_distances: codes(&[5; DISTANCES]),
        }
    }
}

/// Appends blocks that say `raw` as it is.
pub(super) fn store(raw: &[u8], mut held: Held, output: &mut Vec<u8>) -> Held {
    for raw in raw.chunks(STORED_MAX) {
        held = store_one(raw, held, output);
    }
    held
}

/// Appends an empty stored block, which ends a byte.
pub(super) fn end_byte(held: Held, output: &mut Vec<u8>) -> Held {
    store_one(&[], held, output)
}

fn store_one(raw: &[u8], held: Held, output: &mut Vec<u8>) -> Held {
    let begun = output.len();
    output.resize(begun + raw.len() + 6 + 2 * SPARE_BYTES, 0);
    let mut bits = Bits::new(held, &mut output[begun..]);
    bits.put(0b000, 3);
    bits.align();
    let len = u16::try_from(raw.len()).expect("bounded by the callers");
    bits.copy(&len.to_le_bytes());
    bits.copy(&(!len).to_le_bytes());
    bits.copy(raw);
    let (held, filled) = bits.finish();
    output.truncate(begun + filled);
    held
}

/// A stored block in bits, with what is held before it.
const fn stored_bits(held: Held, len: usize) -> usize {
    (held.count() + 3).next_multiple_of(8) + 32 + 8 * len
}

/// Codes made for a block, and how they are told (RFC 1951 §3.2.7).
struct Dynamic {
    literals: [u8; LITERALS],
    distances: [u8; DISTANCES],
    /// How many lengths of each are told.
    told: (usize, usize),
    /// The lengths: a symbol, and above 8 bits what follows its code.
    runs: [u16; LITERALS + DISTANCES],
    run_count: usize,
    run_lens: [u8; RUNS],
    run_counts: [u32; RUNS],
    /// How many of the codes for lengths are told.
    run_told: usize,
}

impl Dynamic {
    fn new(literals: &[u32; LITERALS], distances: &[u32; DISTANCES]) -> Self {
        let (literals, distances) = (lengths(literals, 15), lengths(distances, 15));
        let told = |lens: &[u8], least| {
            lens.iter().rposition(|len| *len > 0).map_or(least, |last| (last + 1).max(least))
        };
        let mut dynamic = Self {
            told: (told(&literals, LENGTHS), told(&distances, 1)),
            literals,
            distances,
            runs: [0; LITERALS + DISTANCES],
            run_count: 0,
            run_lens: [0; RUNS],
            run_counts: [0; RUNS],
            run_told: 4,
        };
        dynamic.gather();
        dynamic.run_lens = lengths(&dynamic.run_counts, 7);
        let last = RUN_ORDER.iter().rposition(|symbol| dynamic.run_lens[*symbol] > 0);
        dynamic.run_told = last.map_or(4, |last| (last + 1).max(4));
        dynamic
    }

    /// Makes runs of lengths.
    fn gather(&mut self) {
        let mut lens = [0; LITERALS + DISTANCES];
        let (literals, distances) = self.told;
        lens[..literals].copy_from_slice(&self.literals[..literals]);
        lens[literals..][..distances].copy_from_slice(&self.distances[..distances]);
        let mut rest = &lens[..literals + distances];
        while let Some(&len) = rest.first() {
            let same = rest.iter().take_while(|next| **next == len).count();
            rest = &rest[same..];
            let mut same = u16::try_from(same).expect("at most all lengths");
            if len == 0 {
                while same >= 3 {
                    let run = same.min(138);
                    self.run(if run < 11 { 17 | (run - 3) << 8 } else { 18 | (run - 11) << 8 });
                    same -= run;
                }
            } else {
                self.run(u16::from(len));
                same -= 1;
                while same >= 3 {
                    let run = same.min(6);
                    self.run(16 | (run - 3) << 8);
                    same -= run;
                }
            }
            (0..same).for_each(|_| self.run(u16::from(len)));
        }
    }

    fn run(&mut self, run: u16) {
        self.runs[self.run_count] = run;
        self.run_count += 1;
        self.run_counts[usize::from(run & 0xff)] += 1;
    }

    /// The length of a block without what follows codes of lengths and distances.
    fn bits(&self, literals: &[u32; LITERALS], distances: &[u32; DISTANCES]) -> usize {
        let sum = |counts: &[u32], lens: &[u8]| -> u32 {
            counts.iter().zip(lens).map(|(count, len)| count * u32::from(*len)).sum()
        };
        let [.., sixteen, seventeen, eighteen] = self.run_counts;
        let runs =
            sum(&self.run_counts, &self.run_lens) + 2 * sixteen + 3 * seventeen + 7 * eighteen;
        let codes = sum(literals, &self.literals) + sum(distances, &self.distances);
        3 + 5 + 5 + 4 + 3 * self.run_told + (runs + codes) as usize
    }

    fn write(&self, bits: &mut Bits<'_>) {
        bits.put(0b100, 3);
        bits.put((self.told.0 - LENGTHS) as u64, 5);
        bits.put((self.told.1 - 1) as u64, 5);
        bits.put((self.run_told - 4) as u64, 4);
        bits.spill();
        for &symbol in &RUN_ORDER[..self.run_told] {
            bits.put(u64::from(self.run_lens[symbol]), 3);
            bits.spill();
        }
        let codes = codes(&self.run_lens);
        for &run in &self.runs[..self.run_count] {
            let symbol = usize::from(run & 0xff);
            put_code(bits, codes[symbol]);
            bits.put(u64::from(run >> 8), RUN_EXTRA[symbol]);
            bits.spill();
        }
    }
}

#[inline]
fn put_code(bits: &mut Bits<'_>, code: Code) {
    bits.put(u64::from(code & 0xffff), code >> 16);
}

/// What symbols take in a code.
fn code_bits<const N: usize>(counts: &[u32; N], codes: &[Code; N]) -> usize {
    let bits: u32 = counts.iter().zip(codes).map(|(count, code)| count * (code >> 16)).sum();
    bits as usize
}

/// The symbol of a length from 3 to 258, what follows its code, and in how many bits (RFC 1951 §3.2.5).
#[inline]
const fn len_symbol(len: u32) -> (usize, u32, u32) {
    let beyond = len - 3;
    if beyond < 8 {
        (LENGTHS + beyond as usize, 0, 0)
    } else if beyond == 255 {
        (285, 0, 0)
    } else {
        let extra = beyond.ilog2() - 2;
        (LENGTHS + (4 * extra + (beyond >> extra)) as usize, beyond & ((1 << extra) - 1), extra)
    }
}

/// How many bits follow the symbol of a length.
const fn len_extra(symbol: usize) -> usize {
    if symbol >= 285 { 0 } else { ((symbol - LENGTHS) / 4).saturating_sub(1) }
}

/// The same for a distance, less 1.
#[inline]
const fn distance_symbol(beyond: u32) -> (usize, u32, u32) {
    if beyond < 4 {
        (beyond as usize, 0, 0)
    } else {
        let extra = beyond.ilog2() - 1;
        ((2 * extra + (beyond >> extra)) as usize, beyond & ((1 << extra) - 1), extra)
    }
}

/// Bytes, the end of the block, and lengths.
const LITERALS: usize = 288;
/// The end of a block.
const END: usize = 256;
/// The first length.
const LENGTHS: usize = 257;
const DISTANCES: usize = 30;
/// Lengths of codes, and three sorts of runs of them.
const RUNS: usize = 19;
/// What follows their codes, in bits.
const RUN_EXTRA: [u32; RUNS] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7];
/// The order in which their lengths are told.
const RUN_ORDER: [usize; RUNS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The most that a stored block holds, in bytes.
const STORED_MAX: usize = 0xffff;
/// Literals and matches from which on a block is full: as many as zlib takes by default with those that come with the last, a match of up to
/// 258 bytes behind a literal for each match that it was longer than. Memory for them grows to 64 KiB and not beyond.
const TOKENS_MAX: usize = (16 << 10) - 256;
