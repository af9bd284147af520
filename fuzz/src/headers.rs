//! Frame headers: read from any bytes, at any length, and written back.

use duplexer_proto::Role;
use duplexer_proto::frame::Header;

use crate::wire::{Front, front};

/// A header that was read is written to the bytes it was read from; what an incomplete one comes to
/// does not depend on how much of it is there; and a reader written by the letter agrees.
pub fn headers(data: &[u8]) {
    let whole = Header::parse(data);
    match &whole {
        Ok(Some((header, len))) => {
            let mut written = Vec::new();
            header.write(&mut written);
            assert_eq!(written, data[..*len]);
            assert!((2..=14).contains(len));
            let from = if header.mask.is_some() { Role::Client } else { Role::Server };
            let payload_len = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
            match front(from, data) {
                Ok(Front::Frame(frame, _)) => assert_eq!(frame.payload.len(), payload_len),
                Ok(Front::Incomplete) => assert!(data.len() - len < payload_len),
                Err(fault) => panic!("{fault}: {header:?}"),
            }
        }
        Ok(None) => assert!(data.len() < 14),
        Err(_) => {}
    }
    for end in 0..data.len().min(20) {
        match (Header::parse(&data[..end]), &whole) {
            (Ok(None), _) => {}
            (early, late) => assert_eq!(&early, late, "after {end} bytes"),
        }
    }
}
