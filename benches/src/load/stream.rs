//! The socket of one connection, with or without TLS. Plain bytes in and out, whatever is on the wire.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustix::fd::{AsFd, BorrowedFd};
use rustls::{ClientConnection, StreamOwned};

/// A connected socket.
#[derive(Debug)]
pub(super) struct Stream {
    wire: Wire,
    /// What was read too early, and is read again first.
    ahead: Vec<u8>,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    pub(super) fn plain(socket: TcpStream) -> Self {
        Self { wire: Wire::Plain(socket), ahead: Vec::new() }
    }

    /// Takes a TLS connection whose handshake is done by reading and writing.
    pub(super) fn tls(connection: ClientConnection, socket: TcpStream) -> Self {
        let wire = Wire::Tls(Box::new(StreamOwned::new(connection, socket)));
        Self { wire, ahead: Vec::new() }
    }

    /// Gives bytes back that were read too early. No wait for the socket knows of them.
    pub(super) fn give_back(&mut self, bytes: &[u8]) {
        self.ahead.extend_from_slice(bytes);
    }

    /// Lets reading and writing return `WouldBlock` from now on.
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        self.socket().set_nonblocking(true)
    }

    /// Tells whether more may be there after a read although the socket has nothing: what TLS has decrypted lies in memory.
    pub(super) fn reads_ahead(&self) -> bool {
        match &self.wire {
            Wire::Plain(_) => false,
            Wire::Tls(_) => true,
        }
    }

    /// Tells whether bytes that were taken by a write are still to be written to the socket.
    pub(super) fn is_behind(&self) -> bool {
        match &self.wire {
            Wire::Plain(_) => false,
            Wire::Tls(tls) => tls.conn.wants_write(),
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(socket) => socket,
            Wire::Tls(tls) => tls.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.ahead.is_empty() {
            let read = self.ahead.as_slice().read(buffer)?;
            self.ahead.drain(..read);
            return Ok(read);
        }
        match &mut self.wire {
            Wire::Plain(socket) => socket.read(buffer),
            Wire::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Plain(socket) => socket.write(bytes),
            Wire::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(socket) => socket.flush(),
            Wire::Tls(tls) => tls.flush(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
