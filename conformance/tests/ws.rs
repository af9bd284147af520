//! npm `ws` against our server and our client. Run by `cargo xtask interop ws`; the dialogues are in `dialogue/`.

mod dialogue;
mod ours;

use duplexer_conformance::peer::Peer;

#[tokio::test]
#[ignore = "needs npm ws: cargo xtask interop ws"]
async fn our_server_echoes() -> anyhow::Result<()> {
    dialogue::our_server_echoes(Peer::Ws).await
}

#[tokio::test]
#[ignore = "needs npm ws: cargo xtask interop ws"]
async fn our_client_is_echoed() -> anyhow::Result<()> {
    dialogue::our_client_is_echoed(Peer::Ws).await
}

#[tokio::test]
#[ignore = "needs npm ws: cargo xtask interop ws"]
async fn pings_are_answered_both_ways() -> anyhow::Result<()> {
    dialogue::pings_are_answered_both_ways(Peer::Ws).await
}

#[tokio::test]
#[ignore = "needs npm ws: cargo xtask interop ws"]
async fn closes_carry_code_and_reason_both_ways() -> anyhow::Result<()> {
    dialogue::closes_carry_code_and_reason_both_ways(Peer::Ws).await
}

#[tokio::test]
#[ignore = "needs npm ws: cargo xtask interop ws"]
async fn messages_over_the_limit_get_1009() -> anyhow::Result<()> {
    dialogue::messages_over_the_limit_get_1009(Peer::Ws).await
}
