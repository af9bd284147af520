//! The floor as a program: what every other server's figure is divided by. See [`Floor`] for what it leaves out, and
//! [`Subscribers`] for the floor of handing messages on.

use clap::Parser as _;
use duplexer_benches::servers::{Floor, Listen, Subscribers, Wish, open, serve};

/// Echo frames with the least work there is, and check nothing
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
    /// Send what a connection to /publish sends to all other connections, instead of echoing
    #[arg(long)]
    fan_out: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen, fan_out } = Arguments::parse();
    // A connection that fails is the generator's to report: it counts what comes back.
    if fan_out {
        let subscribers = Subscribers::default();
        serve(&listen, move |mut stream| {
            let subscribers = subscribers.clone();
            async move {
                match open(&mut stream).await {
                    Ok(Wish::Subscribe) => subscribers.add(stream),
                    Ok(Wish::Publish) => {
                        let _gone = subscribers.publish(stream).await;
                    }
                    Err(_gone) => {}
                }
            }
        })?;
    } else {
        serve(&listen, |mut stream| async move {
            if open(&mut stream).await.is_ok() {
                let _gone = Floor::new(stream).await;
            }
        })?;
    }
    Ok(())
}
