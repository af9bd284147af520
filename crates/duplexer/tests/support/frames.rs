//! Frames written and read by the letter of RFC 6455 §5.2.

use super::peer::Role;

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
    pub(crate) fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first, payload: payload.as_ref().to_vec() }
    }

    /// A Close to compare with.
    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::new(0x88, close_body(code, reason))
    }

    /// The code of a Close, where this is one that has a code.
    pub(crate) fn close_code(&self) -> Option<u16> {
        match self.payload[..] {
            [high, low, ..] if self.first == 0x88 => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    /// Takes the first frame that `from` has sent off the front of `bytes`; `None` while it is not whole.
    pub(crate) fn take(from: Role, bytes: &mut Vec<u8>) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        assert_eq!(second & 0x80 != 0, from == Role::Client, "a client masks, a server does not");
        let (len, rest) = match second & 0x7f {
            126 => {
                let (len, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*len)), rest)
            }
            127 => {
                let (len, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*len), rest)
            }
            len => (u64::from(len), rest),
        };
        let (key, rest) = match from {
            Role::Client => rest.split_first_chunk().map(|(key, rest)| (*key, rest))?,
            Role::Server => ([0; 4], rest),
        };
        let (payload, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        let frame = Self { first, payload: masked(payload, key) };
        *bytes = rest.to_vec();
        Some(frame)
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.payload[..self.payload.len().min(48)];
        let (len, text) = (self.payload.len(), shown.escape_ascii());
        write!(f, "{:02x}[{len}]\"{text}\"", self.first)
    }
}

/// A whole frame as `from` sends it; a client masks with the key of RFC 6455 §5.7.
pub(crate) fn frame(from: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let masks = if from == Role::Client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ ..126 => bytes.push(masks | u8::try_from(len).expect("below 126")),
        len => match u16::try_from(len) {
            Ok(len) => {
                bytes.push(masks | 126);
                bytes.extend(len.to_be_bytes());
            }
            Err(_) => {
                bytes.push(masks | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        },
    }
    match from {
        Role::Client => {
            bytes.extend(KEY);
            bytes.extend(masked(payload, KEY));
        }
        Role::Server => bytes.extend(payload),
    }
    bytes
}

/// The body of a Close frame.
pub(crate) fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
