//! What a measured client is told to do. Texts from its server in, counts out; the WebSocket is the program's.
//!
//! The server's binary messages are counted, and at first summed up. Its texts are orders: `count` is answered with a report
//! and ends the summing, and `send MESSAGES BYTES` is followed by so many binary messages of [`payload`].

use std::io::{self, Write as _};
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::listen::Listen;

/// Waits for somebody who names the address of a WebSocket server, on one line, and returns it.
///
/// # Errors
/// Returns the error of listening, and fails on what is no address.
pub async fn server_to_measure(listen: &Listen) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(listen.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    io::stdout().flush()?;
    let (mut stream, _) = listener.accept().await?;
    let mut address = String::new();
    // Its end is the end of the line.
    stream.read_to_string(&mut address).await?;
    address.trim().parse().with_context(|| format!("{address:?} is no address"))
}

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Report what has been heard.
    Count,
    /// Send binary messages.
    Send {
        /// How many.
        messages: usize,
        /// How long each is.
        payload_bytes: usize,
    },
}

impl Order {
    /// Reads an order.
    ///
    /// # Errors
    /// Fails on any other text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let numbers = text.strip_prefix("send ").and_then(|rest| rest.split_once(' '));
        match (text, numbers) {
            ("count", _) => Ok(Self::Count),
            (_, Some((messages, bytes))) => {
                Ok(Self::Send { messages: messages.parse()?, payload_bytes: bytes.parse()? })
            }
            (_, None) => anyhow::bail!("{text:?} is no order"),
        }
    }
}

/// Returns what a client sends when it is told to: 0, 1, 2 and so on.
#[must_use]
pub fn payload(bytes: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(bytes).collect()
}

/// What has been heard.
#[derive(Debug, Default)]
pub struct Tally {
    messages: usize,
    bytes: usize,
    sum: u64,
    is_counting_only: bool,
}

impl Tally {
    /// Counts a binary message.
    pub fn hear(&mut self, message: &[u8]) {
        self.messages += 1;
        self.bytes += message.len();
        if !self.is_counting_only {
            self.sum = message
                .iter()
                .fold(self.sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        }
    }

    /// Returns messages, bytes, and a sum that depends on the order of the bytes, and begins anew: from now on it only counts.
    pub fn report(&mut self) -> String {
        let Self { messages, bytes, sum, .. } = *self;
        *self = Self { is_counting_only: true, ..Self::default() };
        format!("{messages} {bytes} {sum}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Tally};

    #[test]
    fn an_order_is_read_or_refused() {
        let send = Order::Send { messages: 3, payload_bytes: 20 };
        assert_eq!(Order::parse("send 3 20").ok(), Some(send));
        assert_eq!(Order::parse("count").ok(), Some(Order::Count));
        for text in ["", "send", "send 3", "send x 20", "counts"] {
            assert!(Order::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_tally_depends_on_the_order_of_bytes_until_its_first_report() {
        let reports = |bytes: &[u8]| {
            let mut tally = Tally::default();
            tally.hear(bytes);
            let first = tally.report();
            tally.hear(bytes);
            (first, tally.report())
        };
        let (ab, ba) = (reports(b"ab"), reports(b"ba"));
        assert_ne!(ab.0, ba.0);
        assert_eq!((ab.1.as_str(), ba.1.as_str()), ("1 2 0", "1 2 0"));
    }
}
