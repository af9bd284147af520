//! The third-party peers in `peers/`: echo servers, and clients that do what they are told, in one line per order and answer.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::ensure;
use tokio::process::Command;

use crate::process::{Program, setting};

/// A third-party library that plays either part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// npm `ws`.
    Ws,
    /// PyPI `websockets`.
    Websockets,
}

/// Whether a peer offers or accepts permessage-deflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// It does, and compresses whatever it can.
    On,
    /// It does not.
    Off,
}

impl Peer {
    /// Starts the peer as an echo server and returns the address it listens on.
    ///
    /// # Errors
    /// When it does not start or the chore did not provide it.
    pub async fn serve(self, compression: Compression) -> anyhow::Result<(Program, SocketAddr)> {
        let program = self.command(&["serve"], compression)?;
        self.listening(program).await
    }

    /// The same over TLS, with this certificate and chain, and this key, as PEM files.
    ///
    /// # Errors
    /// As [`serve`](Peer::serve).
    pub async fn serve_encrypted(
        self,
        compression: Compression,
        chain: &Path,
        key: &Path,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        let mut command = self.command(&["serve"], compression)?;
        command.env("PEER_CHAIN", chain).env("PEER_KEY", key);
        self.listening(command).await
    }

    /// Starts the peer as a client and waits until its connection is open.
    ///
    /// # Errors
    /// When it does not start, does not connect, or the chore did not provide it.
    pub async fn connect(self, url: &str, compression: Compression) -> anyhow::Result<Client> {
        let command = self.command(&["connect", url], compression)?;
        self.connected(command).await
    }

    /// The same over TLS, trusting the root of this PEM file.
    ///
    /// # Errors
    /// As [`connect`](Peer::connect).
    pub async fn connect_trusting(
        self,
        url: &str,
        compression: Compression,
        root: &Path,
    ) -> anyhow::Result<Client> {
        let mut command = self.command(&["connect", url], compression)?;
        command.env("PEER_ROOT", root);
        self.connected(command).await
    }

    async fn listening(self, command: Command) -> anyhow::Result<(Program, SocketAddr)> {
        let mut program = Program::talking(self.script(), command)?;
        let address = program.hear_address().await?;
        Ok((program, address))
    }

    async fn connected(self, command: Command) -> anyhow::Result<Client> {
        let mut program = Program::talking(self.script(), command)?;
        let line = program.hear().await?;
        ensure!(line.starts_with("open"), "{self:?} did not connect: {line}");
        Ok(Client { program })
    }

    const fn script(self) -> &'static str {
        match self {
            Self::Ws => "ws.js",
            Self::Websockets => "websockets.py",
        }
    }

    fn command(self, args: &[&str], compression: Compression) -> anyhow::Result<Command> {
        let interpreter = match self {
            Self::Ws => "DUPLEXER_NODE",
            Self::Websockets => "DUPLEXER_PYTHON",
        };
        let script = self.script();
        let mut command = Command::new(setting(interpreter, "interop")?);
        command.arg(format!("{}/peers/{script}", env!("CARGO_MANIFEST_DIR"))).args(args);
        if compression == Compression::On {
            command.arg("--deflate");
        }
        Ok(command)
    }
}

/// A peer that is connected and waits for orders.
#[derive(Debug)]
pub struct Client {
    program: Program,
}

impl Client {
    /// Gives an order and checks the answer.
    ///
    /// # Errors
    /// When the answer is another one or none comes.
    pub async fn expect(&mut self, order: &str, answer: &str) -> anyhow::Result<()> {
        let line = self.ask(order).await?;
        ensure!(line.trim_end() == answer, "{order:?}: expected {answer:?}, got {line:?}");
        Ok(())
    }

    /// Gives an order and checks how the answer begins.
    ///
    /// # Errors
    /// When the answer begins otherwise or none comes.
    pub async fn expect_start(&mut self, order: &str, start: &str) -> anyhow::Result<()> {
        let line = self.ask(order).await?;
        ensure!(line.starts_with(start), "{order:?}: expected {start:?}, got {line:?}");
        Ok(())
    }

    async fn ask(&mut self, order: &str) -> anyhow::Result<String> {
        self.program.say(order).await?;
        self.program.hear().await
    }
}

/// The octets the peers send when they are told only a length: `abcdefgh…`.
#[must_use]
pub fn pattern(length: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(length).collect()
}
