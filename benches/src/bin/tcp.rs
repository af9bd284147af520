//! The floor without WebSocket: after the opening handshake, bytes go back as they came. On tokio, or on bare epoll.

use clap::Parser as _;
use duplexer_benches::servers::{Floor, Listen, echo_bytes_on_epoll, open, serve};

/// Echo bytes, whatever they mean
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Wait with epoll alone, without tokio
    #[arg(long)]
    epoll: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, epoll } = Arguments::parse();
    if epoll {
        echo_bytes_on_epoll(&listen)?;
    } else {
        // A connection that fails is the generator's to report: it counts what comes back.
        serve(&listen, |mut stream| async move {
            if open(&mut stream).await.is_ok() {
                let _gone = Floor::verbatim(stream).await;
            }
        })?;
    }
    Ok(())
}
