//! Our library where the program `duplexer echo` cannot do what is asked: one runtime on one thread, and the plainest handler for
//! each job, as the README and the examples write it.

use std::io::Write as _;
use std::time::Duration;

use clap::Parser as _;
use duplexer::{
    Deflate, Message, MessageKind, MessageReader, Origins, Server, ServerTls, Text, WebSocket,
};
use duplexer_benches::memory::Room;
use duplexer_benches::servers::{Certificate, Listen};
use tokio::net::TcpListener;

/// Serve with our library
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Send each message of the connections to /publish to all others, as the example `broadcast` does
    #[arg(long)]
    fan_out: bool,
    /// Send each message back piece by piece
    #[arg(long)]
    streamed: bool,
    /// Read each message by pieces, and send it back whole
    #[arg(long, conflicts_with = "streamed")]
    reader: bool,
    /// Ping every connection so often, and give each ten times as long to answer
    #[arg(long, value_name = "MILLISECONDS")]
    keepalive_ms: Option<u64>,
    /// Compress each message with the memory of those before it, where the client agrees
    #[arg(long)]
    takeover: bool,
    /// Speak TLS, with a certificate of its own
    #[arg(long)]
    tls: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    arguments.listen.runtime().enable_all().build()?.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listener = TcpListener::bind(arguments.listen.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let mut server = Server::builder().origins(Origins::any());
    if let Some(interval) = arguments.keepalive_ms.map(Duration::from_millis) {
        server = server.keepalive(Some(interval), interval * 10);
    }
    if arguments.takeover {
        server = server.deflate(Deflate::takeover());
    }
    if arguments.tls {
        let Certificate { chain, key } = Certificate::new()?;
        server = server.tls(ServerTls::from_pem(chain.as_bytes(), key.as_bytes())?);
    }
    let server = server.build();
    if arguments.fan_out {
        let room = Room::default();
        server.serve(listener, move |socket, request| room.clone().host(socket, request)).await?;
    } else if arguments.streamed {
        server.serve(listener, |socket, _| echo_streamed(socket)).await?;
    } else if arguments.reader {
        server.serve(listener, |socket, _| echo_read(socket)).await?;
    } else {
        server.serve(listener, |mut socket, _| async move { echo(&mut socket).await }).await?;
    }
    Ok(())
}

/// Sends every message back, as the README has it.
async fn echo(socket: &mut WebSocket) -> Result<(), Failed> {
    loop {
        let Some(message) = socket.recv().await? else { return Ok(()) };
        socket.send(message).await?;
    }
}

/// Sends every message back when its reader has come to the end.
async fn echo_read(mut socket: WebSocket) -> Result<(), Failed> {
    loop {
        let Some(reader) = socket.recv_stream().await? else { return Ok(()) };
        let message = read(reader).await?;
        socket.send(message).await?;
    }
}

/// Reads a message by pieces. One that comes in one piece is that piece.
async fn read(mut reader: MessageReader<'_>) -> Result<Message, Failed> {
    let first = reader.chunk().await?.unwrap_or_default();
    let bytes = match reader.chunk().await? {
        None => first,
        Some(second) => {
            let mut bytes = [first, second].concat();
            while let Some(piece) = reader.chunk().await? {
                bytes.extend_from_slice(&piece);
            }
            bytes.into()
        }
    };
    Ok(match reader.kind() {
        MessageKind::Text => Message::Text(Text::try_from(bytes)?),
        MessageKind::Binary => Message::Binary(bytes.into()),
    })
}

/// Sends every message back while it is still coming.
async fn echo_streamed(socket: WebSocket) -> Result<(), Failed> {
    let (sender, mut receiver) = socket.split();
    while let Some(mut message) = receiver.recv_stream().await? {
        let mut reply = sender.send_stream(message.kind()).await?;
        while let Some(piece) = message.chunk().await? {
            reply.write(&piece).await?;
        }
        reply.finish().await?;
    }
    Ok(())
}

/// Why a connection ended; the generator, which counts what comes back, has it to report.
type Failed = Box<dyn std::error::Error + Send + Sync>;
