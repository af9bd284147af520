//! What a message costs by its size, from one byte to 128 MiB: the bytes that are taken from the heap and the calls of the
//! transport, at both ends together, while a client says it and a server says it back. Counted, not timed.

mod support;

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use duplexer::{Addresses, Client, Deflate, Limits, Request, Server, WebSocket};
use support::heap::{Counting, taken};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

#[global_allocator]
static HEAP: Counting = Counting;

/// One end of a pipe, whose calls the current thread counts.
struct Counted(DuplexStream);

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

impl Counted {
    fn called(&mut self) -> Pin<&mut DuplexStream> {
        CALLS.set(CALLS.get() + 1);
        Pin::new(&mut self.0)
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.called().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.called().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.called().poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// What one message and its echo cost.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    len: usize,
    taken: u64,
    calls: u64,
}

/// Says a message of each length to a server, in this order on one connection, and hears it again.
async fn sweep(lens: &[usize], deflate: Option<Deflate>) -> Vec<Cost> {
    let mut limits = Limits::default();
    limits.message_bytes_max = LONG as u64;
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let server = Server::builder().limits(limits.clone()).deflate(deflate.clone()).build();
    let echo = |mut socket: WebSocket, _: Request| async move {
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.ok();
        }
    };
    tokio::spawn(async move {
        server.serve_over(Counted(theirs), Addresses::default(), echo).await;
    });
    let client = Client::builder().limits(limits).deflate(deflate.clone()).build();
    let socket = client.connect_over(Counted(ours), "ws://example.com/").await;
    let mut socket = socket.expect("it answers");
    assert_eq!(socket.extensions().is_empty(), deflate.is_none());
    let piece = piece();
    let mut costs = Vec::with_capacity(lens.len());
    for &len in lens {
        let mut message = piece.repeat(len.div_ceil(piece.len()));
        message.truncate(len);
        let (taken_before, calls_before) = (taken(), CALLS.get());
        socket.send(message).await.expect("it is open");
        let back = socket.recv().await.expect("open").expect("an echo");
        costs.push(Cost { len, taken: taken() - taken_before, calls: CALLS.get() - calls_before });
        assert_eq!(back.len(), len);
        let mut parts = back.as_bytes().chunks(piece.len());
        assert!(parts.all(|part| *part == piece[..part.len()]), "other bytes came back of {len}");
    }
    costs
}

/// Bytes that compress to half of their length.
fn piece() -> Vec<u8> {
    let mut state = 1u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"etaoin shrdlucmf"[state as usize >> 24 & 15]
    };
    (0..PIPE - 1).map(|_| next()).collect()
}

#[tokio::test(start_paused = true)]
async fn up_to_128_mib_a_byte_costs_the_same_in_any_message() {
    costs_grow_with_the_length_alone(
        &sweep(&[EDGES, &[1 << 20, 16 << 20, LONG]].concat(), None).await,
    );
}

#[tokio::test(start_paused = true)]
async fn up_to_16_mib_a_byte_costs_the_same_in_any_compressed_message() {
    let lens = [EDGES, &[1 << 20, 4 << 20, 16 << 20]].concat();
    costs_grow_with_the_length_alone(&sweep(&lens, Some(Deflate::default())).await);
}

#[tokio::test(start_paused = true)]
async fn after_a_large_message_a_small_one_costs_what_it_did() {
    for deflate in [None, Some(Deflate::default())] {
        // The first round makes what the thread keeps.
        let costs = sweep(&[EDGES, EDGES, &[4 << 20], EDGES].concat(), deflate).await;
        let before = &costs[EDGES.len()..2 * EDGES.len()];
        let after = &costs[2 * EDGES.len() + 1..];
        for (before, after) in before.iter().zip(after) {
            // What the large one made grow was given back, and what the small one would use again went for it: that may have to be
            // made anew, at both ends.
            let anew = 4 * after.len as u64 + 1024;
            assert!(after.taken <= 2 * before.taken + anew, "{before:?} {after:?}");
            assert!(after.calls <= before.calls, "{before:?} {after:?}");
        }
    }
}

/// Judges each message by its own length, and the longest by those before.
fn costs_grow_with_the_length_alone(costs: &[Cost]) {
    for Cost { len, taken, calls } in costs {
        let len = *len as u64;
        // A buffer that doubles is taken up to four times over, at each end, and what is masked or compressed is a copy.
        assert!(*taken <= 10 * len + WARM, "{taken} bytes are taken for {len}");
        assert!(*calls <= 16 + 16 * len / PIPE as u64, "{calls} calls for {len} bytes");
    }
    let [.., mebibyte, _, longest] = costs else { panic!("too few lengths") };
    let times = (longest.len / mebibyte.len) as u64;
    // The shorter one may find a buffer that was used before.
    assert!(longest.taken <= mebibyte.taken * times * 13 / 10, "{mebibyte:?} {longest:?}");
    assert!(longest.calls <= mebibyte.calls * times * 11 / 10, "{mebibyte:?} {longest:?}");
}

/// Where a frame's length takes another form (RFC 6455 §5.2), a message is first compressed, and a payload held by reference.
const EDGES: &[usize] = &[1, 125, 126, 127, 128, 4095, 4096, 65_535, 65_536];
const LONG: usize = 128 << 20;
/// What the pipe holds in each direction.
const PIPE: usize = 64 << 10;
/// What a thread makes once: buffers, and contexts of deflate.
const WARM: u64 = 1 << 20;
