//! The transport under a handshake: keeps the first bytes of the peer until it is over, so that a peer that speaks no TLS can be
//! told from one that speaks it badly, and sends no TLS to such a peer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Transport;

/// A transport whose first bytes are remembered.
pub(super) struct Watched {
    io: Transport,
    /// What was heard of the peer; `None` once that matters no more.
    heard: Option<Vec<u8>>,
}

impl Watched {
    pub(super) const fn new(io: Transport) -> Self {
        Self { io, heard: Some(Vec::new()) }
    }

    /// Remembers no more.
    pub(super) fn unwatch(&mut self) {
        self.heard = None;
    }

    /// The first bytes of the peer, and the transport.
    pub(super) fn into_parts(self) -> (Vec<u8>, Transport) {
        (self.heard.unwrap_or_default(), self.io)
    }

    /// Whether the peer has begun with something that is not TLS.
    fn is_foreign(&self) -> bool {
        self.heard.as_deref().is_some_and(is_foreign)
    }
}

/// Whether bytes begin no record of TLS (RFC 8446 §5.1): a type from 20 to 24, and a version 3.x.
pub(super) fn is_foreign(start: &[u8]) -> bool {
    match *start {
        [] => false,
        [kind] => !RECORD_TYPES.contains(&kind),
        [kind, major, ..] => !RECORD_TYPES.contains(&kind) || major != 3,
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if let Some(heard) = &mut self.heard {
            let new = &buffer.filled()[before..];
            heard.extend_from_slice(&new[..new.len().min(HEARD_BYTES_MAX - heard.len())]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_foreign() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_foreign() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Bytes that are remembered.
const HEARD_BYTES_MAX: usize = 64;
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=24;
