//! Third-party clients of an axum application whose WebSocket is ours: the library's own example. Run by `cargo xtask interop frameworks`.

#[allow(dead_code, unreachable_pub, reason = "`main`, and what is copied from here, is for people")]
#[path = "../../crates/duplexer/examples/axum.rs"]
mod example;

use std::time::Duration;

use duplexer::{Deflate, Server};
use duplexer_conformance::peer::{Compression, Peer};
use duplexer_conformance::raw::listener;
use tokio::time::timeout;

#[tokio::test]
#[ignore = "needs npm ws: cargo xtask interop frameworks"]
async fn ws_talks_to_an_axum_route() -> anyhow::Result<()> {
    talks_to_an_axum_route(Peer::Ws).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets: cargo xtask interop frameworks"]
async fn websockets_talks_to_an_axum_route() -> anyhow::Result<()> {
    talks_to_an_axum_route(Peer::Websockets).await
}

/// Echoes of every kind, a ping and a close, with and without compression; then nothing is left for a shutdown to wait for.
async fn talks_to_an_axum_route(peer: Peer) -> anyhow::Result<()> {
    let server = Server::builder().deflate(Deflate::shared().min_bytes(0)).build();
    let (listener, address) = listener().await?;
    let running = tokio::spawn({
        let app = example::app(server.clone());
        async move { axum::serve(listener, app).await }
    });
    for compression in [Compression::On, Compression::Off] {
        let mut client = peer.connect(&format!("ws://{address}/echo"), compression).await?;
        for length in LENGTHS {
            for kind in ["text", "binary"] {
                client.expect(&format!("{kind} {length}"), &format!("echoed {length}")).await?;
            }
        }
        client.expect("fragments 7 100000", "echoed 100000").await?;
        client.expect("ping", "pong are you there").await?;
        client.expect("ask hello", "said hello").await?;
        client.expect_start("close 1000 done", "closed 1000").await?;
    }
    timeout(Duration::from_secs(1), server.shutdown(Duration::from_secs(10))).await?;
    running.abort();
    Ok(())
}

/// Around each change of the length's encoding (RFC 6455 §5.2), and some that takes many reads.
const LENGTHS: [usize; 7] = [0, 5, 125, 126, 65_535, 65_536, 4 << 20];
