//! The socket as a byte stream, for protocols that expect one: the bytes are the payloads of messages, whose bounds mean nothing.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use duplexer_proto::{CloseCode, CloseReason, Message, SendOptions};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::socket::outcome::{RecvError, SendError};
use crate::socket::reader::MessageReader;
use crate::socket::websocket::WebSocket;

/// A [`WebSocket`] as a stream of bytes in both directions, as [`into_io`](WebSocket::into_io) returns it: for tunnels, and for
/// protocols such as TLS and HTTP on top. Reading and writing may wait in two tasks, as after [`tokio::io::split`].
///
/// - **Reading** joins the payloads of all messages, text as well as binary, of any length, in the pieces in which they arrive. A clean
///   end (see [`RecvError`]) between two messages is the end of the stream; any other is an error around a `RecvError`.
/// - **Writing** sends a binary message of at most 64 KiB for each call. It waits while the send queue is over its
///   high mark, and otherwise writes what the transport takes at once; for the rest, flush (or read).
/// - **Shutting down** closes the connection with 1000 behind all that was written, and waits for its end, at most
///   `close_timeout`. A WebSocket has no half that stays open: what the peer was still sending is discarded.
///
/// Control frames are handled while any of this is polled. Polls that are given up lose nothing.
///
/// ```
/// # async fn example(tcp: &mut tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// let mut tunnel = duplexer::connect("ws://127.0.0.1:9001/ssh").await?.into_io();
/// tokio::io::copy_bidirectional(tcp, &mut tunnel).await?;
/// # Ok(())
/// # }
/// ```
pub struct ByteStream {
    socket: WebSocket,
    /// What was received and not yet read.
    piece: Bytes,
    /// `piece` does not end its message.
    within: bool,
    /// Nobody wants what may still come.
    shut: bool,
}

impl WebSocket {
    /// Makes a byte stream of the socket: see [`ByteStream`].
    #[must_use]
    pub fn into_io(self) -> ByteStream {
        // Whoever reads and whoever writes may wait at once.
        self.receiver.handle.share();
        ByteStream { socket: self, piece: Bytes::new(), within: false, shut: false }
    }
}

impl ByteStream {
    /// The socket: what was agreed on, whether it is open, how it ended.
    #[must_use]
    pub const fn socket(&self) -> &WebSocket {
        &self.socket
    }

    /// Waits until there are bytes; false at a clean end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, RecvError>> {
        while self.piece.is_empty() {
            let handle = &self.socket.receiver.handle;
            match ready!(MessageReader::poll_piece(handle, cx)?) {
                Some(piece) => {
                    self.within = !piece.last;
                    self.piece = piece.bytes;
                }
                None if self.within && !self.shut => {
                    return Poll::Ready(Err(handle.look(RecvError::cut_off)));
                }
                None => return Poll::Ready(Ok(false)),
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Waits for room in the queue, and queues the message that `payload` makes.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        payload: impl FnOnce() -> Bytes,
    ) -> Poll<io::Result<usize>> {
        let handle = &self.socket.sender.handle;
        let corked = handle.is_corked();
        let sent = handle.poll(cx, |driver, cx, local| {
            if !corked {
                driver.attend(cx, local);
            }
            if !ready!(driver.poll_ready(cx, local)) {
                return Poll::Ready(Err(SendError::why(driver)));
            }
            let payload = payload();
            let len = payload.len();
            let message = Message::from(payload);
            if driver.send(message, SendOptions::default(), local).is_err() {
                return Poll::Ready(Err(SendError::why(driver)));
            }
            if !corked {
                let _ = driver.poll_write_out(cx, local);
            }
            Poll::Ready(Ok(len))
        });
        sent.map_err(unsent)
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() > 0 && ready!(this.poll_more(cx)).map_err(unreceived)? {
            let len = this.piece.len().min(buffer.remaining());
            buffer.put_slice(&this.piece[..len]);
            this.piece.advance(len);
            if this.piece.is_empty() {
                this.piece = Bytes::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let len = bytes.len().min(MESSAGE_BYTES_MAX);
        self.poll_send(cx, || Bytes::copy_from_slice(&bytes[..len]))
    }

    /// All slices in one message, as far as they fit.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = slices.iter().fold(0usize, |len, slice| len.saturating_add(slice.len()));
        if whole == 0 {
            return Poll::Ready(Ok(0));
        }
        self.poll_send(cx, || {
            let mut joined = BytesMut::with_capacity(whole.min(MESSAGE_BYTES_MAX));
            for slice in slices {
                let len = slice.len().min(MESSAGE_BYTES_MAX - joined.len());
                joined.extend_from_slice(&slice[..len]);
            }
            joined.freeze()
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.sender.poll_flush(cx).map_err(unsent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        let handle = &self.socket.sender.handle;
        handle
            .poll(cx, |driver, cx, local| {
                let normal = CloseReason::new(CloseCode::NORMAL, "").ok();
                driver.start_close(normal.as_ref(), local);
                ready!(driver.poll_finish(cx, local));
                Poll::Ready(RecvError::outcome(driver))
            })
            .map_err(unreceived)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

fn unreceived(error: RecvError) -> io::Error {
    let kind = match &error {
        RecvError::Closed(_) | RecvError::Aborted => ErrorKind::ConnectionAborted,
        RecvError::Fault(_) => ErrorKind::InvalidData,
        RecvError::Io(error) => error.kind(),
        RecvError::EndOfStream => ErrorKind::UnexpectedEof,
        RecvError::PeerLost | RecvError::CloseOverdue => ErrorKind::TimedOut,
    };
    io::Error::new(kind, error)
}

fn unsent(error: SendError) -> io::Error {
    let kind = match &error {
        SendError::Closed(_) => ErrorKind::BrokenPipe,
        SendError::NotUtf8 => ErrorKind::InvalidData,
        SendError::Io(error) => error.kind(),
        SendError::PeerLost => ErrorKind::TimedOut,
    };
    io::Error::new(kind, error)
}

/// Most bytes of one message: what is queued beyond the queue's high mark.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
