//! The barest opening handshake that a client accepts (RFC 6455 §4.2). A socket in, an answered socket out.
//!
//! Deliberately absent: every check. The head must arrive in one read, and the only header looked for is the key.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Reads the request's head, answers it with 101 and returns what it asked for.
///
/// # Errors
/// Returns `InvalidData` when the first read does not hold a whole head with a key, and the socket's own errors.
pub async fn open<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Wish> {
    let (wish, answer) = poll_fn(|context| {
        // On the stack of one poll and gone before any waiting, so that it does not become part of the task.
        let mut bytes = [0; 2048];
        let mut head = ReadBuf::new(&mut bytes);
        let read = Pin::new(&mut *stream).poll_read(context, &mut head);
        read.map_ok(|()| {
            let head = head.filled();
            switching(head).map(|answer| (Wish::of(head), answer))
        })
    })
    .await?
    .ok_or(io::ErrorKind::InvalidData)?;
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await?;
    Ok(wish)
}

/// What the path of a request asks a server for that hands messages on; servers that echo need not look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// `/publish`: what this connection sends goes to all that subscribe.
    Publish,
    /// Any other path: to hear what is published.
    Subscribe,
}

impl Wish {
    /// Tells the wish from a path, or from a head that begins with `GET ` and the path.
    #[must_use]
    pub fn of(path_or_head: &[u8]) -> Self {
        let path = path_or_head.strip_prefix(b"GET ").unwrap_or(path_or_head);
        if path == b"/publish" || path.starts_with(b"/publish ") {
            Self::Publish
        } else {
            Self::Subscribe
        }
    }
}

/// Returns the 101 that answers a request's head, if it is whole and has a key.
#[must_use]
pub fn switching(head: &[u8]) -> Option<String> {
    let head = str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    })?;
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(hash.finalize());
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::{Wish, switching};

    #[test]
    fn answers_the_key_of_the_rfc() {
        // RFC 6455 §1.3
        let answer =
            switching(b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        assert!(answer.is_some_and(|it| it.contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")));
    }

    #[test]
    fn only_one_path_publishes() {
        assert_eq!(Wish::of(b"GET /publish HTTP/1.1\r\n\r\n"), Wish::Publish);
        assert_eq!(Wish::of(b"/publish"), Wish::Publish);
        assert_eq!(Wish::of(b"GET /published HTTP/1.1\r\n\r\n"), Wish::Subscribe);
        assert_eq!(Wish::of(b"GET /echo HTTP/1.1\r\n\r\n"), Wish::Subscribe);
    }

    #[test]
    fn answers_no_unfinished_head() {
        assert_eq!(switching(b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\n"), None);
    }
}
