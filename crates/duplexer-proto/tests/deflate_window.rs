//! How far back the compressor refers, read out of its own output (RFC 7692 §7.1.2). zlib-rs cannot
//! tell: its inflater always has a window of 32 KiB. So a small reader of DEFLATE (RFC 1951) stands
//! here, which checks what it reads.

use duplexer_proto::Scratch;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Boundary, Negotiator, Offer};

/// What a client compresses for a server that answered with `bits`: messages with their tails, as
/// one stream.
fn stream(bits: u8, level: u8, messages: &[&[u8]]) -> Vec<u8> {
    let answer = Offer::new("permessage-deflate").with_value("client_max_window_bits", bits);
    let client = Deflate::takeover().level(level);
    let mut extension = client.confirm(&answer).expect("8 to 15 may be answered");
    let mut scratch = Scratch::new(|| [0; 4]);
    let mut stream = Vec::new();
    for message in messages {
        for piece in message.chunks(3000) {
            extension.encode(piece, Boundary::Within, &mut scratch, &mut stream);
        }
        extension.encode(b"", Boundary::End, &mut scratch, &mut stream);
        stream.extend_from_slice(b"\x00\x00\xff\xff");
    }
    stream
}

#[test]
fn no_match_reaches_further_back_than_the_agreed_window() {
    // RFC 7692 §7.1.2.1, 8 bits included.
    for text in [phrases(10_000, 90, 1), phrases(40_000, 250, 130)] {
        for level in 0..=9 {
            let mut furthest_at = [0; 16];
            for bits in [8, 9, 10, 14, 15] {
                let (read, furthest) = read(&stream(bits, level, &[&text, &text]));
                assert!(read == [&text[..], &text[..]].concat(), "{bits} bits, level {level}");
                assert!(furthest <= 1 << bits, "{furthest} at {bits} bits, level {level}");
                furthest_at[usize::from(bits)] = furthest;
            }
            // So that the bound above is one: a larger window is made use of.
            assert!(level == 0 || furthest_at[10] > 256, "level {level}");
            assert!(level == 0 || furthest_at[8] > 128, "level {level}");
        }
    }
}

#[test]
fn reader_tells_the_distance_of_a_known_stream() {
    // RFC 7692 §7.2.3.2: the second "Hello" refers five bytes back.
    let hello_twice =
        b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\xf2\x00\x11\x00\x00\x00\x00\xff\xff";
    assert_eq!(read(hello_twice), (b"HelloHello".to_vec(), 5));
}

/// `len` bytes of pieces of a text of noise, in an order without pattern.
fn phrases(len: usize, count: usize, apart: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let noise: Vec<u8> = std::iter::repeat_with(&mut next).take(count * apart + 20).collect();
    let mut text = Vec::new();
    while text.len() < len {
        let at = usize::from(next()) % count * apart;
        text.extend_from_slice(&noise[at..][..7 + usize::from(next() % 12)]);
    }
    text
}

/// Reads a whole raw DEFLATE stream: what it says, and the largest distance in it.
fn read(stream: &[u8]) -> (Vec<u8>, usize) {
    let mut bits = Bits { bytes: stream, at: 0 };
    let mut output = Vec::new();
    let mut furthest = 0;
    while bits.at < stream.len() * 8 {
        assert_eq!(bits.take(1), 0, "our compressor sets no BFINAL");
        let (literals, distances) = match bits.take(2) {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let len = bits.take(16);
                assert_eq!(bits.take(16), len ^ 0xffff);
                output.extend((0..len).map(|_| bits.take_byte()));
                continue;
            }
            1 => fixed(),
            2 => dynamic(&mut bits),
            other => panic!("block type {other}"),
        };
        loop {
            match literals.symbol(&mut bits) {
                256 => break,
                literal @ 0..256 => output.push(u8::try_from(literal).expect("a byte")),
                symbol => {
                    let len = LEN_BASE[symbol - 257] + bits.take(LEN_EXTRA[symbol - 257]);
                    let symbol = distances.symbol(&mut bits);
                    let extra = (symbol / 2).saturating_sub(1);
                    let base = if symbol < 4 { symbol } else { (2 + symbol % 2) << extra };
                    let distance = 1 + base + bits.take(extra);
                    furthest = furthest.max(distance);
                    let from = output.len().checked_sub(distance).expect("within the output");
                    (from..from + len).for_each(|at| output.push(output[at]));
                }
            }
        }
    }
    (output, furthest)
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> usize {
        (0..count).fold(0, |value, place| {
            let bit = usize::from(self.bytes[self.at / 8] >> (self.at % 8) & 1);
            self.at += 1;
            value | bit << place
        })
    }

    fn take_byte(&mut self) -> u8 {
        u8::try_from(self.take(8)).expect("eight bits")
    }
}

/// A canonical Huffman code (RFC 1951 §3.2.2): the symbols of each length, in their order.
struct Code(Vec<Vec<usize>>);

impl Code {
    fn new(lens: &[usize]) -> Self {
        let of = |len| lens.iter().enumerate().filter(move |(_, it)| **it == len);
        Self((1..=15).map(|len| of(len).map(|(symbol, _)| symbol).collect()).collect())
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first) = (0, 0);
        for symbols in &self.0 {
            code = code << 1 | bits.take(1);
            first <<= 1;
            if code < first + symbols.len() {
                return symbols[code - first];
            }
            first += symbols.len();
        }
        panic!("no such code")
    }
}

/// RFC 1951 §3.2.6.
fn fixed() -> (Code, Code) {
    let lens: Vec<usize> = (0..288)
        .map(|symbol| match symbol {
            0..144 => 8,
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        })
        .collect();
    (Code::new(&lens), Code::new(&[5; 30]))
}

/// RFC 1951 §3.2.7.
fn dynamic(bits: &mut Bits<'_>) -> (Code, Code) {
    let (literals, distances) = (bits.take(5) + 257, bits.take(5) + 1);
    let mut code_lens = [0; 19];
    let count = bits.take(4) + 4;
    for &symbol in &LEN_ORDER[..count] {
        code_lens[symbol] = bits.take(3);
    }
    let code = Code::new(&code_lens);
    let mut lens: Vec<usize> = Vec::new();
    while lens.len() < literals + distances {
        let (len, repeat) = match code.symbol(bits) {
            16 => (*lens.last().expect("a length before"), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            len => (len, 1),
        };
        lens.extend(std::iter::repeat_n(len, repeat));
    }
    (Code::new(&lens[..literals]), Code::new(&lens[literals..]))
}

const LEN_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LEN_BASE: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LEN_EXTRA: [usize; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
