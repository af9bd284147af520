//! Transports that panic, which are nobody's but their own connection's: whoever sends to it from elsewhere goes on.

mod support;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use duplexer::{Prepared, Server, WebSocket};
use support::{Everybody, Frame, gathered, host, joins, open};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// A byte stream whose next write panics once that is said.
struct Panicking(DuplexStream, Arc<AtomicBool>);

impl AsyncRead for Panicking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.1.load(Ordering::Relaxed), "on purpose");
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_transport_that_panics_keeps_nothing_from_others() {
    let (everybody, panics) = (Everybody::default(), Arc::new(AtomicBool::new(false)));
    let mut peers = Vec::new();
    for at in 0..3 {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        // The first is who speaks, the second whose transport panics.
        let panics = if at == 1 { panics.clone() } else { Arc::default() };
        peers.push(joins(&everybody, Panicking(ours, panics), theirs).await);
    }
    gathered(&everybody, 3).await;
    panics.store(true, Ordering::Relaxed);
    peers[0].says("first").await;
    assert_eq!(peers[2].hears().await, Frame::new(0x81, "first"));
    assert_eq!(peers[0].hears().await, Frame::new(0x81, "first"));
    peers[1].hears_end().await;
    everybody.lock().expect("no panic").remove(1);
    peers[0].says("second").await;
    assert_eq!(peers[2].hears().await, Frame::new(0x81, "second"));
}

#[tokio::test]
async fn nor_does_one_that_is_given_several_messages_or_many_bytes() {
    for (count, bytes) in [(2, 3), (2, 20_000), (1, 20_000)] {
        let panics = Arc::new(AtomicBool::new(false));
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        let everybody = Everybody::default();
        let mut bad = joins(&everybody, Panicking(ours, panics.clone()), theirs).await;
        gathered(&everybody, 1).await;
        let list = everybody.clone();
        let address = host(&Server::default(), move |mut socket: WebSocket, _| {
            let list = list.clone();
            async move {
                while let Ok(Some(message)) = socket.recv().await {
                    let news = vec![Prepared::new(vec![7; bytes]); count];
                    let sender = list.lock().expect("no panic")[0].clone();
                    if let [news] = &news[..] {
                        sender.try_send_prepared(news).expect("it was open");
                    } else {
                        sender.try_send_prepared_many(&news).expect("it was open");
                    }
                    socket.send(message).await.expect("it is open");
                }
            }
        })
        .await;
        panics.store(true, Ordering::Relaxed);
        let mut speaker = open(address).await;
        speaker.says("still there").await;
        assert_eq!(speaker.hears().await, Frame::new(0x81, "still there"), "{count}, {bytes}");
        bad.hears_end().await;
    }
}
