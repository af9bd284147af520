//! The prepared bytes of one turn: masked binary frames to send, and exactly what an echo server must answer.

use super::sample::Reply;

/// One turn's request and the reply it must bring.
#[derive(Debug)]
pub struct Script {
    /// Masked frames, as a client sends them (RFC 6455 §5.3).
    pub request: Vec<u8>,
    /// The same payloads unmasked, as a server sends them.
    pub reply: Vec<u8>,
}

impl Script {
    /// Prepares `messages` binary messages of `payload_bytes` each, all different and with different masks.
    ///
    /// The same `seed` gives the same bytes.
    #[must_use]
    pub fn new(seed: u64, payload_bytes: usize, messages: usize) -> Self {
        let mut noise = Noise(seed);
        let mut script = Self { request: Vec::new(), reply: Vec::new() };
        for _ in 0..messages {
            let mask = noise.next_mask();
            let payload: Vec<u8> = std::iter::repeat_with(|| noise.next_word().to_ne_bytes())
                .flatten()
                .take(payload_bytes)
                .collect();
            push_header(&mut script.reply, BINARY, 0, payload_bytes);
            script.reply.extend_from_slice(&payload);
            push_masked(&mut script.request, BINARY, mask, &payload);
        }
        script
    }

    /// Changes the reply to what the server sends that is asked.
    #[must_use]
    pub fn answered(mut self, reply: Reply) -> Self {
        match reply {
            Reply::Unmasked => {}
            Reply::Verbatim => self.reply.clone_from(&self.request),
        }
        self
    }
}

/// Appends a masked frame that begins with the byte `first` (RFC 6455 §5.3).
pub(super) fn push_masked(bytes: &mut Vec<u8>, first: u8, mask: [u8; 4], payload: &[u8]) {
    push_header(bytes, first, 0x80, payload.len());
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Appends a frame's header up to its mask (RFC 6455 §5.2).
fn push_header(bytes: &mut Vec<u8>, first: u8, mask_bit: u8, payload_bytes: usize) {
    bytes.push(first);
    if let Ok(short @ ..126) = u8::try_from(payload_bytes) {
        bytes.push(mask_bit | short);
    } else if let Ok(medium) = u16::try_from(payload_bytes) {
        bytes.push(mask_bit | 126);
        bytes.extend_from_slice(&medium.to_be_bytes());
    } else {
        bytes.push(mask_bit | 127);
        bytes.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
    }
}

/// A small generator of even noise (SplitMix64); the payloads need no better.
#[derive(Debug)]
pub(super) struct Noise(pub(super) u64);

impl Noise {
    /// Returns a mask without a zero byte, which leaves no byte of a payload as it was.
    pub(super) fn next_mask(&mut self) -> [u8; 4] {
        let mask = self.next_word().to_ne_bytes().map(|byte| byte | 1);
        [mask[0], mask[1], mask[2], mask[3]]
    }

    pub(super) fn next_word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// The first byte of a binary message in one frame.
pub(super) const BINARY: u8 = 0x82;

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn lengths_are_written_in_their_shortest_form() {
        // RFC 6455 §5.2
        for (payload_bytes, header) in [
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xFF, 0xFF]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let script = Script::new(1, payload_bytes, 1);
            assert_eq!(script.reply[..header.len()], header);
            assert_eq!(script.reply.len(), header.len() + payload_bytes);
            assert_eq!(script.request.len(), script.reply.len() + 4);
            assert_eq!(script.request[1], script.reply[1] | 0x80);
        }
    }
}
