//! The floor of keeping a connection alive: the barest opening, an echo, one timer of tokio's and a ping at each interval.
//!
//! Deliberately absent: everything that makes a protocol, the deadline for the pong among it.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use super::floor::{BUFFER, Frames};
use super::handshake::open;

/// Serves one connection until its peer ends or closes it, and pings it so often. To be given a transport that brings one frame
/// with each read and takes every write whole.
///
/// # Errors
/// Returns the transport's errors, and `InvalidData` where the opening has no key.
pub async fn keep<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    interval: Duration,
) -> io::Result<()> {
    open(&mut stream).await?;
    let mut timer = pin!(sleep(interval));
    let mut sent: u64 = 0;
    poll_fn(|context| {
        loop {
            while timer.as_mut().poll(context).is_ready() {
                timer.as_mut().reset(Instant::now() + interval);
                sent += 1;
                ready!(write(&mut stream, &ping(sent), context))?;
            }
            let turn = BUFFER.with_borrow_mut(|buffer| poll_turn(&mut stream, buffer, context))?;
            if !ready!(turn) {
                return Poll::Ready(Ok(()));
            }
        }
    })
    .await
}

/// Reads one frame and sends it back if it is a message; returns whether the connection goes on.
fn poll_turn<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut [u8],
    context: &mut Context<'_>,
) -> Poll<io::Result<bool>> {
    let mut room = ReadBuf::new(buffer);
    ready!(Pin::new(&mut *stream).poll_read(context, &mut room))?;
    let read = room.filled().len();
    match buffer[..read].first().map(|first| first & 0x0F) {
        None | Some(CLOSE) => Poll::Ready(Ok(false)),
        Some(PONG) => Poll::Ready(Ok(true)),
        Some(_) => {
            let reply = Frames::default().reply(&mut buffer[..read]);
            write(stream, &buffer[reply], context).map_ok(|()| true)
        }
    }
}

/// A ping with its number, as our library sends them.
fn ping(number: u64) -> [u8; 10] {
    let mut frame = [0x89, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    frame[2..].copy_from_slice(&number.to_be_bytes());
    frame
}

fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    Pin::new(stream).poll_write(context, bytes).map_ok(|_whole| ())
}

const CLOSE: u8 = 8;
const PONG: u8 = 10;
