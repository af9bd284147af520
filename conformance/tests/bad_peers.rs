//! Peers that break the rules, over plain TCP, against our server and our client.
//!
//! Each gets the close code that RFC 6455 §7.4.1 names for its fault, ends in bounded time and memory, and disturbs
//! nobody: beside every one of them another connection to the same server keeps echoing.

mod ours;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use duplexer::{CloseCode, Deflate, Limits, RecvError};
use duplexer_conformance::raw::{KEY, PATIENCE, RawPeer, frame, listener, request};
use duplexer_conformance::wire::{BINARY, TEXT};
use ours::{Bystander, Settings, serve};
use tokio::time::{interval, timeout};

/// A name, what a client sends after a correct opening handshake, and the close code it must be told.
type Fault = (&'static str, Vec<u8>, u16);

fn frame_faults() -> Vec<Fault> {
    let masked = |first, payload: &[u8]| frame(first, payload, Some(KEY));
    // A binary frame that declares its length in 64 bits and then sends nothing of it.
    let declares = |length: u64| [&[0x82, 0xFF][..], &length.to_be_bytes(), &KEY].concat();
    let mut faults = vec![
        ("§5.1: unmasked", frame(0x81, b"hello", None), 1002),
        ("§5.2: RSV1 without an extension", masked(0xC1, b"hello"), 1002),
        ("§5.2: RSV2", masked(0xA1, b"hello"), 1002),
        ("§5.2: RSV3 on a ping", masked(0x99, b""), 1002),
        ("§5.2: top bit of the length set", declares(1 << 63), 1002),
        ("§5.2: length 125 in 16 bits", [&[0x82, 0xFE, 0, 125][..], &KEY].concat(), 1002),
        ("§5.2: length 65,535 in 64 bits", declares(0xFFFF), 1002),
        ("§7.4.1: a frame of 2^62 octets", declares(1 << 62), 1009),
        ("§7.4.1: one octet over the limit", declares((16 << 20) + 1), 1009),
        ("§5.4: nothing to continue", masked(0x80, b"more"), 1002),
        (
            "§5.4: a message inside a message",
            [masked(0x01, b"a"), masked(0x81, b"b")].concat(),
            1002,
        ),
        ("§5.5: a ping in fragments", masked(0x09, b""), 1002),
        ("§5.5: a close in fragments", masked(0x08, b""), 1002),
        ("§5.5: a ping of 126 octets", masked(0x89, &[0; 126]), 1002),
        (
            "§5.5: a ping of 2^62 octets",
            [&[0x89, 0xFF][..], &(1u64 << 62).to_be_bytes(), &KEY].concat(),
            1002,
        ),
        ("§5.5.1: a close of one octet", masked(0x88, &[3]), 1002),
        ("§5.5.1: a reason that is not UTF-8", masked(0x88, b"\x03\xe8\xff"), 1007),
        // The first octet that cannot be is the second: the frame and its message need not end.
        (
            "§8.1: not UTF-8",
            [&[0x01, 0x80 | 100][..], &KEY, &[b'a' ^ KEY[0], 0xFF ^ KEY[1]]].concat(),
            1007,
        ),
        ("§8.1: a text cut inside a character", masked(0x81, "é".as_bytes().split_at(1).0), 1007),
    ];
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        let huge = [&[0x80 | opcode, 0xFF][..], &(1u64 << 62).to_be_bytes(), &KEY].concat();
        faults.push(("§5.2: unknown opcode", masked(0x80 | opcode, b""), 1002));
        faults.push(("§5.2: unknown opcode, huge length", huge, 1002));
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        faults.push((
            "§7.4: a close code not for the wire",
            masked(0x88, &code.to_be_bytes()),
            1002,
        ));
    }
    faults
}

#[tokio::test]
async fn server_fails_every_fault_with_its_code_and_nobody_else() -> anyhow::Result<()> {
    let server = serve(Settings::default()).await?;
    let mut bystander = Bystander::join(&server).await?;
    for (rule, bytes, code) in frame_faults() {
        let told = async {
            let mut peer = RawPeer::open(server.address(), None).await?;
            peer.send(&bytes).await?;
            let told = peer.close().await?;
            peer.end().await?;
            anyhow::Ok(told)
        };
        let told = told.await.with_context(|| format!("{rule}: {:02x?}", start(&bytes)))?;
        let (told, reason) = told.with_context(|| format!("{rule}: a close without a code"))?;
        ensure!(told == code, "{rule}: {:02x?} got {told} {reason:?}, not {code}", start(&bytes));
        bystander.echoes().await.with_context(|| format!("beside {rule}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn what_came_before_a_fault_is_answered_first() -> anyhow::Result<()> {
    // Autobahn 3.2 and 5.15 call it non-strict when an answer that was due is lost to a fault in the same segment.
    let server = serve(Settings::default()).await?;
    let bad = frame(0xA1, b"RSV2", Some(KEY));
    for before in [1, 3] {
        let mut peer = RawPeer::open(server.address(), None).await?;
        let good = frame(0x81, b"hello", Some(KEY)).repeat(before);
        peer.send(&[&good[..], &bad].concat()).await?;
        for number in 1..=before {
            let (header, payload) = peer.frame().await?.context("the connection ended")?;
            ensure!(
                (header.opcode, &payload[..]) == (TEXT, b"hello"),
                "echo {number} of {before} was lost: {header:?}"
            );
        }
        let (code, _) = peer.close().await?.context("a close without a code")?;
        ensure!(code == 1002, "got {code}");
    }
    Ok(())
}

fn start(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(16)]
}

#[tokio::test]
async fn server_ends_a_message_of_endless_tiny_fragments() -> anyhow::Result<()> {
    // Each fragment weighs 64 octets more than it holds, so the limit of 16 MiB is reached.
    for payload in [&b""[..], b"x"] {
        let server = serve(Settings::default()).await?;
        let mut bystander = Bystander::join(&server).await?;
        let mut peer = RawPeer::open(server.address(), None).await?;
        peer.send(&frame(BINARY, payload, Some(KEY))).await?;
        let enough = (16 << 20) / 64 + 1;
        // Whoever fails a connection may stop reading it.
        let _ = peer.send(&frame(0x00, payload, Some(KEY)).repeat(enough)).await;
        let (code, _) = peer.close().await?.context("a close without a code")?;
        ensure!(code == 1009, "{enough} fragments of {} octets got {code}", payload.len());
        bystander.echoes().await?;
    }
    Ok(())
}

#[tokio::test]
async fn server_accepts_a_message_of_65_536_fragments() -> anyhow::Result<()> {
    let server = serve(Settings::default()).await?;
    let mut peer = RawPeer::open(server.address(), None).await?;
    let piece = [b'p'; 64];
    let mut bytes = frame(BINARY, &piece, Some(KEY));
    bytes.extend(frame(0x00, &piece, Some(KEY)).repeat(65_534));
    bytes.extend(frame(0x80, &piece, Some(KEY)));
    peer.send(&bytes).await?;
    let mut received = 0;
    loop {
        let (header, payload) = peer.frame().await?.context("the connection ended")?;
        ensure!(payload.iter().all(|octet| *octet == b'p'), "other octets came back");
        received += payload.len();
        if header.fin {
            break;
        }
    }
    ensure!(received == 4 << 20, "{received} octets came back");
    Ok(())
}

#[tokio::test]
async fn an_empty_compressed_message_is_an_empty_message() -> anyhow::Result<()> {
    // RFC 7692 §7.2.3.6 wants 0x00 here; what some peers send instead is `c1 00`.
    let server = serve(compressing()).await?;
    let mut peer = RawPeer::open(server.address(), Some("permessage-deflate")).await?;
    for payload in [&b""[..], b"\x00"] {
        peer.send(&frame(0xC1, payload, Some(KEY))).await?;
        let (header, answer) = peer.frame().await?.context("the connection ended")?;
        ensure!(header.opcode == TEXT && header.fin, "{header:?}");
        ensure!(answer.is_empty() || (header.rsv1 && answer == b"\x00"), "{header:?} {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn server_ends_an_inflate_bomb_in_bounded_memory() -> anyhow::Result<()> {
    let server = serve(compressing()).await?;
    let mut bystander = Bystander::join(&server).await?;
    let bomb = bomb(1 << 30);
    ensure!(bomb.len() < 8 << 20, "the bomb has {} octets", bomb.len());
    let before = resident_bytes()?;
    let mut peer = RawPeer::open(server.address(), Some("permessage-deflate")).await?;
    // The server stops reading once it has seen enough.
    let _ = peer.send(&frame(0xC2, &bomb, Some(KEY))).await;
    let (code, _) = peer.close().await?.context("a close without a code")?;
    ensure!(code == 1009, "a bomb of 1 GiB got {code}");
    let grown = resident_bytes()?.saturating_sub(before);
    ensure!(grown < 128 << 20, "a bomb of 1 GiB grew the process by {grown} octets");
    bystander.echoes().await
}

#[tokio::test]
async fn server_fails_a_corrupt_compressed_message() -> anyhow::Result<()> {
    let server = serve(compressing()).await?;
    let mut peer = RawPeer::open(server.address(), Some("permessage-deflate")).await?;
    // A deflate block of the reserved type 3 (RFC 1951 §3.2.3).
    peer.send(&frame(0xC1, b"\x07\x00", Some(KEY))).await?;
    let (code, _) = peer.close().await?.context("a close without a code")?;
    ensure!(code == 1007, "corrupt compressed data got {code}");
    Ok(())
}

#[tokio::test]
async fn server_holds_nothing_for_octets_that_are_only_declared() -> anyhow::Result<()> {
    let server = serve(Settings::default()).await?;
    let before = resident_bytes()?;
    let mut peers = Vec::new();
    for _ in 0..200 {
        let mut peer = RawPeer::open(server.address(), None).await?;
        // Within the limit, so the server has to wait for the rest.
        let declared: u64 = 16 << 20;
        let begun = [&[0x82, 0xFF][..], &declared.to_be_bytes(), &KEY, b"one"].concat();
        peer.send(&begun).await?;
        peers.push(peer);
    }
    Bystander::join(&server).await?.echoes().await?;
    let grown = resident_bytes()?.saturating_sub(before);
    ensure!(grown < 128 << 20, "200 frames of 16 MiB, declared only, hold {grown} octets");
    Ok(())
}

#[tokio::test]
async fn a_peer_that_never_reads_holds_bounded_memory() -> anyhow::Result<()> {
    let message = frame(BINARY | 0x80, &[b'm'; 60_000], Some(KEY));
    let ping = frame(0x89, &[b'p'; 125], Some(KEY)).repeat(500);
    for flood in [message, ping] {
        let server = serve(Settings::default()).await?;
        let mut bystander = Bystander::join(&server).await?;
        let before = resident_bytes()?;
        let mut peer = RawPeer::open(server.address(), None).await?;
        let mut sent = 0;
        // Until the server no longer takes what it cannot answer, or has taken a lot and kept nothing.
        while sent < 96 << 20 {
            match timeout(Duration::from_millis(500), peer.send(&flood)).await {
                Ok(Ok(())) => sent += flood.len(),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        let grown = resident_bytes()?.saturating_sub(before);
        ensure!(grown < 64 << 20, "{sent} octets sent and no answer read hold {grown} octets");
        bystander.echoes().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_transport_is_no_clean_end() -> anyhow::Result<()> {
    // RFC 6455 §7.1.5: 1006 when no close frame came, also after half a frame and half a message.
    let halves: [&[u8]; 4] = [b"", b"\x81", b"\x81\x05hel", b"\x01\x03hel"];
    for sent in halves {
        let (listener, address) = listener().await?;
        let server = async {
            let mut peer = RawPeer::accept(&listener, "").await?;
            peer.send(sent).await
        };
        let opening = async { Ok(ours::client(None).connect(format!("ws://{address}/")).await?) };
        let ((), mut socket) = tokio::try_join!(server, opening)?;
        let ended = socket.recv().await;
        ensure!(matches!(ended, Err(RecvError::EndOfStream)), "after {sent:02x?}: {ended:?}");
        let info = socket.close_info().context("no close_info")?;
        ensure!(info.reason.code() == CloseCode::ABNORMAL && !info.clean, "{info:?}");
    }
    Ok(())
}

#[tokio::test]
async fn garbage_instead_of_an_opening_is_ended() -> anyhow::Result<()> {
    let server = serve(impatient()).await?;
    let mut bystander = Bystander::join(&server).await?;
    let many_fields = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(200));
    let long_field = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "y".repeat(64 << 10));
    let garbage: [(&str, &[u8]); 7] = [
        ("zeros", &[0; 4096]),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("an old protocol", b"<policy-file-request/>\0"),
        ("a request without an end", b"GET / HTTP/1.1\r\nHost: h\r\nX: "),
        ("200 fields", many_fields.as_bytes()),
        ("a field of 64 KiB", long_field.as_bytes()),
    ];
    for (name, bytes) in garbage {
        let mut peer = RawPeer::dial(server.address()).await?;
        // The server may refuse before it has read everything.
        let _ = peer.send(bytes).await;
        peer.end().await.with_context(|| name.to_owned())?;
        bystander.echoes().await.with_context(|| format!("beside {name}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn the_deadline_ends_an_opening_that_never_comes() -> anyhow::Result<()> {
    let server = serve(impatient()).await?;
    let mut bystander = Bystander::join(&server).await?;
    let whole = request(server.address(), None);
    for sent in [0, 1, whole.len() / 2, whole.len() - 1] {
        let start = Instant::now();
        let mut peer = RawPeer::dial(server.address()).await?;
        peer.send(&whole.as_bytes()[..sent]).await?;
        peer.end().await.with_context(|| format!("after {sent} octets"))?;
        let taken = start.elapsed();
        ensure!(taken >= OPEN_MAX, "{sent} octets: ended after {taken:?}");
        bystander.echoes().await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_deadline_ends_a_head_sent_one_octet_at_a_time() -> anyhow::Result<()> {
    let server = serve(impatient()).await?;
    let mut bystander = Bystander::join(&server).await?;
    let mut peer = RawPeer::dial(server.address()).await?;
    let slowly = async {
        // Each octet is a sign of life; the deadline counts the whole opening.
        let mut pace = interval(Duration::from_millis(20));
        for octet in request(server.address(), None).bytes() {
            pace.tick().await;
            if peer.send(&[octet]).await.is_err() {
                return Ok(());
            }
        }
        anyhow::bail!("the whole head was accepted, octet by octet")
    };
    timeout(PATIENCE, slowly).await??;
    bystander.echoes().await
}

#[tokio::test]
async fn client_fails_every_fault_of_a_server() -> anyhow::Result<()> {
    let faults: [(&str, Vec<u8>, u16); 9] = [
        ("§5.1: masked", frame(0x81, b"hello", Some(KEY)), 1002),
        ("§5.2: RSV1 without an extension", frame(0xC1, b"hello", None), 1002),
        ("§5.2: unknown opcode", frame(0x83, b"", None), 1002),
        (
            "§5.2: top bit of the length set",
            [&[0x82, 0x7F][..], &(1u64 << 63).to_be_bytes()].concat(),
            1002,
        ),
        (
            "§7.4.1: a frame of 2^62 octets",
            [&[0x82, 0x7F][..], &(1u64 << 62).to_be_bytes()].concat(),
            1009,
        ),
        ("§5.4: nothing to continue", frame(0x80, b"more", None), 1002),
        ("§5.5: a ping of 126 octets", frame(0x89, &[0; 126], None), 1002),
        ("§7.4: close code 1005", frame(0x88, &1005u16.to_be_bytes(), None), 1002),
        ("§8.1: not UTF-8", frame(0x81, b"\xff", None), 1007),
    ];
    for (rule, bytes, code) in faults {
        let (listener, address) = listener().await?;
        let server = async {
            let mut peer = RawPeer::accept(&listener, "").await?;
            peer.send(&bytes).await?;
            peer.close().await
        };
        let client = async {
            let mut socket = ours::client(None).connect(format!("ws://{address}/")).await?;
            let refused = socket.recv().await.is_err();
            ensure!(refused, "{rule}: recv reported no error");
            Ok(())
        };
        let (told, ()) = tokio::try_join!(server, client).with_context(|| rule.to_owned())?;
        let (told, _) = told.with_context(|| format!("{rule}: a close without a code"))?;
        ensure!(told == code, "{rule}: got {told}, not {code}");
    }
    Ok(())
}

fn compressing() -> Settings {
    Settings { deflate: Some(Deflate::default()), ..Settings::default() }
}

/// Settings under which an opening handshake may take half a second in all.
fn impatient() -> Settings {
    let mut limits = Limits::default();
    limits.open_timeout = OPEN_MAX;
    Settings { limits, ..Settings::default() }
}

/// A raw deflate stream of zeros, in one block with fixed codes (RFC 1951 §3.2.6): a literal, then copies of 258 octets.
fn bomb(bytes_min: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push("010"); // not the last block; fixed codes, lowest bit first
    bits.push("00110000"); // the literal 0
    for _ in 0..bytes_min.div_ceil(258) {
        bits.push("1100010100000"); // length 258, distance 1
    }
    bits.push("0000000"); // end of the block
    bits.push("000"); // an empty stored block, whose `00 00 ff ff` RFC 7692 §7.2.1 takes away
    bits.octets
}

#[derive(Default)]
struct Bits {
    octets: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, bits: &str) {
        for bit in bits.bytes() {
            if self.used.is_multiple_of(8) {
                self.octets.push(0);
            }
            if let Some(last) = self.octets.last_mut() {
                *last |= (bit - b'0') << (self.used % 8);
            }
            self.used += 1;
        }
    }
}

/// The memory that this process occupies, the servers in it included.
fn resident_bytes() -> anyhow::Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kib.parse::<usize>()? * 1024)
}

const OPEN_MAX: Duration = Duration::from_millis(500);
