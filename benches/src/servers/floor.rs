//! The floor: the least that any server on tokio can do to echo frames. A socket in, its frames unmasked and sent back.
//!
//! One read into a buffer that the whole thread shares, unmasking in place, one write for all that the read held. Frames
//! larger than the buffer are passed on piece by piece. Told to, it leaves even the unmasking out and sends back the very
//! bytes that came. Deliberately absent: everything that makes a protocol. Nothing is validated, nothing is answered but by
//! its own echo, nothing is bounded and nothing is ever closed from this side.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Echoes one opened connection until its peer goes away. Awaiting it is the whole conversation.
#[derive(Debug)]
pub struct Floor<S> {
    stream: S,
    /// `None` where bytes are sent back as they came.
    frames: Option<Frames>,
    /// What the socket would not take at once; empty, and without memory, nearly always.
    unsent: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Floor<S> {
    /// Takes a socket whose opening handshake is done.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self { stream, frames: Some(Frames::default()), unsent: Vec::new() }
    }

    /// Takes a socket whose bytes are sent back as they come: the cost of tokio and the kernel alone.
    #[must_use]
    pub fn verbatim(stream: S) -> Self {
        Self { stream, frames: None, unsent: Vec::new() }
    }

    fn poll_turn(
        &mut self,
        buffer: &mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let kept = self.frames.as_ref().map_or(0, |frames| frames.restore(buffer));
        let mut room = ReadBuf::new(&mut buffer[kept..]);
        if let Err(error) = ready!(Pin::new(&mut self.stream).poll_read(context, &mut room)) {
            return Poll::Ready(Err(error));
        }
        let read = room.filled().len();
        if read == 0 {
            return Poll::Ready(Ok(false));
        }
        let mut reply = match &mut self.frames {
            Some(frames) => frames.reply(&mut buffer[..kept + read]),
            None => 0..read,
        };
        while !reply.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &buffer[reply.clone()]) {
                Poll::Ready(sent) => reply.start += sent?,
                Poll::Pending => {
                    self.unsent = buffer[reply].to_vec();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Floor<S> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let floor = &mut *self;
        loop {
            while !floor.unsent.is_empty() {
                let sent = ready!(Pin::new(&mut floor.stream).poll_write(context, &floor.unsent))?;
                floor.unsent.drain(..sent);
            }
            floor.unsent = Vec::new();
            // A socket has nothing to flush. TLS has when the socket was full.
            ready!(Pin::new(&mut floor.stream).poll_flush(context))?;
            let turn = BUFFER.with_borrow_mut(|buffer| floor.poll_turn(buffer, context));
            if !ready!(turn)? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Where in the stream of frames a connection stands between two reads.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Payload bytes of the current frame that are still to come.
    missing: usize,
    /// The current frame's mask, turned to the next byte to come.
    mask: [u8; 4],
    /// The beginning of a header that was cut off by the end of a read.
    partial: [u8; HEADER_BYTES_MAX],
    partial_bytes: usize,
}

impl Frames {
    /// Puts a cut-off header back in front of what is read next, and returns its length.
    pub(super) fn restore(&self, buffer: &mut [u8]) -> usize {
        buffer[..self.partial_bytes].copy_from_slice(&self.partial[..self.partial_bytes]);
        self.partial_bytes
    }

    /// Turns masked frames into unmasked ones in place and returns where they now are.
    pub(super) fn reply(&mut self, bytes: &mut [u8]) -> Range<usize> {
        self.partial_bytes = 0;
        // The first payload stays where it is, and its header moves up by the four bytes of the mask.
        let start = if self.missing == 0 { MASK_BYTES } else { 0 };
        let (mut from, mut to) = (0, start);
        while from < bytes.len() {
            if self.missing == 0 {
                let Some(header) = Header::parse(&bytes[from..]) else {
                    self.partial_bytes = bytes.len() - from;
                    self.partial[..self.partial_bytes].copy_from_slice(&bytes[from..]);
                    break;
                };
                bytes[from + 1] &= 0x7F;
                let unmasked = header.bytes - MASK_BYTES;
                bytes.copy_within(from..from + unmasked, to);
                from += header.bytes;
                to += unmasked;
                self.missing = header.payload_bytes;
                self.mask = header.mask;
            }
            let here = self.missing.min(bytes.len() - from);
            unmask(&mut bytes[from..from + here], self.mask);
            self.mask.rotate_left(here % MASK_BYTES);
            if from != to {
                bytes.copy_within(from..from + here, to);
            }
            from += here;
            to += here;
            self.missing -= here;
        }
        start..to
    }
}

/// A masked frame's header (RFC 6455 §5.2), as far as an echo needs it.
struct Header {
    bytes: usize,
    payload_bytes: usize,
    mask: [u8; 4],
}

impl Header {
    /// Returns `None` while the header is not whole.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (length_end, payload_bytes) = match *bytes.get(1)? & 0x7F {
            126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?),
            short => (2, usize::from(short)),
        };
        let mask = *bytes.get(length_end..)?.first_chunk()?;
        Some(Self { bytes: length_end + MASK_BYTES, payload_bytes, mask })
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

const MASK_BYTES: usize = 4;
const HEADER_BYTES_MAX: usize = 14;
const BUFFER_BYTES: usize = 512 * 1024;

thread_local! {
    pub(super) static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

#[cfg(test)]
mod tests {
    use super::Frames;
    use crate::load::Script;

    #[test]
    fn frames_cut_anywhere_give_the_same_reply() {
        for payload_bytes in [0, 1, 20, 125, 126, 700] {
            let script = Script::new(7, payload_bytes, 3);
            for cut in 0..=script.request.len() {
                let (head, tail) = script.request.split_at(cut);
                assert_eq!(replies(&[head, tail]), script.reply, "cut at {cut}");
            }
        }
        let script = Script::new(8, 65_536, 1);
        assert_eq!(replies(&script.request.chunks(3).collect::<Vec<_>>()), script.reply);
    }

    fn replies(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut frames, mut sent) = (Frames::default(), Vec::new());
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let mut buffer = vec![0; piece.len() + 14];
            let kept = frames.restore(&mut buffer);
            buffer[kept..kept + piece.len()].copy_from_slice(piece);
            let reply = frames.reply(&mut buffer[..kept + piece.len()]);
            sent.extend_from_slice(&buffer[reply]);
        }
        sent
    }
}
