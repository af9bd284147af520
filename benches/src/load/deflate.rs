//! permessage-deflate (RFC 7692) as the generator speaks it: what it offers, its messages compressed, and replies inflated.

use anyhow::Context as _;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Whether a message is compressed with the memory of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Each message by itself, in both directions.
    Off,
    /// With the memory of those before it, in both directions.
    On,
}

impl Takeover {
    /// What the generator offers, as the value of `Sec-WebSocket-Extensions`.
    pub(super) const fn offer(self) -> &'static str {
        match self {
            Self::Off => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            }
            Self::On => "permessage-deflate",
        }
    }

    /// Tells whether a server's answer means what was asked for. Smaller windows of the server's are its own affair.
    pub(super) fn is_agreed(self, answer: &str) -> bool {
        let mut parameters = answer.split(';').map(str::trim);
        let agreed = parameters.next() == Some("permessage-deflate") && !answer.contains(',');
        let parameters: Vec<_> = parameters.collect();
        agreed
            && match self {
                // That the client forgets is what it offered: the server need not repeat it (RFC 7692 §7.1.1.2).
                Self::Off => parameters.contains(&"server_no_context_takeover"),
                Self::On => !parameters.iter().any(|it| it.ends_with("no_context_takeover")),
            }
    }
}

/// Compresses the messages of one connection.
#[derive(Debug)]
pub(super) struct Deflater {
    takeover: Takeover,
    context: Compress,
}

impl Deflater {
    pub(super) fn new(takeover: Takeover) -> Self {
        Self { takeover, context: Compress::new(Compression::default(), false) }
    }

    /// Returns a message's payload (RFC 7692 §7.2.1).
    pub(super) fn deflate(&mut self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        if self.takeover == Takeover::Off {
            self.context.reset();
        }
        let mut payload = Vec::with_capacity(message.len() + 64);
        let before = self.context.total_in();
        self.context.compress_vec(message, &mut payload, FlushCompress::Sync)?;
        anyhow::ensure!(self.context.total_in() - before == message.len() as u64, "no room");
        let tail = payload.strip_suffix(&TAIL).context("a flush ends with an empty block")?.len();
        payload.truncate(tail);
        Ok(payload)
    }
}

/// Inflates the messages of one connection.
#[derive(Debug)]
pub(super) struct Inflater {
    takeover: Takeover,
    context: Decompress,
}

impl Inflater {
    pub(super) fn new(takeover: Takeover) -> Self {
        Self { takeover, context: Decompress::new(false) }
    }

    /// Returns the message that a payload holds (RFC 7692 §7.2.2), which is of at most `bytes_max` bytes. The payload gets
    /// the tail that was left out.
    pub(super) fn inflate(
        &mut self,
        payload: &mut Vec<u8>,
        bytes_max: usize,
    ) -> anyhow::Result<Vec<u8>> {
        if self.takeover == Takeover::Off {
            self.context.reset(false);
        }
        payload.extend_from_slice(&TAIL);
        let mut message = Vec::with_capacity(bytes_max + 1);
        let mut rest = payload.as_slice();
        while !rest.is_empty() {
            let before = self.context.total_in();
            let status = self.context.decompress_vec(rest, &mut message, FlushDecompress::Sync)?;
            rest = &rest[usize::try_from(self.context.total_in() - before)?..];
            match (status, self.takeover) {
                (Status::Ok, _) if rest.is_empty() => {}
                // A final block in the midst of a message (RFC 7692 §7.2.3.4).
                (Status::StreamEnd, Takeover::Off) => self.context.reset(false),
                (Status::Ok | Status::BufError | Status::StreamEnd, _) => {
                    anyhow::bail!("what came back ends within {} compressed bytes", payload.len())
                }
            }
        }
        anyhow::ensure!(message.len() <= bytes_max, "more than {bytes_max} bytes came back");
        Ok(message)
    }
}

/// The end of a flush, which messages leave out.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

#[cfg(test)]
mod tests {
    use super::{Deflater, Inflater, Takeover};

    #[test]
    fn the_examples_of_the_rfc() -> anyhow::Result<()> {
        // RFC 7692 §7.2.3.1 and §7.2.3.2
        let mut inflater = Inflater::new(Takeover::On);
        let mut hello = vec![0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        assert_eq!(inflater.inflate(&mut hello, 5)?, b"Hello");
        assert_eq!(inflater.inflate(&mut vec![0xF2, 0x00, 0x11, 0x00, 0x00], 5)?, b"Hello");
        let mut deflater = Deflater::new(Takeover::On);
        let (first, again) = (deflater.deflate(b"Hello")?, deflater.deflate(b"Hello")?);
        assert!(again.len() < first.len(), "{first:02x?} {again:02x?}");
        Ok(())
    }

    #[test]
    fn a_final_block_ends_no_message() -> anyhow::Result<()> {
        // RFC 7692 §7.2.3.4
        let mut hello = vec![0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
        assert_eq!(Inflater::new(Takeover::Off).inflate(&mut hello, 5)?, b"Hello");
        Ok(())
    }

    #[test]
    fn a_message_too_long_or_broken_is_none() -> anyhow::Result<()> {
        let payload = Deflater::new(Takeover::Off).deflate(b"Hello")?;
        let mut inflater = Inflater::new(Takeover::Off);
        assert_eq!(inflater.inflate(&mut payload.clone(), 5)?, b"Hello");
        assert!(inflater.inflate(&mut payload.clone(), 4).is_err());
        assert!(inflater.inflate(&mut vec![0xFF, 0xFF], 5).is_err());
        Ok(())
    }

    #[test]
    fn an_answer_must_agree_to_what_is_measured() {
        // RFC 7692 §7.1.1
        let (off, on) = (Takeover::Off, Takeover::On);
        assert!(off.is_agreed(off.offer()) && on.is_agreed(on.offer()));
        assert!(off.is_agreed("permessage-deflate; server_no_context_takeover"));
        assert!(!off.is_agreed("permessage-deflate"));
        assert!(!on.is_agreed("permessage-deflate; client_no_context_takeover"));
        assert!(on.is_agreed("permessage-deflate; server_max_window_bits=12"));
        assert!(!on.is_agreed("permessage-deflate, permessage-deflate"));
        assert!(!on.is_agreed("x-webkit-deflate-frame"));
    }
}
