//! One end of a connection that keeps no rule by itself: it sends what a test says, and reads frame by frame.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::frames::{Frame, close_body, frame};

/// Which end of a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The peer of the end under test.
#[derive(Debug)]
pub(crate) struct Peer<T> {
    pub(crate) io: T,
    role: Role,
    unread: Vec<u8>,
    /// How long one thing is waited for before the test has failed.
    patience: Duration,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Peer<T> {
    pub(crate) const fn new(io: T, role: Role, patience: Duration) -> Self {
        Self { io, role, unread: Vec::new(), patience }
    }

    /// Sends bytes as they are.
    pub(crate) async fn sends_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = tokio::time::timeout(self.patience, self.io.write_all(bytes.as_ref())).await;
        sent.expect("the other end reads").expect("the other end is there");
    }

    /// Sends one frame.
    pub(crate) async fn sends(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        self.sends_bytes(frame(self.role, first, payload)).await;
    }

    /// Sends one whole text message.
    pub(crate) async fn says(&mut self, text: &str) {
        self.sends(0x81, text).await;
    }

    /// Sends a Close with a code.
    pub(crate) async fn closes(&mut self, code: u16, reason: &str) {
        self.sends(0x88, close_body(code, reason)).await;
    }

    /// A frame as this peer would send it.
    pub(crate) fn frame(&self, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
        frame(self.role, first, payload)
    }

    /// Waits for the next frame; `None` when the transport has ended instead, between two frames.
    pub(crate) async fn hears_or_end(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(self.role.other(), &mut self.unread) {
                return Some(frame);
            }
            if !self.reads_more().await {
                assert!(self.unread.is_empty(), "the transport ended inside a frame");
                return None;
            }
        }
    }

    /// Waits for the next frame.
    pub(crate) async fn hears(&mut self) -> Frame {
        self.hears_or_end().await.expect("a frame before the end of the transport")
    }

    /// Waits for the end of the transport, with nothing before it.
    pub(crate) async fn hears_end(&mut self) {
        assert_eq!(self.hears_or_end().await, None);
    }

    /// Waits for a Close with this code, answers it and waits for the end of the transport.
    pub(crate) async fn hears_close(&mut self, code: u16) {
        let close = self.hears().await;
        assert_eq!(close.close_code(), Some(code), "{close:?}");
        self.sends(0x88, &close.payload[..2]).await;
        if self.role == Role::Client {
            self.hears_end().await;
        }
    }

    /// Waits for a head of HTTP, with the empty line.
    pub(crate) async fn hears_head(&mut self) -> String {
        loop {
            if let Some(at) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let rest = self.unread.split_off(at + 4);
                let head = std::mem::replace(&mut self.unread, rest);
                return String::from_utf8(head).expect("a head is ASCII");
            }
            let more = self.reads_more().await;
            assert!(more, "a whole head, not {:?}", self.unread.escape_ascii().to_string());
        }
    }

    /// Waits for a head of HTTP and a body as long as it says.
    pub(crate) async fn hears_response(&mut self) -> (String, String) {
        let head = self.hears_head().await;
        let len = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
        });
        let len = len.unwrap_or(0);
        while self.unread.len() < len {
            assert!(self.reads_more().await, "a whole body");
        }
        let rest = self.unread.split_off(len);
        let body = std::mem::replace(&mut self.unread, rest);
        (head, String::from_utf8(body).expect("a text"))
    }

    /// Reads once; false at the end of the transport, a reset included.
    pub(crate) async fn reads_more(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        let read = tokio::time::timeout(self.patience, self.io.read(&mut buffer)).await;
        match read.expect("the other end says something") {
            Ok(len) => {
                self.unread.extend_from_slice(&buffer[..len]);
                len > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("reading failed: {error}"),
        }
    }

    /// Gives its read buffer back, which is empty.
    pub(crate) fn forget(&mut self) {
        assert!(self.unread.is_empty(), "all was looked at");
        self.unread = Vec::new();
    }

    /// Ends this peer's direction of the transport.
    pub(crate) async fn ends(&mut self) {
        self.io.shutdown().await.expect("the other end is there");
    }
}
