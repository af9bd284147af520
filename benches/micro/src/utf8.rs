//! The check of texts (RFC 6455 §8.1), each in one piece: of one byte a character, and of one to four.

use std::hint::black_box;

use duplexer_proto::Utf8Check;

use crate::case::{Case, OPERATIONS, Work};
use crate::sample;

/// A text so short that it has a check of its own, one of a usual length, and one as large as a read.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, bytes) in [("20B", 20), ("1KiB", 1 << 10), ("64KiB", 64 << 10)] {
        let ascii = move || Checked { text: sample::ascii(bytes) };
        cases.push(Case::new(format!("utf8-ascii-{size}"), bytes, ascii));
        let mixed = move || Checked { text: sample::mixed(bytes) };
        cases.push(Case::new(format!("utf8-mixed-{size}"), bytes, mixed));
    }
    cases
}

struct Checked {
    text: String,
}

impl Work for Checked {
    fn prepare(&mut self) {}

    fn run(&mut self) -> usize {
        let mut handled = 0;
        for _ in 0..OPERATIONS {
            let text = black_box(self.text.as_bytes());
            let mut check = Utf8Check::default();
            check.push(text).and_then(|()| check.finish()).expect("this is UTF-8");
            handled += text.len();
        }
        handled
    }
}
