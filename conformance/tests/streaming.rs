//! One message of 4 GiB, half of it incompressible, through permessage-deflate and TLS, between our library and PyPI
//! `websockets`, in constant memory. Run by `cargo xtask interop streaming`, on the release build.
//!
//! Each test is alone in this process while it runs, and is one message: it is made from a seed in pieces, hashed at both
//! ends, and stored at neither. What is measured is this process' resident memory, at most 16 MiB over what it was when the
//! connection was open.
//!
//! Each of the four, our client and our server, sending and receiving, is 4 GiB by default: about 36 s each on two processors that are
//! otherwise idle. `DUPLEXER_STREAM_MIB` sets another size, in MiB.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use duplexer::{Certificate, Client, CloseCode, MessageKind, Server, ServerTls, WebSocket};
use duplexer_conformance::folder::Folder;
use duplexer_conformance::raw::listener;
use duplexer_conformance::stream;
use sha1::{Digest, Sha1};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

#[tokio::test]
#[ignore = "needs PyPI websockets and minutes: cargo xtask interop streaming"]
async fn our_client_sends_in_constant_memory() -> anyhow::Result<()> {
    as_client(Way::Out).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets and minutes: cargo xtask interop streaming"]
async fn our_client_receives_in_constant_memory() -> anyhow::Result<()> {
    as_client(Way::In).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets and minutes: cargo xtask interop streaming"]
async fn our_server_sends_in_constant_memory() -> anyhow::Result<()> {
    as_server(Way::Out).await
}

#[tokio::test]
#[ignore = "needs PyPI websockets and minutes: cargo xtask interop streaming"]
async fn our_server_receives_in_constant_memory() -> anyhow::Result<()> {
    as_server(Way::In).await
}

/// Which way the message goes, seen from our end.
#[derive(Debug, Clone, Copy)]
enum Way {
    Out,
    In,
}

async fn as_client(way: Way) -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let folder = Folder::new()?;
    folder.certificate()?;
    let (_peer, address) =
        stream::serve(Ipv4Addr::LOCALHOST.into(), Some(&folder), None, CHORE).await?;
    let root = Certificate::from_pem_file(folder.path().join("cert.pem"))?;
    let root = root.into_iter().next().context("no certificate")?;
    let client = Client::builder().add_root(root).proxy(None).build();
    let mut socket = client.connect(format!("wss://{address}/")).await?;
    ensure!(socket.tls().is_some(), "no TLS");
    pass(&mut socket, way, "client").await?;
    Ok(socket.close(CloseCode::NORMAL, "done").await?)
}

async fn as_server(way: Way) -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let folder = Folder::new()?;
    folder.certificate()?;
    let [chain, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let server = Server::builder().tls(ServerTls::from_pem_files(chain, key)?).build();
    let (listener, address) = listener().await?;
    let (outcomes, mut outcome) = mpsc::channel(1);
    let serving = server.serve(listener, move |mut socket, request| {
        let outcomes = outcomes.clone();
        async move {
            let passed = match request.tls() {
                Some(_) => pass(&mut socket, way, "server").await,
                None => Err(anyhow!("no TLS")),
            };
            outcomes.send(passed).await.expect("the test waits for it");
        }
    });
    let mut peer = stream::connect(&format!("wss://{address}/"), Some(&folder), None, CHORE)?;
    tokio::select! {
        biased;
        passed = outcome.recv() => passed.context("no outcome")?,
        ended = serving => bail!("the server ended: {ended:?}"),
        ended = peer.ended(PATIENCE) => bail!("the peer ended: {ended:?}"),
    }
}

/// Passes one message and compares what both ends say of it, and the memory that it took.
async fn pass(socket: &mut WebSocket, way: Way, part: &str) -> anyhow::Result<()> {
    ensure!(socket.extensions().contains("permessage-deflate"), "no compression");
    let length = length()?;
    let idle_kib = forget_peak()?;
    let began = Instant::now();
    let ours = timeout(PATIENCE, async {
        match way {
            Way::Out => send(socket, length).await,
            Way::In => receive(socket, length).await,
        }
    });
    let ours = ours.await.with_context(|| format!("not done after {PATIENCE:?}"))??;
    let theirs = timeout(PATIENCE, socket.recv()).await??.context("closed")?;
    let (above_kib, took) = (memory_kib("VmHWM:")?.saturating_sub(idle_kib), began.elapsed());
    println!(
        "{part}, {way:?}: {} MiB in {:.1} s, {above_kib} KiB above {idle_kib} KiB when idle",
        length >> 20,
        took.as_secs_f64(),
    );
    ensure!(theirs.as_text() == Some(&ours), "the peer says {theirs:?}, we say {ours}");
    ensure!(
        above_kib < ABOVE_KIB_MAX,
        "{above_kib} KiB above the {idle_kib} KiB of an idle process"
    );
    Ok(())
}

/// Sends the message, by turns of blocks that nothing shortens and blocks that all say the same, and tells its length and hash.
async fn send(socket: &mut WebSocket, length: u64) -> anyhow::Result<String> {
    let (mut digest, mut state, mut sent) = (Sha1::new(), length | 1, 0);
    let mut noise = vec![0; PIECE];
    let same: Vec<u8> = b"as it was said before, ".iter().copied().cycle().take(PIECE).collect();
    let mut message = socket.send_stream(MessageKind::Binary).await?;
    while sent < length {
        let piece = if (sent / BLOCK).is_multiple_of(2) {
            noise.chunks_exact_mut(8).for_each(|eight| eight.copy_from_slice(&random(&mut state)));
            &noise
        } else {
            &same
        };
        let piece = &piece[..PIECE.min(usize::try_from(length - sent).unwrap_or(PIECE))];
        digest.update(piece);
        message.write(piece).await?;
        sent += piece.len() as u64;
    }
    message.finish().await?;
    Ok(told(sent, digest))
}

/// Orders a message of this length, receives it, and tells its length and hash.
async fn receive(socket: &mut WebSocket, length: u64) -> anyhow::Result<String> {
    socket.send(format!("send {length}")).await?;
    let (mut digest, mut received) = (Sha1::new(), 0);
    let mut message = socket.recv_stream().await?.context("closed instead of a message")?;
    while let Some(piece) = message.chunk().await? {
        digest.update(&piece);
        received += piece.len() as u64;
    }
    ensure!(received == length, "{received} bytes arrived of {length}");
    Ok(told(received, digest))
}

fn told(length: u64, digest: Sha1) -> String {
    let hex = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{length} {hex}")
}

/// Marsaglia's xorshift: random enough that deflate finds nothing in it.
fn random(state: &mut u64) -> [u8; 8] {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.to_le_bytes()
}

/// How long the message is, in bytes.
fn length() -> anyhow::Result<u64> {
    match std::env::var("DUPLEXER_STREAM_MIB") {
        Ok(mib) => Ok(mib.parse::<u64>().context("DUPLEXER_STREAM_MIB is no number")? << 20),
        Err(_) => Ok(4 << 30),
    }
}

/// Lets the system forget this process' peak of resident memory, and returns what is resident now (proc_pid_clear_refs(5)).
fn forget_peak() -> anyhow::Result<u64> {
    fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak of memory")?;
    let (peak, now) = (memory_kib("VmHWM:")?, memory_kib("VmRSS:")?);
    ensure!(peak < now + 1024, "the peak was not reset: {peak} KiB, with {now} KiB in use");
    Ok(now)
}

fn memory_kib(what: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.with_context(|| format!("no {what} of this process"))?.parse()?)
}

/// Held by the test that is measured.
static ALONE: Mutex<()> = Mutex::const_new(());
const CHORE: &str = "interop streaming";
const PATIENCE: Duration = Duration::from_secs(600);
const ABOVE_KIB_MAX: u64 = 16 << 10;
const PIECE: usize = 64 << 10;
/// Several times the window of deflate, 32 KiB.
const BLOCK: u64 = 256 << 10;
