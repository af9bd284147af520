//! A transport that misbehaves as networks do: in small pieces, late, cut off, or silent.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How a transport ends.
///
/// ```
/// use duplexer::testing::{Cut, Faulty};
/// let (ours, _theirs) = tokio::io::duplex(64);
/// let vanishing = Faulty::new(ours).cut_after_written(1000, Cut::Silence);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Reading finds the end of the stream; writing finds a broken pipe.
    EndOfStream,
    /// Both find the connection reset.
    Reset,
    /// Nothing is read any more, and what is written is lost: a cable that was pulled.
    Silence,
}

/// A transport around another one that fails as it is told to. Both directions are counted from its making, in bytes as they travel.
///
/// ```
/// use duplexer::testing::{Faulty, Pair};
/// use std::time::Duration;
/// let (ours, theirs) = tokio::io::duplex(64);
/// let slow = Faulty::new(ours).piece_bytes(1).stutter().latency(Duration::from_millis(80));
/// let (client, server) = Pair::new().open_over(slow, theirs);
/// ```
pub struct Faulty<T> {
    io: T,
    piece_bytes: usize,
    stutter: Option<Stutter>,
    latency: Duration,
    read: Direction,
    written: Direction,
    /// What was read and is on its way still.
    late: Vec<u8>,
    arrives: Option<Pin<Box<Sleep>>>,
}

/// Whether the next call of each direction is put off.
#[derive(Default)]
struct Stutter {
    read: bool,
    written: bool,
}

struct Direction {
    bytes_left: u64,
    then: Cut,
}

const ENDLESS: Direction = Direction { bytes_left: u64::MAX, then: Cut::EndOfStream };

impl<T> Faulty<T> {
    /// A transport that does nothing wrong yet.
    #[must_use]
    pub const fn new(io: T) -> Self {
        Self {
            io,
            piece_bytes: PIECE_BYTES_MAX,
            stutter: None,
            latency: Duration::ZERO,
            read: ENDLESS,
            written: ENDLESS,
            late: Vec::new(),
            arrives: None,
        }
    }

    /// Reads and writes at most so many bytes at once: at least 1, at most 4 KiB, which is the default.
    #[must_use]
    pub fn piece_bytes(mut self, bytes: usize) -> Self {
        self.piece_bytes = bytes.clamp(1, PIECE_BYTES_MAX);
        self
    }

    /// Is not ready after each piece, and wakes at once.
    #[must_use]
    pub fn stutter(mut self) -> Self {
        self.stutter = Some(Stutter::default());
        self
    }

    /// Gives what was read after this time, one piece after another. Needs a tokio runtime with timers, whose clock may be paused.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Ends the reading side behind so many bytes.
    #[must_use]
    pub const fn cut_after_read(mut self, bytes: u64, then: Cut) -> Self {
        self.read = Direction { bytes_left: bytes, then };
        self
    }

    /// Ends the writing side behind so many bytes.
    #[must_use]
    pub const fn cut_after_written(mut self, bytes: u64, then: Cut) -> Self {
        self.written = Direction { bytes_left: bytes, then };
        self
    }

    fn read_a_piece(&mut self) {
        if let Some(stutter) = &mut self.stutter {
            stutter.read = true;
        }
    }

    fn room(&self, left: u64, wanted: usize) -> usize {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        self.piece_bytes.min(left).min(wanted)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Faulty<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.stutter.as_mut().is_some_and(|stutter| not_now(&mut stutter.read, cx)) {
            return Poll::Pending;
        }
        if this.late.is_empty() {
            if this.read.bytes_left == 0 {
                return match this.read.then {
                    Cut::EndOfStream => Poll::Ready(Ok(())),
                    Cut::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                    Cut::Silence => Poll::Pending,
                };
            }
            let mut piece = [0; PIECE_BYTES_MAX];
            let room = this.room(this.read.bytes_left, buffer.remaining());
            let mut piece = ReadBuf::new(&mut piece[..room]);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut piece))?;
            this.read.bytes_left -= piece.filled().len() as u64;
            if this.latency.is_zero() || piece.filled().is_empty() {
                buffer.put_slice(piece.filled());
                this.read_a_piece();
                return Poll::Ready(Ok(()));
            }
            this.late = piece.filled().to_vec();
            this.arrives = Some(Box::pin(tokio::time::sleep(this.latency)));
        }
        if let Some(arrives) = &mut this.arrives {
            ready!(arrives.as_mut().poll(cx));
            this.arrives = None;
        }
        this.read_a_piece();
        let len = this.late.len().min(buffer.remaining());
        buffer.put_slice(&this.late[..len]);
        this.late.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Faulty<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.stutter.as_mut().is_some_and(|stutter| not_now(&mut stutter.written, cx)) {
            return Poll::Pending;
        }
        if this.written.bytes_left == 0 {
            return Poll::Ready(match this.written.then {
                Cut::EndOfStream => Err(io::ErrorKind::BrokenPipe.into()),
                Cut::Reset => Err(io::ErrorKind::ConnectionReset.into()),
                Cut::Silence => Ok(bytes.len()),
            });
        }
        let room = this.room(this.written.bytes_left, bytes.len());
        let len = ready!(Pin::new(&mut this.io).poll_write(cx, &bytes[..room]))?;
        this.written.bytes_left -= len as u64;
        if let Some(stutter) = &mut this.stutter {
            stutter.written = true;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match (this.written.bytes_left, this.written.then) {
            (0, Cut::Silence) => Poll::Ready(Ok(())),
            (_, Cut::EndOfStream | Cut::Reset | Cut::Silence) => {
                Pin::new(&mut this.io).poll_shutdown(cx)
            }
        }
    }
}

/// Puts a call off where that is due. A transport that has nothing to do wakes nobody: a paused clock can go on.
fn not_now(due: &mut bool, cx: &Context<'_>) -> bool {
    if *due {
        cx.waker().wake_by_ref();
    }
    std::mem::take(due)
}

impl<T: fmt::Debug> fmt::Debug for Faulty<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("io", &self.io).finish_non_exhaustive()
    }
}

/// Most bytes of one read or write.
const PIECE_BYTES_MAX: usize = 4 << 10;
