//! Takes a server's frames apart (RFC 6455 §5.2): bytes in any pieces in, parts of messages and pings out.
//!
//! Deliberately absent: a copy of what messages hold, and all that a client may not be sent: it fails the measurement.

use anyhow::Context as _;

/// Where in the stream of frames a connection stands.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    /// The frame whose header was the last to be whole, while its payload is missing.
    frame: Option<Frame>,
    /// The message that has begun and not ended.
    message: Option<Message>,
    control: Vec<u8>,
}

/// What a piece of the stream turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Bytes of a message, as they are on the wire.
    Payload(&'a [u8]),
    /// The message is whole.
    End(Message),
    /// A ping, with what its pong must hold.
    Ping(&'a [u8]),
}

/// What is known of a message before its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    /// Whether it is text; binary otherwise.
    pub(super) is_text: bool,
    /// Whether it is compressed (RFC 7692 §6).
    pub(super) is_compressed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    kind: Kind,
    is_final: bool,
    missing: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Ping,
    Pong,
}

impl Frames {
    /// Takes bytes in the order in which they came, and tells `found` what they hold.
    ///
    /// # Errors
    /// Fails on a frame that a server may not send, on a close, and with what `found` returns.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut found: impl FnMut(Part<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        loop {
            let Some(frame) = &mut self.frame else {
                let Some((&first, rest)) = bytes.split_first() else { return Ok(()) };
                self.header[self.header_bytes] = first;
                self.header_bytes += 1;
                bytes = rest;
                self.frame = self.whole_header()?;
                continue;
            };
            let (here, rest) = bytes.split_at(frame.missing.min(bytes.len()));
            bytes = rest;
            frame.missing -= here.len();
            let (frame, is_over) = (*frame, frame.missing == 0);
            match frame.kind {
                Kind::Data if here.is_empty() => {}
                Kind::Data => found(Part::Payload(here))?,
                Kind::Ping | Kind::Pong => self.control.extend_from_slice(here),
            }
            if !is_over {
                return Ok(());
            }
            self.frame = None;
            match frame.kind {
                Kind::Data if frame.is_final => {
                    let message = self.message.take().context("the end of no message")?;
                    found(Part::End(message))?;
                }
                Kind::Ping => found(Part::Ping(&self.control))?,
                Kind::Data | Kind::Pong => {}
            }
            self.control.clear();
        }
    }

    /// Reads the header once it is whole.
    fn whole_header(&mut self) -> anyhow::Result<Option<Frame>> {
        let header = &self.header[..self.header_bytes];
        let [first, second, length @ ..] = header else { return Ok(None) };
        let missing = match (second, length) {
            (..=125, _) => usize::from(*second),
            (126, &[a, b]) => usize::from(u16::from_be_bytes([a, b])),
            (127, &[a, b, c, d, e, f, g, h]) => {
                usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h]))?
            }
            (126 | 127, _) => return Ok(None),
            (128.., _) => anyhow::bail!("the server sent a masked frame"),
        };
        self.header_bytes = 0;
        let (is_final, is_compressed) = (first & 0x80 != 0, first & 0x40 != 0);
        let kind = match (first & 0x3F, self.message) {
            (opcode @ (1 | 2), None) => {
                self.message = Some(Message { is_text: opcode == 1, is_compressed });
                Kind::Data
            }
            (0, Some(_)) if !is_compressed => Kind::Data,
            (9, _) => Kind::Ping,
            (10, _) => Kind::Pong,
            (8, _) => anyhow::bail!("the server closed the connection"),
            (_, _) => anyhow::bail!("the server sent a frame that begins with {first:#04x}"),
        };
        Ok(Some(Frame { kind, is_final, missing }))
    }
}

/// A server's header has no mask.
const HEADER_BYTES_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::{Frames, Message, Part};

    const TEXT: Message = Message { is_text: true, is_compressed: false };
    const COMPRESSED: Message = Message { is_text: false, is_compressed: true };

    #[test]
    fn a_ping_between_fragments_is_told_from_them() {
        // RFC 6455 §5.4
        let bytes = b"\x01\x02He\x89\x01!\x00\x00\x80\x03llo\xc2\x01x\x81\x00";
        for split in 1..=bytes.len() {
            let (mut frames, mut payload) = (Frames::default(), Vec::new());
            let (mut texts, mut ends, mut pings) = (Vec::new(), Vec::new(), Vec::new());
            for piece in bytes.chunks(split) {
                let fed = frames.feed(piece, |part| {
                    match part {
                        Part::Payload(bytes) => payload.extend_from_slice(bytes),
                        Part::End(message) => {
                            ends.push(message);
                            texts.push(String::from_utf8(std::mem::take(&mut payload))?);
                        }
                        Part::Ping(bytes) => pings.extend_from_slice(bytes),
                    }
                    Ok(())
                });
                fed.expect("a server may send this");
            }
            assert_eq!(texts, ["Hello", "x", ""], "in pieces of {split}");
            assert_eq!(ends, [TEXT, COMPRESSED, TEXT]);
            assert_eq!(pings, b"!");
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_seen() {
        // RFC 6455 §5.1, §5.2, §5.4; RFC 7692 §6.1
        for (bytes, fault) in [
            (&b"\x81\x80"[..], "masked"),
            (b"\x80\x00", "begins with 0x80"),
            (b"\x01\x00\x81\x00", "begins with 0x81"),
            (b"\x01\x00\xc0\x00", "begins with 0xc0"),
            (b"\xa1\x00", "begins with 0xa1"),
            (b"\x83\x00", "begins with 0x83"),
            (b"\x88\x02\x03\xe8", "closed"),
        ] {
            let fed = Frames::default().feed(bytes, |_| Ok(()));
            let found = format!("{:#}", fed.expect_err("a server may not send this"));
            assert!(found.contains(fault), "{bytes:02x?}: {found}");
        }
    }
}
