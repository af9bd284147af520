//! A TCP relay that keeps what passes, so that a test can see the wire between two programs that it does not control.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What one connection carried: the beginning of each direction.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// What the side that connected sent.
    pub from_client: Vec<u8>,
    /// What the side that was connected to sent.
    pub from_server: Vec<u8>,
}

/// A relay on a free loopback port. Dropping it ends it.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Shared,
    accepting: JoinHandle<()>,
}

type Shared = Arc<Mutex<Vec<Recording>>>;

impl Relay {
    /// Starts relaying to `target`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn to(target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared::default();
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// Where to connect instead of the target.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What every connection has carried up to now, in the order they were accepted.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        lock(&self.shared).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, shared: Shared) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(target).await else { continue };
        let index = {
            let mut recordings = lock(&shared);
            recordings.push(Recording::default());
            recordings.len() - 1
        };
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        let upward =
            |recording: &mut Recording, bytes: &[u8]| keep(&mut recording.from_client, bytes);
        let downward =
            |recording: &mut Recording, bytes: &[u8]| keep(&mut recording.from_server, bytes);
        tokio::spawn(carry(client_reads, server_writes, Arc::clone(&shared), index, upward));
        tokio::spawn(carry(server_reads, client_writes, Arc::clone(&shared), index, downward));
    }
}

/// Carries one direction until it ends. What is seen is kept before it is passed on, so whoever received an octet finds it
/// in the recording.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: Shared,
    index: usize,
    keep: fn(&mut Recording, &[u8]),
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        keep(&mut lock(&shared)[index], &buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // The other side learns of the end as it would without us; it may have gone already.
    let _ = to.shutdown().await;
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT_BYTES_MAX.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

fn lock(shared: &Shared) -> MutexGuard<'_, Vec<Recording>> {
    // A recording is whole after every change, so a panic elsewhere does not spoil it.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As much of each direction as is kept.
const KEPT_BYTES_MAX: usize = 256 * 1024;
