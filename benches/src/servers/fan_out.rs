//! The floor of handing messages on: what one connection publishes is written to all others by the publisher's own task.
//!
//! Frames are unmasked in place, and all that one read held goes to each subscriber in one write of the same bytes: no
//! queue, no copy, no task is woken. Deliberately absent: everything that makes a protocol, more than one publisher at a
//! time, and mercy: the publisher waits for the slowest subscriber.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::floor::{BUFFER, Frames};

/// The sockets of all who listen; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Subscribers(Arc<Mutex<Vec<Arc<TcpStream>>>>);

impl Subscribers {
    /// Adds an opened connection, which is only ever written to.
    pub fn add(&self, stream: TcpStream) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(stream));
    }

    /// Hands on what an opened connection sends, until it ends.
    ///
    /// # Errors
    /// Returns the publisher's socket's error. A subscriber whose socket fails is left out from then on.
    pub async fn publish(&self, mut publisher: TcpStream) -> io::Result<()> {
        let mut frames = Frames::default();
        loop {
            let turn = poll_fn(|context| {
                BUFFER.with_borrow_mut(|buffer| {
                    self.poll_turn(&mut publisher, &mut frames, buffer, context)
                })
            });
            let Some(late) = turn.await? else { return Ok(()) };
            for (subscriber, rest) in late {
                // The subscriber is gone; the next turn finds that out as well.
                let _gone = write_all(&subscriber, &rest).await;
            }
        }
    }

    /// Reads once and writes it to all; returns whose sockets were full, with what is still to be written.
    fn poll_turn(
        &self,
        publisher: &mut TcpStream,
        frames: &mut Frames,
        buffer: &mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Vec<Late>>>> {
        let kept = frames.restore(buffer);
        let mut room = ReadBuf::new(&mut buffer[kept..]);
        ready!(Pin::new(publisher).poll_read(context, &mut room))?;
        let read = room.filled().len();
        if read == 0 {
            return Poll::Ready(Ok(None));
        }
        let published = frames.reply(&mut buffer[..kept + read]);
        let published = &buffer[published];
        let mut late = Vec::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|subscriber| match subscriber
            .try_write(published)
        {
            Ok(sent) if sent == published.len() => true,
            Ok(sent) => {
                late.push((Arc::clone(subscriber), published[sent..].to_vec()));
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                late.push((Arc::clone(subscriber), published.to_vec()));
                true
            }
            Err(_) => false,
        });
        Poll::Ready(Ok(Some(late)))
    }
}

/// A subscriber whose socket was full and what it has not been given yet.
type Late = (Arc<TcpStream>, Vec<u8>);

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
