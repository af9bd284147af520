//! An encrypted stream: records over a transport, and what rustls says of an open connection, in our words. Buffers are the
//! thread's: a stream keeps what of a record has come, what its reader had no room for, and what its transport has not taken.
//! The end of a stream that its peer did not announce (close_notify) is a plain end: WebSocket messages and closes say
//! themselves whether they are whole.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use rustls::{CertificateError, CommonState, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tls::fault::TlsFault;
use crate::tls::info::{TlsInfo, TlsVersion};
use crate::tls::reason;
use crate::tls::records::{Next, RECORD_BYTES_MAX, Said, Session};
use crate::tls::watched::{Watched, is_foreign};
use crate::transport::Transport;

/// An encrypted stream whose handshake is over.
pub(super) struct Encrypted {
    io: Watched,
    session: Session,
    /// Bytes of the peer's that are not understood yet: less than a record, unless the reader had no room.
    incoming: Vec<u8>,
    /// What the peer has said and the reader had no room for.
    unread: Bytes,
    /// Records that the transport has not taken.
    outgoing: Bytes,
    /// Nothing more will come, or be heard.
    ended: bool,
    /// The peer was told that nothing more will come, or why.
    closed: bool,
}

/// What the streams of a thread work in.
struct Room {
    read: Box<[u8]>,
    sent: Vec<u8>,
}

thread_local! {
    static ROOMS: Cell<Vec<Room>> = const { Cell::new(Vec::new()) };
}

impl Room {
    /// Lends one of the thread's, of which there is another where the transport is encrypted itself.
    fn with<R>(act: impl FnOnce(&mut Self) -> R) -> R {
        let mut rooms = ROOMS.try_with(Cell::take).unwrap_or_default();
        let room = rooms.pop();
        // A thread that is being torn down keeps nothing.
        let _ = ROOMS.try_with(|kept| kept.set(rooms));
        let mut room =
            room.unwrap_or_else(|| Self { read: vec![0; ROOM_BYTES].into(), sent: Vec::new() });
        let result = act(&mut room);
        room.sent.clear();
        let _ = ROOMS.try_with(|kept| {
            let mut rooms = kept.take();
            rooms.push(room);
            kept.set(rooms);
        });
        result
    }
}

impl Encrypted {
    /// Shakes hands over `io`; what has failed is given back.
    pub(super) async fn handshake(
        session: Session,
        io: Watched,
    ) -> Result<Self, (io::Error, Watched)> {
        let mut stream = Self {
            io,
            session,
            incoming: Vec::new(),
            unread: Bytes::new(),
            outgoing: Bytes::new(),
            ended: false,
            closed: false,
        };
        let shaken = poll_fn(|cx| Room::with(|room| stream.poll_handshake(cx, room))).await;
        match shaken {
            Ok(()) => {
                stream.io.unwatch();
                Ok(stream)
            }
            Err(error) => Err((error, stream.io)),
        }
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>, room: &mut Room) -> Poll<io::Result<()>> {
        loop {
            let mut incoming = std::mem::take(&mut self.incoming);
            let (used, understood) = self.understand(&mut incoming, None, &mut room.sent);
            incoming.drain(..used);
            self.incoming = incoming;
            self.queue(&mut room.sent);
            let drained = self.poll_drain(cx);
            let over = understood?;
            if drained?.is_ready() {
                // Whoever writes next does that again.
                let _ = Pin::new(&mut self.io).poll_flush(cx)?;
            }
            if !self.session.state().is_handshaking() {
                self.ended = over;
                // Tickets that are left leave while the first bytes are read: the peer may be writing as well.
                return Poll::Ready(Ok(()));
            }
            // Not only once all has left: a peer that has more to say may hear nothing before.
            let mut read = ReadBuf::new(&mut room.read);
            if !over {
                ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
            }
            if read.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if self.incoming.len() > ROOM_BYTES {
                return Poll::Ready(Err(invalid(Error::General("endless handshake".to_owned()))));
            }
            self.incoming.extend_from_slice(read.filled());
        }
    }

    /// Takes what is understood of `incoming`, until the reader has no more room. Tells how many bytes of it are used up, and whether
    /// nothing more will come.
    fn understand(
        &mut self,
        incoming: &mut [u8],
        mut reader: Option<&mut ReadBuf<'_>>,
        sent: &mut Vec<u8>,
    ) -> (usize, io::Result<bool>) {
        let (mut used, mut unread) = (0, Vec::new());
        let understood = loop {
            let heard = |bytes: &[u8]| {
                let mut rest = bytes;
                if let Some(reader) = reader.as_deref_mut() {
                    let now = bytes.len().min(reader.remaining());
                    reader.put_slice(&bytes[..now]);
                    rest = &bytes[now..];
                }
                unread.extend_from_slice(rest);
            };
            let (len, next) = self.session.step(&mut incoming[used..], heard, sent);
            used += len;
            match next {
                Ok(Next::Again) if reader.as_ref().is_none_or(|reader| reader.remaining() > 0) => {}
                Ok(Next::Again | Next::Wait) => break Ok(false),
                Ok(Next::Over) => break Ok(true),
                Err(error) => {
                    break Err(self.fail(error, sent));
                }
            }
        };
        self.hold(&unread);
        (used, understood)
    }

    /// Keeps what the reader had no room for.
    fn hold(&mut self, unread: &[u8]) {
        if !unread.is_empty() {
            self.unread = [&self.unread, unread].concat().into();
        }
    }

    /// Puts what is to be said behind `sent`.
    fn say(&mut self, said: Said<'_>, sent: &mut Vec<u8>) -> io::Result<()> {
        let (mut incoming, mut unread) = (std::mem::take(&mut self.incoming), Vec::new());
        let heard = |bytes: &[u8]| unread.extend_from_slice(bytes);
        let (used, over, said) = self.session.say(said, &mut incoming, heard, sent);
        self.ended |= over;
        incoming.drain(..used);
        self.incoming = incoming;
        self.hold(&unread);
        said.map_err(|error| self.fail(error, sent))
    }

    /// Puts what tells the peer of an error behind `sent`. Nothing is read or written any more.
    fn fail(&mut self, error: Error, sent: &mut Vec<u8>) -> io::Error {
        self.session.alert(sent);
        (self.ended, self.closed) = (true, true);
        invalid(error)
    }

    /// Reads until something has come that is for the reader.
    fn poll_records(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut Room,
        reader: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.write_left(cx);
        let (before, mut start, mut end) = (reader.filled().len(), 0, self.incoming.len());
        room.read[..end].copy_from_slice(&self.incoming);
        let polled = loop {
            if start < end {
                let incoming = &mut room.read[start..end];
                let (used, understood) = self.understand(incoming, Some(reader), &mut room.sent);
                start += used;
                match understood {
                    Ok(over) => self.ended = over,
                    Err(error) => break Poll::Ready(Err(error)),
                }
            }
            if self.ended || reader.filled().len() > before {
                break Poll::Ready(Ok(()));
            }
            room.read.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            if end == room.read.len() {
                let endless = Error::General("a message that does not end".to_owned());
                break Poll::Ready(Err(self.fail(endless, &mut room.sent)));
            }
            let mut read = ReadBuf::new(&mut room.read[end..]);
            match Pin::new(&mut self.io).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if read.filled().is_empty() => {
                    self.ended = true;
                    break Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(())) => end += read.filled().len(),
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.incoming = room.read[start..end].to_vec();
        self.queue(&mut room.sent);
        self.write_left(cx);
        polled
    }

    /// Writes, while it is read, what the transport takes of records that wait. Whoever writes next learns of errors.
    fn write_left(&mut self, cx: &mut Context<'_>) {
        if !self.outgoing.is_empty() && matches!(self.poll_drain(cx), Poll::Ready(Ok(()))) {
            let _ = Pin::new(&mut self.io).poll_flush(cx);
        }
    }

    /// Puts records behind those that the transport has not taken.
    fn queue(&mut self, sent: &mut Vec<u8>) {
        if !sent.is_empty() {
            self.outgoing = [&self.outgoing, &sent[..]].concat().into();
            sent.clear();
        }
    }

    /// Writes what the transport has not taken.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let len = ready!(Pin::new(&mut self.io).poll_write(cx, &self.outgoing))?;
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(len);
        }
        self.outgoing = Bytes::new();
        Poll::Ready(Ok(()))
    }

    /// Encrypts bytes, and writes what the transport takes of that.
    fn poll_encrypted(
        &mut self,
        cx: &mut Context<'_>,
        plain: &[u8],
        sent: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if plain.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_drain(cx))?;
        if let Err(error) = self.say(Said::Data(plain), sent) {
            // The peer is told why, as far as that is possible.
            self.queue(sent);
            self.write_left(cx);
            return Poll::Ready(Err(error));
        }
        let mut written = 0;
        while written < sent.len() {
            match Pin::new(&mut self.io).poll_write(cx, &sent[written..])? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(len) => written += len,
                Poll::Pending => {
                    self.outgoing = Bytes::copy_from_slice(&sent[written..]);
                    break;
                }
            }
        }
        Poll::Ready(Ok(plain.len()))
    }

    /// What was agreed on, with the name that the client asked for.
    pub(super) fn info(&self, server_name: Option<&str>) -> TlsInfo {
        let state = self.session.state();
        let suite = state.negotiated_cipher_suite().map(|suite| suite.suite());
        let suite = suite.and_then(|suite| suite.as_str()).unwrap_or_default();
        TlsInfo {
            version: version(state),
            // What is TLS_ for IANA, rustls calls TLS13_ where it is of that version.
            cipher_suite: match suite.strip_prefix("TLS13_") {
                Some(rest) => format!("TLS_{rest}").into(),
                None => suite.into(),
            },
            alpn: state.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into()),
            server_name: server_name.map(Into::into),
            peer_certificates: state
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|der| der.as_ref().into())
                .collect(),
            resumed: state.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}

fn version(state: &CommonState) -> TlsVersion {
    match state.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
        _ => TlsVersion::Tls13,
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if !self.unread.is_empty() {
            let len = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(len));
            if self.unread.is_empty() {
                self.unread = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        Room::with(|room| self.poll_records(cx, room, buffer)).map_err(in_our_words)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let plain = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        Room::with(|room| self.poll_encrypted(cx, plain, &mut room.sent)).map_err(in_our_words)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slices = slices.iter().filter(|slice| !slice.is_empty()).peekable();
        let first: &[u8] = slices.next().map_or(&[], |slice| slice);
        if first.len() >= RECORD_BYTES_MAX || slices.peek().is_none() {
            return self.poll_write(cx, first);
        }
        // Short pieces share a record.
        let polled = Room::with(|Room { read, sent }| {
            let mut gathered = ReadBuf::new(&mut read[..RECORD_BYTES_MAX]);
            gathered.put_slice(first);
            for slice in slices {
                gathered.put_slice(&slice[..slice.len().min(gathered.remaining())]);
            }
            self.poll_encrypted(cx, gathered.filled(), sent)
        });
        polled.map_err(in_our_words)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx)).map_err(in_our_words)?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.closed, true) {
            Room::with(|room| {
                // A connection that has failed has said so with an alert.
                let _ = self.say(Said::End, &mut room.sent);
                self.queue(&mut room.sent);
            });
        }
        ready!(self.poll_drain(cx))?;
        match ready!(Pin::new(&mut self.io).poll_shutdown(cx)) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            shut => Poll::Ready(shut),
        }
    }
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// An error of an open stream, with a [`TlsFault`] inside where TLS is at fault.
fn in_our_words(error: io::Error) -> io::Error {
    let kind = error.kind();
    match rustls_error(error) {
        Ok(error) => io::Error::new(kind, fault(&error)),
        Err(error) => error,
    }
}

/// Why a handshake failed, and the transport that it failed on.
pub(super) fn failed(error: io::Error, watched: Watched) -> (TlsFault, Transport) {
    let (heard, io) = watched.into_parts();
    let fault = match rustls_error(error) {
        Ok(_) if is_foreign(&heard) => TlsFault::NotTls { start: heard.into() },
        Ok(error) => fault(&error),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            TlsFault::Ended { heard: !heard.is_empty() }
        }
        Err(error) => TlsFault::Io(error),
    };
    (fault, io)
}

/// The error of rustls inside another; gives back what is none.
fn rustls_error(error: io::Error) -> Result<Error, io::Error> {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => Ok(inner.clone()),
        None => Err(error),
    }
}

/// What an error of rustls is to us.
pub(super) fn fault(error: &Error) -> TlsFault {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidCertRevocationList(_) => TlsFault::Certificate { reason: error.to_string() },
        Error::NoCertificatesPresented => TlsFault::CertificateMissing,
        Error::AlertReceived(alert) => TlsFault::Alert { code: u8::from(*alert) },
        Error::PeerIncompatible(reason) => TlsFault::Incompatible { reason: format!("{reason:?}") },
        Error::NoApplicationProtocol => {
            TlsFault::Incompatible { reason: "it does not offer http/1.1 (ALPN)".to_owned() }
        }
        error => TlsFault::Protocol { reason: error.to_string() },
    }
}

fn certificate(error: &CertificateError) -> TlsFault {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => TlsFault::UnknownIssuer,
        E::Expired => TlsFault::Expired { since: None },
        E::ExpiredContext { time, not_after } => TlsFault::Expired {
            since: Some(seconds(time.as_secs().saturating_sub(not_after.as_secs()))),
        },
        E::NotValidYet => TlsFault::NotYetValid { until: None },
        E::NotValidYetContext { time, not_before } => TlsFault::NotYetValid {
            until: Some(seconds(not_before.as_secs().saturating_sub(time.as_secs()))),
        },
        E::NotValidForName => {
            TlsFault::WrongName { expected: "this host".to_owned(), presented: Vec::new() }
        }
        E::NotValidForNameContext { expected, presented } => TlsFault::WrongName {
            expected: expected.to_str().into_owned(),
            presented: presented.iter().map(|name| plain_name(name)).collect(),
        },
        error => TlsFault::Certificate { reason: reason::of_certificate(error) },
    }
}

/// A name as a certificate has it: `DnsName("example.com")` is shown as `example.com`.
fn plain_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

const fn seconds(seconds: u64) -> std::time::Duration {
    std::time::Duration::from_secs(seconds)
}

/// Bytes that are read at a time: a few records (RFC 8446 §5.2), or the longest handshake.
const ROOM_BYTES: usize = 96 << 10;
/// Bytes that are encrypted at a time.
const WRITE_BYTES_MAX: usize = 4 * RECORD_BYTES_MAX;
