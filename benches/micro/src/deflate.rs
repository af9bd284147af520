//! permessage-deflate (RFC 7692) by its extension's interface: JSON of 1 KiB compressed and decompressed, each text by itself and
//! with the memory of those before. A server's end, with default settings and contexts that are warm.

use std::hint::black_box;

use duplexer_proto::Scratch;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Boundary, Extension, Negotiator};

use crate::case::{Case, OPERATIONS, Work};
use crate::sample::{self, JSON_BYTES};

/// Both directions with both memories.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let memories = [("no-takeover", Deflate::shared as fn() -> _), ("takeover", Deflate::takeover)];
    for (name, settings) in memories {
        let compressed = move || Compressed(Ends::new(&settings()));
        cases.push(Case::new(format!("deflate-compress-{name}"), JSON_BYTES, compressed));
        let decompressed =
            move || Decompressed { ends: Ends::new(&settings()), payloads: Vec::new() };
        cases.push(Case::new(format!("deflate-decompress-{name}"), JSON_BYTES, decompressed));
    }
    cases
}

/// A connection's two ends, and what is said. The texts fill any window, so that saying them again is new to it.
struct Ends {
    client: Box<dyn Extension>,
    server: Box<dyn Extension>,
    scratch: Scratch,
    texts: Vec<String>,
    output: Vec<u8>,
}

impl Ends {
    fn new(settings: &Deflate) -> Self {
        let accepted = settings.accept(&settings.offers()[0]).expect("an acceptable offer");
        Self {
            client: settings.confirm(&accepted.response).expect("an acceptable answer"),
            server: accepted.extension,
            scratch: Scratch::new(|| [0; 4]),
            texts: (0..OPERATIONS).map(sample::json).collect(),
            output: Vec::new(),
        }
    }
}

struct Compressed(Ends);

impl Work for Compressed {
    fn prepare(&mut self) {}

    fn run(&mut self) -> usize {
        let Ends { server, scratch, texts, output, .. } = &mut self.0;
        let mut handled = 0;
        for text in texts {
            output.clear();
            server.encode(black_box(text.as_bytes()), Boundary::End, scratch, output);
            black_box(&*output);
            handled += text.len();
        }
        handled
    }
}

struct Decompressed {
    ends: Ends,
    payloads: Vec<Vec<u8>>,
}

impl Work for Decompressed {
    fn prepare(&mut self) {
        let Ends { client, scratch, texts, .. } = &mut self.ends;
        let compressed = texts.iter().map(|text| {
            let mut payload = Vec::new();
            client.encode(text.as_bytes(), Boundary::End, scratch, &mut payload);
            payload
        });
        self.payloads = compressed.collect();
    }

    fn run(&mut self) -> usize {
        let Ends { server, scratch, output, .. } = &mut self.ends;
        let mut handled = 0;
        for payload in &self.payloads {
            output.clear();
            let mut rest = black_box(payload.as_slice());
            loop {
                let decoded = server.decode(rest, true, JSON_BYTES, scratch, output);
                let decoded = decoded.expect("what the peer has compressed");
                rest = &rest[decoded.consumed..];
                if decoded.done {
                    break;
                }
            }
            handled += black_box(&*output).len();
        }
        handled
    }
}
