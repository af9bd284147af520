//! A peer that sends whatever octets a test wants, over plain TCP, and reads the answers frame by frame (RFC 6455 §5.2).
//!
//! It keeps no rule of the protocol by itself: that is what it is for.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::wire::{CLOSE, FrameHeader, Reading, frame_header};

/// One end of a TCP connection to the endpoint under test.
#[derive(Debug)]
pub struct RawPeer {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl RawPeer {
    /// Connects and sends nothing.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn dial(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// Connects as a client and completes a correct opening handshake, offering `extensions` when there are any.
    ///
    /// # Errors
    /// When the answer is not a 101.
    pub async fn open(address: SocketAddr, extensions: Option<&str>) -> anyhow::Result<Self> {
        let mut peer = Self::dial(address).await?;
        peer.send(request(address, extensions).as_bytes()).await?;
        let head = peer.head().await?;
        ensure!(head.starts_with("HTTP/1.1 101 "), "the server refused: {head}");
        Ok(peer)
    }

    /// Accepts one connection as a server and completes a correct opening handshake. `fields` are further header fields of
    /// the response, each with its line end.
    ///
    /// # Errors
    /// When no client comes or its request lacks a key.
    pub async fn accept(listener: &TcpListener, fields: &str) -> anyhow::Result<Self> {
        let (stream, _) = within(async { Ok(listener.accept().await?) }).await?;
        let mut peer = Self { stream, unread: Vec::new() };
        let mut request = peer.head().await?;
        request.push_str("\r\n\r\n");
        let request = Reading::of(request.as_bytes()).context("the head is whole")?;
        let key = request.field("sec-websocket-key").context("the request has no key")?;
        let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
        let accept = STANDARD.encode(digest);
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{fields}\r\n"
        );
        peer.send(response.as_bytes()).await?;
        Ok(peer)
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// When the other end is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        within(async { Ok(self.stream.write_all(bytes).await?) }).await
    }

    /// Reads a head and returns it without its empty line.
    ///
    /// # Errors
    /// When the connection ends first.
    pub async fn head(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|found| found == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return Ok(String::from_utf8_lossy(&head[..end]).into_owned());
            }
            ensure!(self.read_more().await?, "the connection ended within the head");
        }
    }

    /// Reads one frame and returns its header and its payload, unmasked; `None` when the connection ended instead.
    ///
    /// # Errors
    /// When nothing comes for [`PATIENCE`].
    pub async fn frame(&mut self) -> anyhow::Result<Option<(FrameHeader, Vec<u8>)>> {
        loop {
            if let Some((header, rest)) = frame_header(&self.unread) {
                let length = usize::try_from(header.length)?;
                if rest.len() >= length {
                    let start = self.unread.len() - rest.len();
                    let mut payload: Vec<u8> = rest[..length].to_vec();
                    let key = header.mask.unwrap_or_default();
                    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
                    self.unread.drain(..start + length);
                    return Ok(Some((header, payload)));
                }
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        }
    }

    /// Reads past whatever else comes until a close frame, and returns its code and reason; `None` for an empty one.
    ///
    /// # Errors
    /// When the connection ends without a close frame.
    pub async fn close(&mut self) -> anyhow::Result<Option<(u16, String)>> {
        while let Some((header, payload)) = self.frame().await? {
            if header.opcode == CLOSE {
                return Ok(payload.split_first_chunk().map(|(code, reason)| {
                    (u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned())
                }));
            }
        }
        bail!("the connection ended without a close frame")
    }

    /// Waits until the other end closes the TCP connection, reading past whatever else comes.
    ///
    /// # Errors
    /// When it stays open for [`PATIENCE`].
    pub async fn end(&mut self) -> anyhow::Result<()> {
        while self.read_more().await? {
            self.unread.clear();
        }
        Ok(())
    }

    async fn read_more(&mut self) -> anyhow::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        let read = within(async { Ok(self.stream.read(&mut buffer).await) }).await?;
        match read {
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(count > 0)
            }
            // A reset, because what we sent was not all read, ends the connection too.
            Err(_) => Ok(false),
        }
    }
}

/// A correct opening request with the key of RFC 6455 §1.3, offering `extensions` when there are any.
#[must_use]
pub fn request(address: SocketAddr, extensions: Option<&str>) -> String {
    let offer =
        extensions.map_or(String::new(), |value| format!("Sec-WebSocket-Extensions: {value}\r\n"));
    format!(
        "GET /echo HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
}

/// A frame whose first octet is given, with its length minimally encoded; masked as a client must (§5.3) or not.
#[must_use]
pub fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        // The arms hold the lengths for which the conversions lose nothing.
        length @ 0..=125 => frame.push(masked | u8::try_from(length).unwrap_or_default()),
        length @ 126..=0xFFFF => {
            frame.push(masked | 126);
            frame.extend_from_slice(&u16::try_from(length).unwrap_or_default().to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    frame.extend_from_slice(mask.as_ref().map_or(&[][..], |key| key));
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A listener on a free loopback port, and its address.
///
/// # Errors
/// When no port can be opened.
pub async fn listener() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn within<T>(step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match timeout(PATIENCE, step).await {
        Ok(result) => result,
        Err(_) => bail!("nothing happened for {PATIENCE:?}"),
    }
}

/// How long the peer waits for the other end to do what it must.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The masking key of the examples in RFC 6455 §5.7.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
