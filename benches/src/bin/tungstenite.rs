//! The rival tokio-tungstenite, echoing one message at a time or in batches, or handing messages on through a broadcast
//! channel of tokio, as applications that are written with it do.

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::servers::{Listen, Wish, serve};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Echo messages with tokio-tungstenite
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Feed the replies and flush them once no further message has arrived, instead of sending each
    #[arg(long)]
    batch: bool,
    /// The read buffer of each connection; the library's default is 128 KiB
    #[arg(long, value_name = "BYTES")]
    read_buffer: Option<usize>,
    /// Send what a connection to /publish sends to all other connections, instead of echoing
    #[arg(long)]
    fan_out: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, batch, read_buffer, fan_out } = Arguments::parse();
    let mut config = WebSocketConfig::default();
    if let Some(bytes) = read_buffer {
        config = config.read_buffer_size(bytes);
    }
    let published = fan_out.then(|| broadcast::Sender::new(PUBLISHED_MAX));
    // A connection that fails is the generator's to report: it counts what comes back.
    serve(&listen, move |stream| {
        let published = published.clone();
        async move {
            let _gone = match published {
                Some(published) => hand_on(stream, config, published, batch).await,
                None if batch => echo_batch(stream, config).await,
                None => echo(stream, config).await,
            };
        }
    })
    .context("tungstenite's server stopped")
}

async fn echo(stream: TcpStream, config: WebSocketConfig) -> Result<(), Error> {
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if is_data(&message) {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn echo_batch(stream: TcpStream, config: WebSocketConfig) -> Result<(), Error> {
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    while let Some(first) = socket.next().await {
        feed(&mut socket, first?).await?;
        while let Some(Some(next)) = socket.next().now_or_never() {
            feed(&mut socket, next?).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn hand_on(
    stream: TcpStream,
    config: WebSocketConfig,
    published: broadcast::Sender<Message>,
    batch: bool,
) -> Result<(), Error> {
    let mut wish = Wish::Subscribe;
    // Whoever hears the answer to the handshake hears all that is published from then on.
    let mut news = published.subscribe();
    #[allow(clippy::result_large_err, reason = "the library's own signature")]
    let look = |request: &Request, response: Response| {
        wish = Wish::of(request.uri().path().as_bytes());
        Ok(response)
    };
    let mut socket =
        tokio_tungstenite::accept_hdr_async_with_config(stream, look, Some(config)).await?;
    if wish == Wish::Publish {
        drop(news);
        while let Some(message) = socket.next().await {
            // It fails only where nobody listens.
            let _heard = message.map(|it| is_data(&it).then(|| published.send(it)))?;
        }
        return Ok(());
    }
    loop {
        tokio::select! {
            heard = news.recv() => {
                // A subscriber that was too slow misses messages, which the generator sees.
                let Ok(message) = heard else { continue };
                socket.feed(message).await?;
                while batch && let Ok(more) = news.try_recv() {
                    socket.feed(more).await?;
                }
                socket.flush().await?;
            }
            said = socket.next() => match said {
                Some(message) => drop(message?),
                None => return Ok(()),
            },
        }
    }
}

async fn feed(socket: &mut WebSocketStream<TcpStream>, message: Message) -> Result<(), Error> {
    if is_data(&message) { socket.feed(message).await } else { Ok(()) }
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}

/// How many messages the channel holds for the slowest subscriber.
const PUBLISHED_MAX: usize = 1024;
