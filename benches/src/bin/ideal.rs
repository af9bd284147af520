//! The floor as a program: what every other server's figure is divided by. See [`Floor`] for what it leaves out.

use clap::Parser as _;
use duplexer_benches::servers::{Certificate, Floor, Listen, open, serve};
use tokio::io::{AsyncRead, AsyncWrite};

/// Echo frames with the least work there is, and check nothing
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Speak TLS, with a certificate of its own
    #[arg(long)]
    tls: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, tls } = Arguments::parse();
    match tls {
        false => serve(&listen, echo)?,
        true => {
            let acceptor = Certificate::new()?.acceptor()?;
            serve(&listen, move |stream| {
                let accepted = acceptor.accept(stream);
                async move {
                    if let Ok(stream) = accepted.await {
                        echo(stream).await;
                    }
                }
            })?;
        }
    }
    Ok(())
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    // A connection that fails is the generator's to report: it counts what comes back.
    if open(&mut stream).await.is_ok() {
        let _gone = Floor::new(stream).await;
    }
}
