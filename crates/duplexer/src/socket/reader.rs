//! One incoming message in pieces, as they arrive: for messages of any length, in constant memory.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use duplexer_proto::MessageKind;
use tokio::io::{AsyncRead, ReadBuf};

use crate::driver::Piece;
use crate::handle::Handle;
use crate::socket::outcome::RecvError;

/// A message that is being received. Dropped before its end, the rest of the message is discarded and the
/// next is received as usual.
///
/// ```
/// # async fn example(socket: &mut duplexer::WebSocket) -> Result<(), duplexer::RecvError> {
/// if let Some(mut message) = socket.recv_stream().await? {
///     while let Some(bytes) = message.chunk().await? {
///         println!("{} bytes", bytes.len());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct MessageReader<'s> {
    handle: &'s Handle,
    kind: MessageKind,
    piece: Bytes,
    last: bool,
}

impl<'s> MessageReader<'s> {
    pub(super) fn new(handle: &'s Handle, first: Piece) -> Self {
        Self { handle, kind: first.kind, piece: first.bytes, last: first.last }
    }

    pub(super) fn poll_piece(
        handle: &Handle,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Piece>, RecvError>> {
        handle.poll(cx, |driver, cx, local| {
            Poll::Ready(match ready!(driver.poll_piece(cx, local)) {
                Some(piece) => Ok(Some(piece)),
                None => RecvError::outcome(driver).map(|()| None),
            })
        })
    }

    /// Whether the message is text or binary.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The next piece, never empty; `None` at the end of the message. A text is checked to be UTF-8 as it arrives, and may be cut
    /// inside a character. Cancel-safe.
    ///
    /// # Errors
    /// The connection ended before the message did: [`RecvError::Closed`] where it was closed, however cleanly and by
    /// whichever end; otherwise as [`recv`](crate::Receiver::recv). Asked again, it says the same.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RecvError> {
        poll_fn(|cx| self.poll_more(cx)).await?;
        Ok(Some(std::mem::take(&mut self.piece)).filter(|piece| !piece.is_empty()))
    }

    /// Waits until there are bytes or the message has ended.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RecvError>> {
        while self.piece.is_empty() && !self.last {
            match ready!(Self::poll_piece(self.handle, cx)?) {
                Some(piece) => {
                    self.last = piece.last;
                    self.piece = piece.bytes;
                }
                None => return Poll::Ready(Err(self.handle.look(RecvError::cut_off))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for MessageReader<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_more(cx)).map_err(io::Error::other)?;
        let len = this.piece.len().min(buffer.remaining());
        buffer.put_slice(&this.piece[..len]);
        this.piece.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl Drop for MessageReader<'_> {
    fn drop(&mut self) {
        if !self.last {
            self.handle.now(|driver, local| driver.discard_rest(local));
        }
    }
}

impl fmt::Debug for MessageReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader")
            .field("kind", &self.kind)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
