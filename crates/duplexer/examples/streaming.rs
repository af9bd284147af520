//! Files up and down, each as one message of any length, in constant memory: `cargo run -p duplexer --example streaming -- FILE`.

use std::error::Error;
use std::path::{Path, PathBuf};

use duplexer::{Client, MessageKind, Server, WebSocket};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Sends a file as one binary message.
pub async fn send_file(socket: &mut WebSocket, path: &Path) -> Outcome<()> {
    let mut file = File::open(path).await?;
    let mut message = socket.send_stream(MessageKind::Binary).await?;
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece).await? {
            0 => return Ok(message.finish().await?),
            len => message.write(&piece[..len]).await?,
        }
    }
}

/// Writes the next message to a file; returns its length in bytes, `None` if there is no further message.
pub async fn receive_file(socket: &mut WebSocket, path: &Path) -> Outcome<Option<u64>> {
    let Some(mut message) = socket.recv_stream().await? else { return Ok(None) };
    let mut file = File::create(path).await?;
    let len = tokio::io::copy(&mut message, &mut file).await?;
    file.sync_all().await?;
    Ok(Some(len))
}

/// Stores what a client sends, and sends it back from the disk.
pub async fn keep(mut socket: WebSocket, path: PathBuf) -> Outcome<()> {
    while receive_file(&mut socket, &path).await?.is_some() {
        send_file(&mut socket, &path).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let file = std::env::args().nth(1).ok_or("give the path of a file")?;
    // What `main` returns is shown by `Debug`; people read `Display`.
    there_and_back(Path::new(&file)).await.map_err(|error| error.to_string())
}

/// Sends a file to a server on this machine, and takes it back.
async fn there_and_back(file: &Path) -> Outcome<()> {
    let kept = std::env::temp_dir().join("duplexer-streaming");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        Server::default().serve(listener, move |socket, _| keep(socket, kept.clone())).await
    });
    let mut socket = Client::default().connect(&uri).await?;
    send_file(&mut socket, file).await?;
    let back = std::env::temp_dir().join("duplexer-streaming.back");
    let len = receive_file(&mut socket, &back).await?.ok_or("closed without an answer")?;
    println!("{len} bytes came back to {}", back.display());
    Ok(())
}
