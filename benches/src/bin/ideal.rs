//! The floor as a program: what every other server's figure is divided by. See [`Floor`] for what it leaves out.

use clap::Parser as _;
use duplexer_benches::servers::{Floor, Listen, open, serve};

/// Echo frames with the least work there is, and check nothing
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
}

fn main() -> anyhow::Result<()> {
    let Arguments { listen } = Arguments::parse();
    // A connection that fails is the generator's to report: it counts what comes back.
    serve(&listen, |mut stream| async move {
        if open(&mut stream).await.is_ok() {
            let _gone = Floor::new(stream).await;
        }
    })?;
    Ok(())
}
