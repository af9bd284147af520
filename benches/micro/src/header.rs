//! Frame headers (RFC 6455 §5.2), read and written: each form of the length, masked as a client's, and the shortest as a server's.

use std::hint::black_box;

use duplexer_proto::frame::{Header, Opcode, Rsv};

use crate::case::{Case, OPERATIONS, Work};

/// Both directions for each form.
pub(crate) fn cases() -> Vec<Case> {
    let key = Some([0x37, 0xfa, 0x21, 0x3d]);
    let forms = [("2B", None, 20), ("6B", key, 20), ("8B", key, 1 << 10), ("14B", key, 1 << 20)];
    let mut cases = Vec::new();
    for (size, mask, payload_len) in forms {
        let header = Header { fin: true, rsv: Rsv::EMPTY, opcode: Opcode::Text, mask, payload_len };
        let mut encoded = Vec::new();
        header.write(&mut encoded);
        let bytes = encoded.len();
        let read = move || Read { encoded: encoded.clone() };
        cases.push(Case::new(format!("header-read-{size}"), bytes, read));
        let write = move || Written { header, output: Vec::with_capacity(OPERATIONS * bytes) };
        cases.push(Case::new(format!("header-write-{size}"), bytes, write));
    }
    cases
}

struct Read {
    encoded: Vec<u8>,
}

impl Work for Read {
    fn prepare(&mut self) {}

    fn run(&mut self) -> usize {
        let mut handled = 0;
        for _ in 0..OPERATIONS {
            let parsed = Header::parse(black_box(&self.encoded));
            let (header, len) = parsed.expect("a valid header").expect("a whole header");
            black_box(header);
            handled += len;
        }
        handled
    }
}

struct Written {
    header: Header,
    output: Vec<u8>,
}

impl Work for Written {
    fn prepare(&mut self) {
        self.output.clear();
    }

    fn run(&mut self) -> usize {
        for _ in 0..OPERATIONS {
            black_box(&self.header).write(black_box(&mut self.output));
        }
        self.output.len()
    }
}
