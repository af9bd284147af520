//! One outgoing message written piece by piece, of a length that nobody has to know beforehand.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use duplexer_proto::extension::Boundary;
use duplexer_proto::{CloseCode, MessageKind, Piece, Utf8Check};

use crate::driver::Driver;
use crate::handle::Handle;
use crate::local::Local;
use crate::socket::outcome::SendError;

/// A message that is being sent. Others wait until it ends; when nothing is written for 30 s (a wait for the peer to read
/// does not count), or it is dropped unfinished, the connection fails with 1011: a message cut short must not look whole.
///
/// ```
/// # async fn example(socket: &mut duplexer::WebSocket) -> Result<(), duplexer::SendError> {
/// let mut message = socket.send_stream(duplexer::MessageKind::Binary).await?;
/// message.write(b"piece by ").await?;
/// message.write(b"piece").await?;
/// message.finish().await?;
/// # Ok(())
/// # }
/// ```
pub struct MessageWriter<'s> {
    handle: &'s Handle,
    utf8: Option<Utf8Check>,
    finished: bool,
}

impl<'s> MessageWriter<'s> {
    pub(super) fn new(handle: &'s Handle, kind: MessageKind) -> Self {
        let utf8 = match kind {
            MessageKind::Text => Some(Utf8Check::default()),
            MessageKind::Binary => None,
        };
        Self { handle, utf8, finished: false }
    }

    /// Queues a piece and writes what can be written; waits while the queue is over its high mark, so any length passes in
    /// constant memory. In a handler that our [`Server`](crate::Server) runs pieces leave when its poll ends, as messages do.
    /// Compression may hold bytes back until [`flush`](MessageWriter::flush) or the end. [`Bytes`](crate::Bytes), as a
    /// [`MessageReader`](crate::MessageReader) gives them, and vectors are not copied where they are large; slices are.
    /// Cancel-safe: a dropped call has queued the piece whole or not at all.
    ///
    /// # Errors
    /// The connection is closed; or the bytes of a text are not UTF-8, which fails the connection with 1011:
    /// [`SendError::NotUtf8`].
    pub async fn write<'p>(&mut self, piece: impl Into<Piece<'p>>) -> Result<(), SendError> {
        self.put(piece.into(), Boundary::Within).await
    }

    /// Sees to it that the peer can decode all that was written so far, and that it has left. Cancel-safe.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        self.put(NOTHING.into(), Boundary::Flush).await?;
        self.leave().await
    }

    /// Ends the message, and waits until it has left as [`send`](crate::Sender::send) does. Not cancel-safe: dropped before
    /// the end was queued, it leaves the message unfinished.
    ///
    /// # Errors
    /// The connection is closed; or a text ends inside a character, which fails the connection with 1011:
    /// [`SendError::NotUtf8`].
    pub async fn finish(mut self) -> Result<(), SendError> {
        self.put(NOTHING.into(), Boundary::End).await?;
        if self.handle.is_corked() { Ok(()) } else { self.leave().await }
    }

    async fn put(&mut self, piece: Piece<'_>, boundary: Boundary) -> Result<(), SendError> {
        let _idle_again = IdleAgain(self.handle);
        let mut piece = Some(piece);
        poll_fn(|cx| self.poll_put(&mut piece, boundary, cx)).await?;
        // What the transport takes leaves now; the rest waits in the queue, whose bound the next piece meets.
        self.write_now();
        Ok(())
    }

    /// Writes what the transport takes at once, unless it is written after the running poll anyway.
    fn write_now(&self) {
        if !self.handle.is_corked() {
            self.handle.write_now();
        }
    }

    fn poll_put(
        &mut self,
        piece: &mut Option<Piece<'_>>,
        boundary: Boundary,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let Self { handle, utf8, finished } = self;
        let corked = handle.is_corked();
        handle.poll(cx, |driver, cx, local| {
            driver.writer_busy();
            if !corked {
                driver.attend(cx, local);
            }
            let ready = match boundary {
                Boundary::End => driver.poll_ready_end(cx, local),
                Boundary::Within | Boundary::Flush => driver.poll_ready_writer(cx, local),
            };
            if !ready!(ready) {
                return Poll::Ready(Err(SendError::why(driver)));
            }
            let Some(piece) = piece.take() else { return Poll::Ready(Ok(())) };
            if let Some(utf8) = utf8 {
                let pushed = utf8.push(&piece);
                let ended = if boundary == Boundary::End { utf8.finish() } else { Ok(()) };
                if pushed.and(ended).is_err() {
                    leave_unfinished(driver, "a text was not UTF-8", local);
                    return Poll::Ready(Err(SendError::NotUtf8));
                }
            }
            if driver.write_message(piece, boundary, local).is_err() {
                return Poll::Ready(Err(SendError::why(driver)));
            }
            *finished = boundary == Boundary::End;
            Poll::Ready(Ok(()))
        })
    }

    async fn leave(&self) -> Result<(), SendError> {
        let _idle_again = IdleAgain(self.handle);
        poll_fn(|cx| {
            self.handle.poll(cx, |driver, cx, local| {
                driver.writer_busy();
                let flushed = ready!(driver.poll_flush(cx, local));
                Poll::Ready(if flushed { Ok(()) } else { Err(SendError::why(driver)) })
            })
        })
        .await
    }
}

/// Fails a connection whose message this end does not finish. RFC 6455 §7.4.1: 1011 is for an end that "encountered an
/// unexpected condition"; the other codes for faults would blame the peer.
fn leave_unfinished(driver: &mut Driver, reason: &str, local: &mut Local) {
    driver.fail(CloseCode::INTERNAL_ERROR, reason, local);
}

/// Ends a time in which the writer is not idle because it waits for the peer to read.
struct IdleAgain<'s>(&'s Handle);

impl Drop for IdleAgain<'_> {
    fn drop(&mut self) {
        self.0.now(|driver, _| driver.writer_active(driver.conn.is_writing()));
    }
}

impl Drop for MessageWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.handle.now(|driver, local| {
                leave_unfinished(driver, "a message was abandoned", local);
            });
            self.write_now();
        }
    }
}

impl fmt::Debug for MessageWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("finished", &self.finished).finish_non_exhaustive()
    }
}

/// A piece that only says where a message stands.
const NOTHING: &[u8] = &[];
