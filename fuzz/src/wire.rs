//! Frames read by the letter of RFC 6455 §5.2, independently of the crate under test: slow, small,
//! and without panics.

use duplexer_proto::Role;

/// One frame, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

/// What stands at the front of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Front<'b> {
    /// A frame, and what follows it.
    Frame(Frame, &'b [u8]),
    /// The beginning of a frame, or nothing.
    Incomplete,
}

/// Reads the first frame that `from` sent; an error names what this role may not send.
pub(crate) fn front(from: Role, bytes: &[u8]) -> Result<Front<'_>, &'static str> {
    let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
        return Ok(Front::Incomplete);
    };
    if (second & 0x80 != 0) != (from == Role::Client) {
        return Err("masked by a server, or not masked by a client");
    }
    if first & 0x08 != 0 && (first & 0x80 == 0 || second & 0x7f > 125) {
        return Err("a control frame that is fragmented or too long");
    }
    let (len, rest) = match second & 0x7f {
        126 => match rest.split_first_chunk::<2>() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
            None => return Ok(Front::Incomplete),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((len, rest)) => (u64::from_be_bytes(*len), rest),
            None => return Ok(Front::Incomplete),
        },
        len => (u64::from(len), rest),
    };
    let shortest = match len {
        0..=125 => second & 0x7f < 126,
        126..=0xffff => second & 0x7f == 126,
        _ => len >> 63 == 0,
    };
    if !shortest {
        return Err("a length that is not in its shortest form, or too large");
    }
    let (key, rest) = match from {
        Role::Server => ([0; 4], rest),
        Role::Client => match rest.split_first_chunk::<4>() {
            Some((key, rest)) => (*key, rest),
            None => return Ok(Front::Incomplete),
        },
    };
    let Some((masked, rest)) = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len))
    else {
        return Ok(Front::Incomplete);
    };
    let payload = masked.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
    Ok(Front::Frame(Frame { first, payload }, rest))
}

/// Panics unless `bytes` are frames that `from` may send in this order: no interleaved messages, at
/// most one Close, nothing behind it, and no reserved bit but RSV1 on the first frame of a message
/// where `compresses`.
pub(crate) fn check_sent(
    from: Role,
    mut bytes: &[u8],
    compresses: bool,
    may_be_cut: bool,
) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut inside = false;
    loop {
        match front(from, bytes).unwrap_or_else(|fault| panic!("{fault}, after {frames:?}")) {
            Front::Incomplete => {
                assert!(bytes.is_empty() || may_be_cut, "the last frame is incomplete");
                return frames;
            }
            Front::Frame(frame, rest) => {
                assert!(frames.last().is_none_or(|last| last.first != 0x88), "after a Close");
                let fin = frame.first & 0x80 != 0;
                let rsv = frame.first & 0x70;
                match frame.first & 0x0f {
                    0x0 => {
                        assert!(inside && rsv == 0, "{frame:?}");
                        inside = !fin;
                    }
                    0x1 | 0x2 => {
                        assert!(!inside && (rsv == 0 || (rsv == 0x40 && compresses)), "{frame:?}");
                        inside = !fin;
                    }
                    0x8..=0xa => assert_eq!(rsv, 0),
                    _ => panic!("an opcode that is not defined: {frame:?}"),
                }
                frames.push(frame);
                bytes = rest;
            }
        }
    }
}

/// A frame as `from` sends it, with a fixed key.
pub(crate) fn frame(from: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let masked = if from == Role::Client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    let len = payload.len();
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len), _) if len < 126 => bytes.push(masked | len),
        (_, Ok(len)) => {
            bytes.push(masked | 126);
            bytes.extend(len.to_be_bytes());
        }
        (_, Err(_)) => {
            bytes.push(masked | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    match from {
        Role::Client => {
            bytes.extend(KEY);
            bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ KEY[at % 4]));
        }
        Role::Server => bytes.extend(payload),
    }
    bytes
}
