//! The floor as a program: what every other server's figure is divided by. See [`Floor`] for what it leaves out, and
//! [`Subscribers`] for the floor of handing messages on.

use clap::Parser as _;
use duplexer_benches::servers::{Certificate, Floor, Listen, Subscribers, Wish, open, serve};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Echo frames with the least work there is, and check nothing
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Send what a connection to /publish sends to all other connections, instead of echoing
    #[arg(long, conflicts_with = "tls")]
    fan_out: bool,
    /// Speak TLS, with a certificate of its own
    #[arg(long)]
    tls: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, fan_out, tls } = Arguments::parse();
    if fan_out {
        let subscribers = Subscribers::default();
        serve(&listen, move |stream| hand_on(stream, subscribers.clone()))?;
    } else if tls {
        let acceptor = Certificate::new()?.acceptor()?;
        serve(&listen, move |stream| {
            let accepted = acceptor.accept(stream);
            async move {
                if let Ok(stream) = accepted.await {
                    echo(stream).await;
                }
            }
        })?;
    } else {
        serve(&listen, echo)?;
    }
    Ok(())
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    // A connection that fails is the generator's to report: it counts what comes back.
    if open(&mut stream).await.is_ok() {
        let _gone = Floor::new(stream).await;
    }
}

async fn hand_on(mut stream: TcpStream, subscribers: Subscribers) {
    match open(&mut stream).await {
        Ok(Wish::Subscribe) => subscribers.add(stream),
        Ok(Wish::Publish) => {
            let _gone = subscribers.publish(stream).await;
        }
        Err(_gone) => {}
    }
}
