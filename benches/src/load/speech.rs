//! What a connection says when only the messages of its echo are known, not their bytes on the wire. A plan in, lines out.

use super::deflate::{Deflater, Takeover};
use super::script::{BINARY, Noise, push_masked};

/// What the messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Binary noise of so many bytes, uncompressed.
    Noise(usize),
    /// Text of so many bytes, uncompressed, partly outside ASCII.
    Text(usize),
    /// Text of so many bytes, compressed by itself.
    Compressed(usize),
    /// JSON texts of 1 KiB, compressed.
    Json(Takeover),
}

impl Words {
    /// Returns the context takeover that is asked for, if compression is.
    pub(super) const fn takeover(self) -> Option<Takeover> {
        match self {
            Self::Noise(_) | Self::Text(_) => None,
            Self::Compressed(_) => Some(Takeover::Off),
            Self::Json(takeover) => Some(takeover),
        }
    }
}

/// All that one connection will ever say.
#[derive(Debug)]
pub(super) struct Speech {
    first: Vec<Line>,
    /// What is said after `first`, over and over.
    again: Vec<Line>,
}

/// One message.
#[derive(Debug)]
pub(super) struct Line {
    /// The frame that carries it, masked.
    pub(super) request: Vec<u8>,
    /// What it says.
    pub(super) message: Vec<u8>,
    pub(super) is_text: bool,
}

impl Speech {
    /// Prepares what is said. The same `seed` gives the same bytes.
    pub(super) fn new(words: Words, seed: u64) -> anyhow::Result<Self> {
        let mut noise = Noise(seed);
        match words {
            Words::Noise(bytes) => {
                let message = std::iter::repeat_with(|| noise.next_word().to_ne_bytes());
                let message: Vec<u8> = message.flatten().take(bytes).collect();
                let request = masked(&mut noise, BINARY, &message);
                Ok(Self::always(Line { request, message, is_text: false }))
            }
            Words::Text(bytes) => {
                let message = prose(&mut noise, bytes);
                let request = masked(&mut noise, TEXT, &message);
                Ok(Self::always(Line { request, message, is_text: true }))
            }
            Words::Compressed(bytes) => {
                let message = prose(&mut noise, bytes);
                let payload = Deflater::new(Takeover::Off).deflate(&message)?;
                let request = masked(&mut noise, COMPRESSED_TEXT, &payload);
                Ok(Self::always(Line { request, message, is_text: true }))
            }
            Words::Json(takeover) => {
                let texts: Vec<_> = (0..JSON_CYCLE).map(|_| json(&mut noise)).collect();
                let mut deflater = Deflater::new(takeover);
                let mut cycle = || {
                    let lines = texts.iter().map(|text| {
                        let payload = deflater.deflate(text)?;
                        let request = masked(&mut noise, COMPRESSED_TEXT, &payload);
                        Ok(Line { request, message: text.clone(), is_text: true })
                    });
                    lines.collect::<anyhow::Result<Vec<_>>>()
                };
                // From the second cycle on the window holds the same before each text, since a cycle fills it whole. So the
                // second cycle's bytes are right for all that follow.
                Ok(Self { first: cycle()?, again: cycle()? })
            }
        }
    }

    /// One line, over and over.
    fn always(line: Line) -> Self {
        Self { first: Vec::new(), again: vec![line] }
    }

    /// Returns the message that is said after `before` others.
    pub(super) fn line(&self, before: usize) -> &Line {
        match before.checked_sub(self.first.len()) {
            None => &self.first[before],
            Some(later) => &self.again[later % self.again.len()],
        }
    }
}

/// Returns a frame with the next mask.
fn masked(noise: &mut Noise, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    push_masked(&mut frame, first, noise.next_mask(), payload);
    frame
}

/// Returns an update such as services send to pages: names that recur, numbers and identifiers that do not.
fn json(noise: &mut Noise) -> Vec<u8> {
    let mut text = format!(r#"{{"type":"update","sequence":{},"items":["#, pick(noise, 1_000_000));
    while text.len() < JSON_BYTES - 150 {
        let separator = if text.ends_with('[') { "" } else { "," };
        let (id, owner) = (pick(noise, 1 << 32), one_of(noise, &NAMES));
        let (price, count) = (pick(noise, 100_000) as f64 / 100.0, pick(noise, 50));
        let (is_open, state) = (pick(noise, 2) == 0, one_of(noise, &STATES));
        text += &format!(
            r#"{separator}{{"id":"{id:08x}","owner":"{owner}","price":{price:.2},"count":{count},"open":{is_open},"state":"{state}"}}"#
        );
    }
    text += r#"],"note":""#;
    while text.len() < JSON_BYTES - 2 {
        text += one_of(noise, &WORDS);
    }
    text.truncate(JSON_BYTES - 2);
    text += "\"}";
    text.into_bytes()
}

/// Returns text in several scripts; what no whole word fills is full stops.
fn prose(noise: &mut Noise, bytes: usize) -> Vec<u8> {
    let mut text = String::with_capacity(bytes);
    while text.len() < bytes {
        let words: &[_] = if pick(noise, 4) == 0 { &FOREIGN } else { &WORDS };
        let word = one_of(noise, words);
        text += if text.len() + word.len() <= bytes { word } else { "." };
    }
    text.into_bytes()
}

fn pick(noise: &mut Noise, below: u64) -> u64 {
    noise.next_word() % below
}

fn one_of(noise: &mut Noise, words: &[&'static str]) -> &'static str {
    words[usize::from(noise.next_word().to_ne_bytes()[0]) % words.len()]
}

const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
const STATES: [&str; 4] = ["ready", "waiting", "shipped", "returned"];
const WORDS: [&str; 16] = [
    "the ", "order ", "was ", "sent ", "to ", "a ", "new ", "address ", "and ", "will ", "arrive ",
    "by ", "noon ", "on ", "next ", "day ",
];
const FOREIGN: [&str; 4] = ["grüße ", "привет ", "你好 ", "👋🏽 "];
/// The first byte of a text in one frame (RFC 6455 §5.2).
const TEXT: u8 = 0x81;
/// The first byte of a compressed text in one frame (RFC 7692 §6).
const COMPRESSED_TEXT: u8 = 0xC1;
const JSON_BYTES: usize = 1024;
/// More than the 32 KiB of a window.
const JSON_CYCLE: usize = 64;

#[cfg(test)]
mod tests {
    use super::{JSON_BYTES, JSON_CYCLE, Line, Speech, Words};
    use crate::load::deflate::{Inflater, Takeover};

    #[test]
    fn a_text_is_utf_8_of_the_length_asked_for() -> anyhow::Result<()> {
        for bytes in [0, 1, 20, 1024] {
            let speech = Speech::new(Words::Text(bytes), 3)?;
            let line = speech.line(0);
            assert_eq!((line.message.len(), line.request[0], line.is_text), (bytes, 0x81, true));
            let is_ascii = str::from_utf8(&line.message)?.is_ascii();
            assert!(bytes < 1024 || !is_ascii, "nothing but ASCII in {bytes} bytes");
        }
        Ok(())
    }

    #[test]
    fn every_cycle_inflates_to_its_texts() -> anyhow::Result<()> {
        // RFC 7692 §7.2.2
        for (takeover, bytes_max) in [(Takeover::Off, 450), (Takeover::On, 350)] {
            let speech = Speech::new(Words::Json(takeover), 3)?;
            let mut inflater = Inflater::new(takeover);
            let mut payload_bytes = 0;
            for before in 0..4 * JSON_CYCLE {
                let line = speech.line(before);
                let mut payload = unmasked(line);
                payload_bytes += payload.len();
                let message = inflater.inflate(&mut payload, JSON_BYTES)?;
                assert_eq!((message.len(), &message), (JSON_BYTES, &line.message), "{before}");
                let json: serde_json::Value = serde_json::from_slice(&message)?;
                assert_eq!(json["type"], "update");
            }
            let mean = payload_bytes / (4 * JSON_CYCLE);
            assert!((100..bytes_max).contains(&mean), "{takeover:?}: {mean} bytes on average");
        }
        Ok(())
    }

    #[test]
    fn a_compressed_text_inflates_to_itself_each_time() -> anyhow::Result<()> {
        let speech = Speech::new(Words::Compressed(10_000), 3)?;
        let mut inflater = Inflater::new(Takeover::Off);
        for before in [0, 1] {
            let line = speech.line(before);
            assert_eq!((line.message.len(), line.request[0]), (10_000, 0xC1));
            assert_eq!(inflater.inflate(&mut unmasked(line), 10_000)?, line.message);
        }
        Ok(())
    }

    /// The payload of a frame of 126 to 65,535 bytes (RFC 6455 §5.2).
    fn unmasked(line: &Line) -> Vec<u8> {
        let [_, 0xFE, _, _, mask @ ..] = line.request.as_slice() else {
            panic!("no medium frame: {:02x?}", line.request);
        };
        let (mask, masked) = mask.split_first_chunk::<4>().expect("a mask");
        masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }
}
