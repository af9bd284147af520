//! A transport in memory, and the peer at the other end of each: a client that opens a WebSocket, says one message if it is told
//! to, answers pings and closes. What a server writes is judged at once; what a peer answers comes later, when
//! [`Network::carry`] is polled, and wakes the server's task as a socket would.
//!
//! Deliberately absent: buffers. A peer that has nothing to say is a waker and a few bytes, and a frame that is not written in
//! one piece fails its connection.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::load::{ACCEPT, Script, request_to};

/// All peers; clones share them.
#[derive(Debug, Clone)]
pub struct Network(Arc<Mutex<Peers>>);

/// A server's end of one connection.
#[derive(Debug)]
pub struct Wire {
    network: Network,
    index: u32,
}

/// What has happened, counted over all connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Openings that were answered with the right 101.
    pub opened: u64,
    /// Messages that were heard, each of which was the right one.
    pub heard: u64,
    /// Pings that were heard.
    pub pings: u64,
    /// Connections whose server's end was dropped.
    pub gone: u64,
}

#[derive(Debug)]
struct Peers {
    all: Vec<Peer>,
    /// Those whose answer is under way.
    due: Vec<u32>,
    counts: Counts,
    /// The first thing that a server did wrong.
    fault: Option<&'static str>,
    /// What [`Network::carry`] waits for, and who that is.
    awaited: Counts,
    carrier: Option<Waker>,
    /// The request for an echo, and that of a publisher.
    requests: [String; 2],
    script: Script,
    /// Whether each says its message when it is open.
    speaks: bool,
}

/// The client of one connection.
#[derive(Debug)]
struct Peer {
    /// The server's task, where it waits for bytes.
    reader: Option<Waker>,
    is_open: bool,
    /// What it says may be read.
    has_come: bool,
    says: Says,
}

/// What a peer says next.
#[derive(Debug, Clone, Copy)]
enum Says {
    Nothing,
    /// Its request, for the path of an echo or of a publisher.
    Request {
        publishes: bool,
    },
    Message,
    /// A pong, or the answer to a close, after which it says no more.
    Control(Control),
    End,
}

/// A masked control frame with a short payload (RFC 6455 §5.5).
#[derive(Debug, Clone, Copy)]
struct Control {
    first: u8,
    payload_bytes: u8,
    payload: [u8; CONTROL_BYTES_MAX],
}

impl Network {
    /// Prepares the message of `payload_bytes` that all say and hear. Each says it as soon as it is open if it `speaks`.
    #[must_use]
    pub fn new(payload_bytes: usize, speaks: bool) -> Self {
        Self(Arc::new(Mutex::new(Peers {
            all: Vec::new(),
            due: Vec::new(),
            counts: Counts::default(),
            fault: None,
            awaited: Counts::default(),
            carrier: None,
            requests: [request_to("/echo"), request_to("/publish")],
            script: Script::new(0, payload_bytes, 1),
            speaks,
        })))
    }

    /// Returns the server's end of a new connection, whose request can be read at once.
    ///
    /// # Panics
    /// Panics at the 2³²nd.
    #[must_use]
    pub fn connect(&self) -> Wire {
        self.add(false)
    }

    /// Returns the server's end of a new connection to `/publish`.
    ///
    /// # Panics
    /// Panics at the 2³²nd.
    #[must_use]
    pub fn connect_publisher(&self) -> Wire {
        self.add(true)
    }

    fn add(&self, publishes: bool) -> Wire {
        let mut peers = self.lock();
        let index = u32::try_from(peers.all.len()).expect("memory holds fewer");
        peers.all.push(Peer {
            reader: None,
            is_open: false,
            has_come: true,
            says: Says::Request { publishes },
        });
        Wire { network: self.clone(), index }
    }

    /// Returns what has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Sees to it that no server has done wrong.
    ///
    /// # Errors
    /// Returns the first fault.
    pub fn check(&self) -> anyhow::Result<()> {
        self.lock().fault.map_or(Ok(()), |fault| Err(anyhow::Error::msg(fault)))
    }

    /// Returns the frame that everybody should hear, as a server sends it.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        self.lock().script.reply.clone()
    }

    /// Lets the peer of the wire with this number say the message.
    ///
    /// # Panics
    /// Panics where there is none.
    pub fn say(&self, index: u32) {
        self.lock().answer(index, Says::Message);
    }

    /// Lets all peers end their connections, without a close.
    pub fn hang_up(&self) {
        let mut peers = self.lock();
        for index in (0..).take(peers.all.len()) {
            peers.answer(index, Says::End);
        }
    }

    /// Brings what peers answer to the server until every count is as high as in `awaited`. To be awaited by one task at a time.
    /// Ends the waiting, and no more, when dropped.
    pub async fn carry(&self, awaited: Counts) {
        poll_fn(|context| self.lock().poll_carry(awaited, context)).await;
    }

    fn lock(&self) -> MutexGuard<'_, Peers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    const fn reach(&self, other: &Self) -> bool {
        self.opened >= other.opened
            && self.heard >= other.heard
            && self.pings >= other.pings
            && self.gone >= other.gone
    }
}

impl Peers {
    fn poll_carry(&mut self, awaited: Counts, context: &Context<'_>) -> Poll<()> {
        for index in std::mem::take(&mut self.due) {
            let peer = &mut self.all[index as usize];
            peer.has_come = true;
            if let Some(reader) = peer.reader.take() {
                reader.wake();
            }
        }
        if self.counts.reach(&awaited) {
            return Poll::Ready(());
        }
        self.awaited = awaited;
        self.carrier = Some(context.waker().clone());
        Poll::Pending
    }

    /// Has a peer say something, which is not there before it was carried. Who is about to end says nothing else.
    fn answer(&mut self, index: u32, says: Says) {
        let peer = &mut self.all[index as usize];
        if matches!(peer.says, Says::End | Says::Control(Control { first: CLOSE, .. })) {
            return;
        }
        peer.says = says;
        peer.has_come = false;
        self.due.push(index);
        if self.due.len() == 1 {
            self.wake_carrier();
        }
    }

    fn count(&mut self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts);
        if self.counts.reach(&self.awaited) {
            self.wake_carrier();
        }
    }

    fn wake_carrier(&mut self) {
        if let Some(carrier) = self.carrier.take() {
            carrier.wake();
        }
    }

    /// Judges what a server writes.
    fn hear(&mut self, index: u32, bytes: &[u8]) -> Result<(), &'static str> {
        if !self.all[index as usize].is_open {
            return self.hear_answer(index, bytes);
        }
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            if first == BINARY {
                rest = rest.strip_prefix(&*self.script.reply).ok_or("another message came")?;
                self.count(|counts| counts.heard += 1);
                continue;
            }
            let (&length, after) = after.split_first().ok_or("a frame was cut")?;
            let control = after.split_at_checked(length.into()).ok_or("a frame was cut")?;
            rest = control.1;
            match first {
                PING => {
                    self.answer(index, Says::Control(Control::new(PONG, control.0)?));
                    self.count(|counts| counts.pings += 1);
                }
                CLOSE => {
                    // The answer has the code alone (RFC 6455 §5.5.1).
                    let code = control.0.get(..2).unwrap_or_default();
                    self.answer(index, Says::Control(Control::new(CLOSE, code)?));
                }
                _ => return Err("a frame came that nobody asked for"),
            }
        }
        Ok(())
    }

    /// Judges the answer to an opening (RFC 6455 §4.1).
    fn hear_answer(&mut self, index: u32, bytes: &[u8]) -> Result<(), &'static str> {
        let head = str::from_utf8(bytes).map_err(|_| "an answer came that is no text")?;
        let is_right = head.starts_with("HTTP/1.1 101 ")
            && head.ends_with("\r\n\r\n")
            && head.lines().any(|line| line.ends_with(ACCEPT));
        if !is_right {
            return Err("an opening was not answered with the right 101");
        }
        self.all[index as usize].is_open = true;
        if self.speaks {
            self.answer(index, Says::Message);
        }
        self.count(|counts| counts.opened += 1);
        Ok(())
    }

    /// Puts what has come into `buffer`; nothing at the end. Returns whether something has.
    fn read(&mut self, index: u32, buffer: &mut ReadBuf<'_>) -> Result<bool, &'static str> {
        let peer = &mut self.all[index as usize];
        if !peer.has_come {
            return Ok(false);
        }
        let fits = |bytes: &[u8]| bytes.len() <= buffer.remaining();
        let (control_frame, next);
        let bytes: &[u8] = match peer.says {
            Says::Nothing => return Ok(false),
            Says::End => return Ok(true),
            Says::Request { publishes } => {
                next = Says::Nothing;
                self.requests[usize::from(publishes)].as_bytes()
            }
            Says::Message => {
                next = Says::Nothing;
                &self.script.request
            }
            Says::Control(control) => {
                next = if control.first == CLOSE { Says::End } else { Says::Nothing };
                control_frame = control.masked();
                &control_frame[..MASKED_HEADER_BYTES + usize::from(control.payload_bytes)]
            }
        };
        if !fits(bytes) {
            return Err("a read is too short for what has come");
        }
        buffer.put_slice(bytes);
        peer.says = next;
        Ok(true)
    }
}

impl Control {
    fn new(first: u8, payload: &[u8]) -> Result<Self, &'static str> {
        let mut control = Self { first, payload_bytes: 0, payload: [0; CONTROL_BYTES_MAX] };
        let place = control.payload.get_mut(..payload.len());
        place.ok_or("a control frame is too long")?.copy_from_slice(payload);
        // Shorter than the array.
        control.payload_bytes = u8::try_from(payload.len()).unwrap_or_default();
        Ok(control)
    }

    /// The frame, masked with zeros, which change nothing.
    fn masked(self) -> [u8; MASKED_HEADER_BYTES + CONTROL_BYTES_MAX] {
        let mut frame = [0; MASKED_HEADER_BYTES + CONTROL_BYTES_MAX];
        frame[..2].copy_from_slice(&[self.first, 0x80 | self.payload_bytes]);
        frame[MASKED_HEADER_BYTES..].copy_from_slice(&self.payload);
        frame
    }
}

impl Wire {
    /// Returns its number, counted from zero in the order of connecting.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut peers = self.network.lock();
        match peers.read(self.index, buffer) {
            Err(fault) => {
                peers.fault = peers.fault.or(Some(fault));
                Poll::Ready(Err(io::Error::new(ErrorKind::InvalidInput, fault)))
            }
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => {
                let reader = &mut peers.all[self.index as usize].reader;
                if !reader.as_ref().is_some_and(|it| it.will_wake(context.waker())) {
                    *reader = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut peers = self.network.lock();
        let heard = peers.hear(self.index, bytes);
        peers.fault = peers.fault.or(heard.err());
        let fault = |fault| io::Error::new(ErrorKind::InvalidData, fault);
        Poll::Ready(heard.map(|()| bytes.len()).map_err(fault))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut peers = self.network.lock();
        let reader = peers.all[self.index as usize].reader.take();
        peers.count(|counts| counts.gone += 1);
        // Outlives the lock: a task may be dropped with its last waker.
        drop(peers);
        drop(reader);
    }
}

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
const MASKED_HEADER_BYTES: usize = 6;
/// The payload of a ping that counts.
const CONTROL_BYTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{Counts, Network, Wire};
    use crate::servers::open;

    #[tokio::test]
    async fn a_peer_opens_speaks_hears_its_echo_answers_pings_and_closes() -> anyhow::Result<()> {
        let network = Network::new(20, true);
        let mut wire = network.connect();
        open(&mut wire).await?;
        let mut frame = answer(&network, &mut wire).await?;
        assert_eq!((frame.len(), &frame[..2]), (26, &[0x82, 0x80 | 20][..]));
        for index in 6..26 {
            frame[index] ^= frame[2 + (index - 6) % 4];
        }
        wire.write_all(&[&[0x82, 20], &frame[6..]].concat()).await?;
        // RFC 6455 §5.5.2 and §5.5.1: the payload comes back, and masked.
        wire.write_all(b"\x89\x03abc").await?;
        assert_eq!(answer(&network, &mut wire).await?, b"\x8a\x83\0\0\0\0abc");
        wire.write_all(b"\x88\x0a\x03\xe8a reason").await?;
        assert_eq!(answer(&network, &mut wire).await?, b"\x88\x82\0\0\0\0\x03\xe8");
        assert_eq!(wire.read(&mut [0]).await?, 0);
        drop(wire);
        assert_eq!(network.counts(), Counts { opened: 1, heard: 1, pings: 1, gone: 1 });
        network.check()
    }

    #[tokio::test]
    async fn an_answer_does_not_come_before_it_is_carried() -> anyhow::Result<()> {
        let network = Network::new(20, false);
        let mut wire = network.connect();
        open(&mut wire).await?;
        wire.write_all(b"\x89\0").await?;
        let mut bytes = [0; 64];
        let early = tokio::time::timeout(Duration::ZERO, wire.read(&mut bytes)).await;
        assert!(early.is_err(), "{early:?}");
        let reading = tokio::spawn(async move { wire.read(&mut bytes).await });
        tokio::task::yield_now().await;
        network.carry(Counts { pings: 1, ..Counts::default() }).await;
        assert_eq!(reading.await??, 6);
        Ok(())
    }

    #[tokio::test]
    async fn a_server_that_does_wrong_loses_the_connection() -> anyhow::Result<()> {
        for (written, fault) in [
            (&b"\x82\x14another message...."[..], "another message came"),
            (b"\x82\x01", "another message came"),
            (b"\x89\x03ab", "a frame was cut"),
            (b"\x89\x09123456789", "a control frame is too long"),
            (b"\x81\0", "a frame came that nobody asked for"),
        ] {
            let network = Network::new(20, false);
            let mut wire = network.connect();
            open(&mut wire).await?;
            let found = wire.write_all(written).await.expect_err("the server does wrong");
            assert_eq!(found.to_string(), fault);
            assert!(network.check().is_err_and(|it| it.to_string() == fault));
            assert_eq!(network.counts(), Counts { opened: 1, ..Counts::default() });
        }
        let mut wire = Network::new(20, false).connect();
        let found = wire.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
        assert!(found.is_err_and(|it| it.to_string().contains("the right 101")));
        Ok(())
    }

    #[tokio::test]
    async fn a_peer_that_hangs_up_ends_the_stream() -> anyhow::Result<()> {
        let network = Network::new(20, false);
        let mut wire = network.connect();
        open(&mut wire).await?;
        network.hang_up();
        // A ping that crosses the end is not answered.
        wire.write_all(b"\x89\0").await?;
        network.carry(Counts::default()).await;
        assert_eq!(wire.read(&mut [0; 64]).await?, 0);
        Ok(())
    }

    /// Carries what the peer answers and reads it.
    async fn answer(network: &Network, wire: &mut Wire) -> anyhow::Result<Vec<u8>> {
        network.carry(Counts::default()).await;
        let mut bytes = vec![0; 256];
        let read = wire.read(&mut bytes).await?;
        bytes.truncate(read);
        Ok(bytes)
    }
}
