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

/// Reads the request's head and answers it with 101.
///
/// # Errors
/// Returns `InvalidData` when the first read does not hold a whole head with a key, and the socket's own errors.
pub async fn open<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let answer = poll_fn(|context| {
        // On the stack of one poll and gone before any waiting, so that it does not become part of the task.
        let mut bytes = [0; 2048];
        let mut head = ReadBuf::new(&mut bytes);
        let read = Pin::new(&mut *stream).poll_read(context, &mut head);
        read.map_ok(|()| switching(head.filled()))
    })
    .await?;
    let answer = answer.ok_or(io::ErrorKind::InvalidData)?;
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await
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
    use super::switching;

    #[test]
    fn answers_the_key_of_the_rfc() {
        // RFC 6455 §1.3
        let answer =
            switching(b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        assert!(answer.is_some_and(|it| it.contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")));
    }

    #[test]
    fn answers_no_unfinished_head() {
        assert_eq!(switching(b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\n"), None);
    }
}
