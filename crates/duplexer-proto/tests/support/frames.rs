//! Frames written and read by the letter of RFC 6455 §5.2, independently of the crate under test.

use duplexer_proto::Role;

/// The masking key of the examples in RFC 6455 §5.7.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as it was found on the wire.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub(crate) first: u8,
    /// The payload, unmasked.
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A frame to compare with.
    pub(crate) fn new(first: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { first, payload: payload.into() }
    }

    /// Whether the opcode is a control frame's.
    pub(crate) const fn is_control(&self) -> bool {
        self.first & 0x08 != 0
    }

    /// The code of a Close frame that has one.
    pub(crate) fn close_code(&self) -> Option<u16> {
        match self.payload[..] {
            [high, low, ..] if self.first == 0x88 => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.payload[..self.payload.len().min(48)];
        let (len, text) = (self.payload.len(), shown.escape_ascii());
        write!(f, "{:02x}[{len}]\"{text}\"", self.first)
    }
}

/// The header of a frame that `from` sends, with any declared length, in its shortest form.
pub(crate) fn header(from: Role, first: u8, len: u64) -> Vec<u8> {
    let masked = if from == Role::Client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len), _) if len < 126 => bytes.push(masked | len),
        (_, Ok(len)) => {
            bytes.push(masked | 126);
            bytes.extend(len.to_be_bytes());
        }
        (_, Err(_)) => {
            bytes.push(masked | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    if from == Role::Client {
        bytes.extend(KEY);
    }
    bytes
}

/// A whole frame as `from` sends it: masked with [`KEY`] by a client.
pub(crate) fn frame(from: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = header(from, first, payload.len() as u64);
    match from {
        Role::Client => bytes.extend(masked(payload, KEY)),
        Role::Server => bytes.extend(payload),
    }
    bytes
}

/// Takes what `from` sent apart, and panics unless it is whole frames that this role may send, in
/// an order that RFC 6455 §5.4 allows, with nothing behind a Close.
pub(crate) fn frames(from: Role, mut bytes: &[u8]) -> Vec<Frame> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = split_frame(from, bytes).expect("the last frame is whole");
        found.push(frame);
        bytes = rest;
    }
    let mut inside_message = false;
    for (at, frame) in found.iter().enumerate() {
        let fin = frame.first & 0x80 != 0;
        match frame.first & 0x0f {
            0x0 => {
                assert!(inside_message, "frame {at} continues nothing: {found:?}");
                inside_message = !fin;
            }
            0x1 | 0x2 => {
                assert!(!inside_message, "frame {at} stands inside a message: {found:?}");
                inside_message = !fin;
            }
            0x8 => assert_eq!(at + 1, found.len(), "nothing follows a Close: {found:?}"),
            0x9 | 0xa => {}
            opcode => panic!("opcode {opcode:#x} is not defined"),
        }
    }
    found
}

fn split_frame(from: Role, bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    assert_eq!(second & 0x80 != 0, from == Role::Client, "a client masks, a server does not");
    let (len, rest) = match second & 0x7f {
        126 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            let len = u64::from(u16::from_be_bytes(*len));
            assert!(len > 125, "length {len} in three bytes");
            (len, rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk::<8>()?;
            let len = u64::from_be_bytes(*len);
            assert!(len > 65_535, "length {len} in nine bytes");
            (len, rest)
        }
        len => (u64::from(len), rest),
    };
    assert!(first & 0x08 == 0 || (first & 0x80 != 0 && len <= 125), "an impossible control frame");
    let (key, rest) = match from {
        Role::Client => {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (*key, rest)
        }
        Role::Server => ([0; 4], rest),
    };
    let (payload, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    Some((Frame { first, payload: masked(payload, key) }, rest))
}

/// The body of a Close frame.
pub(crate) fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// "j = i MOD 4; transformed-octet-i = original-octet-i XOR masking-key-octet-j" (RFC 6455 §5.3).
fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect()
}
