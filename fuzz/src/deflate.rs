//! permessage-deflate against an independent implementation of DEFLATE (miniz_oxide, behind
//! flate2): garbage in, and messages there and back.

use arbitrary::{Result, Unstructured};
use duplexer_proto::Scratch;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Boundary, Extension, Negotiator, Offer};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Garbage is inflated within its bounds, to what others make of it; what we compress others
/// inflate, and the other way round, in any pieces, with and without context takeover.
pub fn deflate(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let _ = match input.arbitrary::<u8>() {
        Ok(byte) if byte & 3 == 0 => garbage(&mut input),
        Ok(byte) if byte & 3 == 1 => we_read(&mut input),
        _ => we_write(&mut input),
    };
}

fn extension(takeover: bool, bits: u8, level: u8) -> Box<dyn Extension> {
    let settings = if takeover { Deflate::takeover() } else { Deflate::shared() };
    let settings = settings.server_window_bits(bits).level(level);
    settings.accept(&Offer::new("permessage-deflate")).expect("the plainest offer").extension
}

/// Decodes one message in pieces, a little room at a time. `None` when the stream is corrupt.
fn decode(
    extension: &mut dyn Extension,
    message: &[u8],
    piece: usize,
    room: usize,
    output_max: usize,
) -> Option<Vec<u8>> {
    let mut scratch = Scratch::new(|| [0; 4]);
    let mut output = Vec::new();
    let mut pieces = message.chunks(piece).peekable();
    let mut input: &[u8] = pieces.next().unwrap_or(&[]);
    loop {
        let end = pieces.peek().is_none();
        let before = output.len();
        let decoded = extension.decode(input, end, room, &mut scratch, &mut output).ok()?;
        let produced = output.len() - before;
        assert!(produced <= room, "{produced} bytes, room for {room}");
        assert!(decoded.done || decoded.consumed > 0 || produced > 0, "stands still");
        input = &input[decoded.consumed..];
        if decoded.done {
            assert!(input.is_empty());
            match pieces.next() {
                Some(next) => input = next,
                None => return Some(output),
            }
        }
        if output.len() > output_max {
            return None;
        }
    }
}

fn garbage(input: &mut Unstructured<'_>) -> Result<()> {
    let (piece, room) = (input.int_in_range(1..=40)?, input.int_in_range(1..=70_000)?);
    let message = input.bytes(input.len())?;
    const OUTPUT_MAX: usize = 64 << 10;
    let mut ours = extension(true, 15, 6);
    let decoded = decode(&mut *ours, message, piece, room, OUTPUT_MAX);
    let again = decode(&mut *extension(false, 15, 6), message, 1 << 20, 1 << 20, OUTPUT_MAX);
    assert_eq!(decoded, again, "pieces of {piece}, room for {room}");
    let (Some(decoded), false) = (decoded, message.is_empty()) else { return Ok(()) };
    let stream = [message, &[0x00, 0x00, 0xff, 0xff]].concat();
    let mut theirs = Decompress::new(false);
    let mut output = Vec::with_capacity(OUTPUT_MAX + 1);
    match theirs.decompress_vec(&stream, &mut output, FlushDecompress::Sync) {
        // A final block ends the stream for them; for us the message goes on (RFC 7692 §7.2.3.4).
        Ok(Status::StreamEnd) => assert!(decoded.starts_with(&output)),
        Ok(Status::Ok | Status::BufError) => assert_eq!(decoded, output),
        Err(error) => panic!("we read what they refuse: {error}"),
    }
    Ok(())
}

/// Text-like or any bytes, some of it repeated, so that there is something to refer to.
fn message(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = input.int_in_range(0..=300)?;
    let seed = input.bytes(len.min(input.len()))?;
    Ok(seed.repeat(input.int_in_range(1..=12)?))
}

fn we_write(input: &mut Unstructured<'_>) -> Result<()> {
    let (takeover, bits) = (input.arbitrary()?, input.int_in_range(8..=15)?);
    let mut ours = extension(takeover, bits, input.int_in_range(0..=9)?);
    let mut scratch = Scratch::new(|| [0; 4]);
    let mut theirs = Decompress::new(false);
    for _ in 0..4 {
        let message = message(input)?;
        let mut payload = Vec::new();
        let mut rest = &message[..];
        while input.int_in_range(0..=2)? != 0 {
            let (piece, after) = rest.split_at(input.int_in_range(0..=rest.len())?);
            let boundary = if input.arbitrary()? { Boundary::Flush } else { Boundary::Within };
            ours.encode(piece, boundary, &mut scratch, &mut payload);
            rest = after;
        }
        ours.encode(rest, Boundary::End, &mut scratch, &mut payload);
        assert!(!payload.is_empty() && !payload.ends_with(&[0x00, 0x00, 0xff, 0xff]));
        payload.extend([0x00, 0x00, 0xff, 0xff]);
        let mut output = Vec::with_capacity(message.len() + 1);
        let status = theirs.decompress_vec(&payload, &mut output, FlushDecompress::Sync);
        assert!(matches!(status, Ok(Status::Ok | Status::BufError)), "{status:?}");
        assert_eq!(output, message);
        if !takeover {
            theirs.reset(false);
        }
    }
    Ok(())
}

fn we_read(input: &mut Unstructured<'_>) -> Result<()> {
    let takeover = input.arbitrary()?;
    let mut ours = extension(takeover, 15, 6);
    let mut theirs = Compress::new(Compression::new(input.int_in_range(0..=9)?), false);
    for _ in 0..4 {
        let message = message(input)?;
        let mut payload = Vec::with_capacity(message.len() * 2 + 100);
        let last = input.arbitrary::<u8>()? == 0;
        let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        theirs.compress_vec(&message, &mut payload, flush).expect("there is room");
        if last {
            // A final block, and the header of an empty stored one (RFC 7692 §7.2.3.4).
            payload.push(0);
        } else if payload.ends_with(&[0x00, 0x00, 0xff, 0xff]) {
            payload.truncate(payload.len() - 4);
        }
        let (piece, room) = (input.int_in_range(1..=100)?, input.int_in_range(1..=4000)?);
        if !payload.is_empty() {
            let decoded = decode(&mut *ours, &payload, piece, room, usize::MAX);
            assert_eq!(decoded.as_ref(), Some(&message));
        }
        if last {
            return Ok(());
        }
        if !takeover {
            theirs.reset();
        }
    }
    Ok(())
}
