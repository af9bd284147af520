//! Messages on standard output: text as a line, binary as it is.

use std::io::{self, IsTerminal};

use duplexer::Message;
use tokio::io::{AsyncWriteExt, Stdout, stdout};

/// Standard output.
pub(super) struct Output {
    stdout: Stdout,
    is_terminal: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { stdout: stdout(), is_terminal: io::stdout().is_terminal() }
    }

    /// Prints a message. Dropped, it may have printed a part.
    pub(super) async fn print(&mut self, message: &Message) -> io::Result<()> {
        match message {
            Message::Text(text) => {
                self.stdout.write_all(text.as_bytes()).await?;
                self.stdout.write_all(b"\n").await?;
            }
            Message::Binary(bytes) if self.is_terminal => {
                let says = format!("[{} bytes of binary data]\n", bytes.len());
                self.stdout.write_all(says.as_bytes()).await?;
            }
            Message::Binary(bytes) => self.stdout.write_all(bytes).await?,
        }
        self.stdout.flush().await
    }
}
