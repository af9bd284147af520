//! The floor below the floor: bytes sent back as they came, on bare epoll without tokio. One thread, one shared buffer.
//!
//! Deliberately absent: frames. After the opening handshake nothing is looked at, so the reply to a client's masked frame is
//! that masked frame.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};

use super::handshake::switching;
use super::listen::{Listen, bound};

/// Serves until the process is killed, and prints the bound address as its first line. Each socket has NODELAY set.
///
/// # Errors
/// Returns the error of binding, accepting or waiting; a connection's own errors only end that connection.
pub fn echo_bytes_on_epoll(listen: &Listen) -> io::Result<()> {
    let listener = bound(listen.listen)?;
    println!("listening on {}", listener.local_addr()?);
    io::stdout().flush()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut server = Server { epoll, open: Vec::new(), buffer: vec![0; BUFFER_BYTES] };
    let mut events = Vec::with_capacity(EVENTS_MAX);
    loop {
        events.clear();
        match epoll::wait(&server.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            // The kernel's event is packed: its field is copied before use.
            let data = event.data;
            match usize::try_from(data.u64()) {
                Ok(slot) if data.u64() != LISTENER => server.turn(slot),
                Ok(_) | Err(_) => server.accept(&listener)?,
            }
        }
    }
}

/// All connections, each in the slot of its descriptor's number.
struct Server {
    epoll: OwnedFd,
    open: Vec<Option<Connection>>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    is_opened: bool,
    /// What the socket would not take at once; empty nearly always.
    unsent: Vec<u8>,
}

impl Server {
    fn accept(&mut self, listener: &std::net::TcpListener) -> io::Result<()> {
        let (stream, _peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let slot = usize::try_from(stream.as_raw_fd()).expect("an open descriptor is not negative");
        epoll::add(&self.epoll, &stream, EventData::new_u64(slot as u64), EventFlags::IN)?;
        if self.open.len() <= slot {
            self.open.resize_with(slot + 1, || None);
        }
        self.open[slot] = Some(Connection { stream, is_opened: false, unsent: Vec::new() });
        Ok(())
    }

    fn turn(&mut self, slot: usize) {
        let Some(connection) = &mut self.open[slot] else { return };
        if !matches!(connection.turn(slot, &self.epoll, &mut self.buffer), Ok(true)) {
            // Closing the socket takes it out of the epoll set.
            self.open[slot] = None;
        }
    }
}

impl Connection {
    /// Goes on writing, or reads once and writes that; returns whether the connection is still alive.
    fn turn(&mut self, slot: usize, epoll: impl AsFd, buffer: &mut [u8]) -> io::Result<bool> {
        let watch = |stream: &TcpStream, flags| {
            epoll::modify(&epoll, stream, EventData::new_u64(slot as u64), flags)
        };
        if !self.unsent.is_empty() {
            let sent = write(&self.stream, &self.unsent)?;
            self.unsent.drain(..sent);
            if self.unsent.is_empty() {
                self.unsent = Vec::new();
                watch(&self.stream, EventFlags::IN)?;
            }
            return Ok(true);
        }
        let read = match (&self.stream).read(buffer) {
            Ok(0) => return Ok(false),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        if !self.is_opened {
            let answer = switching(&buffer[..read]).ok_or(ErrorKind::InvalidData)?;
            (&self.stream).write_all(answer.as_bytes())?;
            self.is_opened = true;
            return Ok(true);
        }
        let sent = write(&self.stream, &buffer[..read])?;
        if sent < read {
            self.unsent = buffer[sent..read].to_vec();
            watch(&self.stream, EventFlags::OUT)?;
        }
        Ok(true)
    }
}

/// Writes once; returns zero where the socket takes nothing.
fn write(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        done => done,
    }
}

const LISTENER: u64 = u64::MAX;
const EVENTS_MAX: usize = 256;
/// As much as the floor on tokio reads at once.
const BUFFER_BYTES: usize = 512 * 1024;
