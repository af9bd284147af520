//! PyPI `websockets` against our server and our client. Run by `cargo xtask interop websockets`; the dialogues are in `dialogue/`.

mod dialogue;
mod ours;

use duplexer_conformance::peer::Peer;

#[tokio::test]
#[ignore = "needs PyPI websockets: cargo xtask interop websockets"]
async fn our_server_echoes() -> anyhow::Result<()> {
    dialogue::our_server_echoes(Peer::Websockets).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets: cargo xtask interop websockets"]
async fn our_client_is_echoed() -> anyhow::Result<()> {
    dialogue::our_client_is_echoed(Peer::Websockets).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets: cargo xtask interop websockets"]
async fn pings_are_answered_both_ways() -> anyhow::Result<()> {
    dialogue::pings_are_answered_both_ways(Peer::Websockets).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets: cargo xtask interop websockets"]
async fn closes_carry_code_and_reason_both_ways() -> anyhow::Result<()> {
    dialogue::closes_carry_code_and_reason_both_ways(Peer::Websockets).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets: cargo xtask interop websockets"]
async fn messages_over_the_limit_get_1009() -> anyhow::Result<()> {
    dialogue::messages_over_the_limit_get_1009(Peer::Websockets).await
}
