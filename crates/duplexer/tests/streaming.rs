//! Messages in pieces, both ways: as they arrive and as they are written, of any length, with other frames between, and
//! what becomes of one that is left unfinished. How much memory that takes is in `memory.rs`.

mod support;

use std::io::ErrorKind;

use duplexer::{
    Client, CloseCode, Deflate, End, Limits, Message, MessageKind, MessageReader, RecvError,
    SendError, TrySendError, WebSocket,
};
use futures_util::FutureExt;
use support::{Frame, Peer, client, client_with, until};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::time::{Duration, Instant};

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate; \
                       server_no_context_takeover; client_no_context_takeover\r\n";

/// A client that has agreed on deflate.
async fn deflating() -> (WebSocket, Peer<DuplexStream>) {
    client_with(&Client::builder().deflate(Deflate::default()).build(), DEFLATE, 64 << 10).await
}

async fn begun(socket: &mut WebSocket) -> MessageReader<'_> {
    socket.recv_stream().await.expect("open").expect("a message")
}

/// All that is left of a message.
async fn rest(reader: &mut MessageReader<'_>) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = reader.chunk().await.expect("open") {
        assert!(!piece.is_empty());
        all.extend_from_slice(&piece);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn pieces_come_as_they_arrive_from_inside_a_frame() {
    let (mut socket, mut peer) = client().await;
    peer.sends_bytes(b"\x82\x0b").await;
    assert!(socket.recv_stream().now_or_never().is_none(), "not a byte of it is there");
    peer.sends_bytes("Hello").await;
    let mut reader = begun(&mut socket).await;
    assert_eq!(reader.kind(), MessageKind::Binary);
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"Hello"[..]));
    assert!(reader.chunk().now_or_never().is_none());
    peer.sends_bytes(" world").await;
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b" world"[..]));
    for _ in 0..2 {
        assert_eq!(reader.chunk().await.expect("open"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn large_pieces_are_whole_whenever_and_wherever_they_are_dropped() {
    // From half a read buffer on a piece takes the buffer along, which comes back from another thread and is read into again.
    let (mut socket, mut peer) = client_with(&Client::default(), "", 4 << 20).await;
    let message: Vec<u8> = (0..=250).cycle().take(600_000).collect();
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut bytes = peer.frame(0x82, &message);
        bytes.extend(peer.frame(0x89, "?"));
        bytes.extend(peer.frame(0x81, "behind"));
        peer.sends_bytes(bytes).await;
        let mut reader = begun(&mut socket).await;
        let mut pieces = Vec::new();
        while let Some(piece) = reader.chunk().await.expect("open") {
            pieces.push(piece);
        }
        drop(reader);
        assert!(pieces.iter().any(|piece| piece.len() >= 128 << 10), "large ones are among them");
        assert_eq!(socket.recv().await.expect("open"), Some("behind".into()));
        assert!(
            socket.recv().now_or_never().is_none(),
            "nothing more, but time to answer the ping"
        );
        assert_eq!(peer.hears().await, Frame::new(0x8a, "?"));
        kept.push(pieces.clone());
        std::thread::spawn(move || drop(pieces)).join().expect("it only drops");
        assert!(kept.iter().all(|pieces| pieces.concat() == message));
        kept.truncate(1);
    }
}

#[tokio::test(start_paused = true)]
async fn fragments_are_one_message_and_the_next_is_another() {
    let (mut socket, mut peer) = client().await;
    for (first, text) in [(0x01, "Hel"), (0x00, ""), (0x00, "l"), (0x80, "o"), (0x81, "you")] {
        peer.sends(first, text).await;
    }
    let mut reader = begun(&mut socket).await;
    assert_eq!((reader.kind(), rest(&mut reader).await), (MessageKind::Text, b"Hello".to_vec()));
    drop(reader);
    let mut reader = begun(&mut socket).await;
    assert_eq!(rest(&mut reader).await, b"you");
}

#[tokio::test(start_paused = true)]
async fn an_empty_message_has_no_piece() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x81, "").await;
    peer.sends(0x02, "").await;
    peer.sends(0x80, "").await;
    peer.says("next").await;
    for _ in 0..2 {
        assert_eq!(rest(&mut begun(&mut socket).await).await, b"");
    }
    assert_eq!(socket.recv().await.expect("open"), Some("next".into()));
}

#[tokio::test(start_paused = true)]
async fn no_message_is_a_clean_end_or_an_error() {
    let (mut socket, mut peer) = client().await;
    peer.closes(1000, "").await;
    peer.ends().await;
    assert!(socket.recv_stream().await.expect("a clean end").is_none());
    let (mut socket, mut peer) = client().await;
    peer.ends().await;
    assert!(matches!(socket.recv_stream().await, Err(RecvError::EndOfStream)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_connections_end_cuts_off_does_not_look_whole() {
    for close in [true, false] {
        let (mut socket, mut peer) = client().await;
        peer.sends(0x02, "cut ").await;
        if close {
            peer.closes(1000, "").await;
        }
        peer.ends().await;
        let mut reader = begun(&mut socket).await;
        assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"cut "[..]));
        for _ in 0..2 {
            assert!(reader.chunk().await.is_err());
            assert!(reader.read_u8().await.is_err());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_cut_off_by_a_clean_close_with_its_code_and_otherwise_with_1006() {
    // RFC 6455 §7.1.5: the code is that of the Close, and 1005 where it has none.
    for (close, code) in [
        (&[][..], 1005),
        (&b"\x03\xe8"[..], 1000),
        (&b"\x03\xe9going"[..], 1001),
        (&b"\x0f\xa0"[..], 4000),
    ] {
        let (mut socket, mut peer) = client().await;
        peer.sends(0x02, "cut ").await;
        peer.sends(0x88, close).await;
        peer.ends().await;
        let mut reader = begun(&mut socket).await;
        assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"cut "[..]));
        for _ in 0..2 {
            let error = reader.chunk().await.expect_err("the message has not ended");
            let RecvError::Closed(info) = &error else { panic!("{error:?}") };
            assert_eq!((info.initiator, info.reason.code().as_u16()), (End::Remote, code));
            assert!(error.to_string().starts_with("the peer closed"), "{error}");
        }
    }
    let (mut socket, mut peer) = client().await;
    peer.sends(0x02, "cut ").await;
    peer.ends().await;
    let mut reader = begun(&mut socket).await;
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"cut "[..]));
    assert!(matches!(reader.chunk().await, Err(RecvError::EndOfStream)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_cut_off_by_this_ends_own_close_says_so() {
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    peer.sends(0x02, "cut ").await;
    let mut reader = receiver.recv_stream().await.expect("open").expect("a message");
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"cut "[..]));
    let closing = async {
        peer.hears_close(1000).await;
        peer.ends().await;
    };
    let (closed, ()) = tokio::join!(sender.close(CloseCode::NORMAL, ""), closing);
    closed.expect("may be sent");
    let error = reader.chunk().await.expect_err("the message has not ended");
    assert_eq!(error.to_string(), "this side closed the connection: 1000 normal closure");
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_an_async_read() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x02, [1, 2, 3]).await;
    peer.sends(0x89, "").await;
    peer.sends(0x80, vec![4; 5000]).await;
    let mut reader = begun(&mut socket).await;
    assert_eq!(reader.read_u8().await.expect("open"), 1);
    let mut rest = Vec::new();
    assert_eq!(reader.read_to_end(&mut rest).await.expect("open"), 5002);
    assert_eq!(rest, [&[2, 3][..], &[4; 5000]].concat());
    assert_eq!(reader.read_u8().await.map_err(|error| error.kind()), Err(ErrorKind::UnexpectedEof));
}

#[tokio::test(start_paused = true)]
async fn pings_between_frames_are_answered_while_reading() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x01, "one ").await;
    let mut reader = begun(&mut socket).await;
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"one "[..]));
    peer.sends(0x89, "between").await;
    assert!(reader.chunk().now_or_never().is_none());
    assert_eq!(peer.hears().await, Frame::new(0x8a, "between"));
    peer.sends(0x80, "two").await;
    assert_eq!(rest(&mut reader).await, b"two");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_dropped_discards_the_rest_of_its_message() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x02, "wanted").await;
    let mut reader = begun(&mut socket).await;
    reader.chunk().await.expect("open");
    drop(reader);
    peer.sends(0x00, vec![0; 1000]).await;
    peer.sends(0x89, "between").await;
    peer.sends(0x80, "unwanted").await;
    peer.says("next").await;
    assert_eq!(socket.recv().await.expect("open"), Some("next".into()));
    // Read to its end or not at all, it makes no difference.
    peer.sends(0x01, "a").await;
    drop(begun(&mut socket).await);
    peer.sends(0x80, "b").await;
    peer.says("last").await;
    drop(begun(&mut socket).await);
    peer.says("after it").await;
    assert_eq!(socket.recv().await.expect("open"), Some("after it".into()));
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_rest_came_during_a_ping_is_read_on() {
    // The other half waits for a pong and reads past the message, here inside a character.
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    peer.sends(0x01, b"Gr\xc3").await;
    let mut reader = receiver.recv_stream().await.expect("open").expect("a message");
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"Gr\xc3"[..]));
    let answering = async {
        let ping = peer.hears().await;
        peer.sends(0x80, b"\xbc\xc3\x9f dich").await;
        peer.says("next").await;
        peer.sends(0x8a, &ping.payload).await;
    };
    assert!(tokio::join!(sender.ping(), answering).0.is_ok());
    assert_eq!(rest(&mut reader).await, b"\xbc\xc3\x9f dich");
    drop(reader);
    assert_eq!(receiver.recv().await.expect("open"), Some("next".into()));
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_message_that_came_during_a_ping_is_discarded_with_its_reader() {
    // Whether it came whole, with the next message begun or not, or only in part.
    for then in [&[(0x80, "rest")][..], &[(0x80, "rest"), (0x01, "ne")], &[(0x00, "re")]] {
        let (socket, mut peer) = client().await;
        let (sender, mut receiver) = socket.split();
        peer.sends(0x01, "begun ").await;
        let mut reader = receiver.recv_stream().await.expect("open").expect("a message");
        reader.chunk().await.expect("open");
        let answering = async {
            let ping = peer.hears().await;
            for (first, text) in then {
                peer.sends(*first, text).await;
            }
            peer.sends(0x8a, &ping.payload).await;
        };
        assert!(tokio::join!(sender.ping(), answering).0.is_ok());
        drop(reader);
        match then.last() {
            Some((0x01, _)) => peer.sends(0x80, "xt").await,
            Some((0x00, _)) => {
                peer.sends(0x80, "st").await;
                peer.says("next").await;
            }
            _ => peer.says("next").await,
        }
        assert_eq!(receiver.recv().await.expect("open"), Some("next".into()), "{then:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_recv_has_collected_of_a_message_is_the_first_piece() {
    let (mut socket, mut peer) = client().await;
    peer.sends(0x01, "begun ").await;
    assert!(socket.recv().now_or_never().is_none());
    let mut reader = begun(&mut socket).await;
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"begun "[..]));
    peer.sends(0x80, "and done").await;
    assert_eq!(rest(&mut reader).await, b"and done");
}

#[tokio::test(start_paused = true)]
async fn streamed_messages_have_a_bound_of_their_own() {
    let mut limits = Limits::default();
    limits.message_bytes_max = 10;
    let (mut socket, mut peer) =
        client_with(&Client::builder().limits(limits.clone()).build(), "", 64 << 10).await;
    peer.sends(0x82, vec![7; 1000]).await;
    assert_eq!(rest(&mut begun(&mut socket).await).await, vec![7; 1000]);
    limits.stream_bytes_max = 999;
    let (mut socket, mut peer) =
        client_with(&Client::builder().limits(limits).build(), "", 64 << 10).await;
    peer.sends(0x82, vec![7; 1000]).await;
    peer.ends().await;
    let Err(RecvError::Fault(fault)) = socket.recv_stream().await else { panic!("too big") };
    assert!(fault.to_string().contains("stream_bytes_max"), "{fault}");
    assert_eq!(peer.hears().await.close_code(), Some(1009));
}

#[tokio::test(start_paused = true)]
async fn a_text_is_checked_as_it_streams() {
    // RFC 6455 §8.1. A character may be cut between pieces; an impossible byte fails at once.
    let (mut socket, mut peer) = client().await;
    peer.sends(0x01, b"\xe2\x82").await;
    let mut reader = begun(&mut socket).await;
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"\xe2\x82"[..]));
    peer.sends(0x00, b"\xac\xff").await;
    peer.ends().await;
    assert!(matches!(reader.chunk().await, Err(RecvError::Fault(_))));
    assert_eq!(peer.hears().await.close_code(), Some(1007));
}

#[tokio::test(start_paused = true)]
async fn a_compressed_message_is_read_in_pieces() {
    // RFC 7692 §7.2.3.2: "Hello" in one stored block; a header of a block and its data may be cut anywhere.
    let (mut socket, mut peer) = deflating().await;
    peer.sends(0x42, b"\x00\x05\x00\xfa\xffHel").await;
    let mut reader = begun(&mut socket).await;
    assert_eq!(reader.chunk().await.expect("open").as_deref(), Some(&b"Hel"[..]));
    peer.sends(0x89, "between").await;
    peer.sends(0x80, b"lo\x00").await;
    assert_eq!(rest(&mut reader).await, b"lo");
    drop(reader);
    assert!(socket.recv().now_or_never().is_none());
    assert_eq!(peer.hears().await, Frame::new(0x8a, "between"));
}

#[tokio::test(start_paused = true)]
async fn each_piece_is_a_frame_that_leaves_at_once() {
    let (mut socket, mut peer) = client().await;
    let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), None);
    for (piece, first) in [("Hel", 0x01), ("lo", 0x00)] {
        writer.write(piece.as_bytes()).await.expect("it is open");
        assert_eq!(peer.hears().now_or_never(), Some(Frame::new(first, piece)));
    }
    writer.write(b"").await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), None);
    writer.finish().await.expect("it is open");
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x80, "")));
    socket.send_stream(MessageKind::Binary).await.expect("open").finish().await.expect("open");
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x82, "")));
}

#[tokio::test(start_paused = true)]
async fn flush_lets_the_peer_decode_what_was_written() {
    // RFC 7692 §7.2.1: the frame ends with an empty block, less its last four bytes only at the message's end.
    let (mut socket, mut peer) = deflating().await;
    let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
    writer.write("abc".repeat(100).as_bytes()).await.expect("it is open");
    writer.flush().await.expect("it is open");
    let frame = peer.hears().now_or_never().expect("it has left");
    assert_eq!(frame.first, 0x41);
    assert!(frame.payload.len() < 40 && frame.payload.ends_with(b"\0\0\xff\xff"), "{frame:?}");
    writer.finish().await.expect("it is open");
    let frame = peer.hears().await;
    assert_eq!(frame.first, 0x80);
    assert!(!frame.payload.ends_with(b"\0\0\xff\xff"), "{frame:?}");
}

#[tokio::test(start_paused = true)]
async fn control_frames_pass_between_the_pieces() {
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    let mut writer = sender.send_stream(MessageKind::Binary).await.expect("it is open");
    writer.write(b"one").await.expect("it is open");
    peer.sends(0x89, "between").await;
    assert!(receiver.recv().now_or_never().is_none());
    writer.write(b"two").await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x02, "one"));
    assert_eq!(peer.hears().await, Frame::new(0x8a, "between"));
    assert_eq!(peer.hears().await, Frame::new(0x00, "two"));
    let answering = async {
        let ping = peer.hears().await;
        peer.sends(0x8a, &ping.payload).await;
    };
    assert!(tokio::join!(sender.ping(), answering).0.is_ok());
    writer.finish().await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x80, ""));
}

#[tokio::test(start_paused = true)]
async fn a_writer_dropped_unfinished_fails_with_1011_and_never_looks_whole() {
    for written in [&[][..], &[&b"half"[..]]] {
        let (mut socket, mut peer) = client().await;
        let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
        for piece in written {
            writer.write(*piece).await.expect("it is open");
        }
        drop(writer);
        for piece in written {
            assert_eq!(peer.hears().await, Frame::new(0x01, piece));
        }
        let close = peer.hears().await;
        assert_eq!(close.close_code(), Some(1011), "{close:?}");
        peer.ends().await;
        assert!(matches!(socket.send("more").await, Err(SendError::Closed(_))));
        assert!(matches!(socket.recv().await, Err(RecvError::Aborted)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_queued_before_an_abandoned_message_still_leaves() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1024).await;
    let (sender, _receiver) = socket.split();
    sender.feed(vec![0; 5000]).await.expect("it is open");
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send("queued before").await }
    });
    tokio::task::yield_now().await;
    let mut writer = sender.send_stream(MessageKind::Text).await.expect("it is open");
    assert!(writer.write(b"half").now_or_never().is_some());
    drop(writer);
    assert_eq!(peer.hears().await.payload.len(), 5000);
    assert_eq!(peer.hears().await, Frame::new(0x81, "queued before"));
    assert_eq!(peer.hears().await, Frame::new(0x01, "half"));
    assert_eq!(peer.hears().await.close_code(), Some(1011));
    peer.ends().await;
    assert!(until(waiting).await.expect("no panic").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_dropped_after_a_close_changes_nothing() {
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    let mut writer = sender.send_stream(MessageKind::Text).await.expect("it is open");
    writer.write(b"half").await.expect("it is open");
    assert!(sender.close(CloseCode::NORMAL, "").now_or_never().is_none());
    assert!(matches!(writer.write(b"more").await, Err(SendError::Closed(_))));
    drop(writer);
    assert_eq!(peer.hears().await, Frame::new(0x01, "half"));
    peer.hears_close(1000).await;
    peer.ends().await;
    assert_eq!(receiver.recv().await.expect("a clean end"), None);
    assert!(sender.close_info().is_some_and(|info| info.clean));
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_not_utf8_is_not_finished() {
    // RFC 6455 §7.4.1: 1007 is for what was received; this is no fault of the peer's.
    for pieces in [&[&b"ok\xff"[..]][..], &[b"cut \xe2\x82"], &[b"\xed", b"\xa0\x80"]] {
        let (mut socket, mut peer) = client().await;
        let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
        let mut written = Ok(());
        for piece in pieces {
            written = writer.write(*piece).await;
        }
        match (written, writer.finish().await) {
            (Ok(()), Err(SendError::NotUtf8))
            | (Err(SendError::NotUtf8), Err(SendError::Closed(_))) => {}
            other => panic!("{pieces:?}: {other:?}"),
        }
        loop {
            let frame = peer.hears().await;
            if frame.first == 0x88 {
                break assert_eq!(frame.close_code(), Some(1011));
            }
            assert_eq!(frame.first & 0x80, 0, "no last frame: {frame:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_may_be_cut_inside_a_character() {
    let (mut socket, mut peer) = client().await;
    let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
    for byte in "€".as_bytes() {
        writer.write(&[*byte]).await.expect("it is open");
    }
    writer.finish().await.expect("it is open");
    for frame in [
        Frame::new(0x01, b"\xe2"),
        Frame::new(0x00, b"\x82"),
        Frame::new(0x00, b"\xac"),
        Frame::new(0x80, b""),
    ] {
        assert_eq!(peer.hears().await, frame);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_writer_fails_after_30_s() {
    let (socket, mut peer) =
        client_with(&Client::builder().keepalive(None, Duration::MAX).build(), "", 4096).await;
    let (sender, mut receiver) = socket.split();
    let mut writer = sender.send_stream(MessageKind::Text).await.expect("it is open");
    writer.write(b"half").await.expect("it is open");
    let began = Instant::now();
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send("waits for its end").await }
    });
    let heard = async {
        assert_eq!(peer.hears().await, Frame::new(0x01, "half"));
        assert_eq!(peer.hears().await.close_code(), Some(1011));
        peer.ends().await;
    };
    tokio::join!(heard, async { assert!(receiver.recv().await.is_err()) });
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert!(matches!(until(waiting).await.expect("no panic"), Err(SendError::Closed(_))));
    assert!(matches!(writer.write(b"too late").await, Err(SendError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_writes_now_and_then_is_not_idle() {
    let (mut socket, mut peer) =
        client_with(&Client::builder().keepalive(None, Duration::MAX).build(), "", 4096).await;
    let mut writer = socket.send_stream(MessageKind::Text).await.expect("it is open");
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(29)).await;
        writer.write(b"more ").await.expect("it is open");
        peer.hears().await;
    }
    writer.finish().await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x80, ""));
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_waits_for_a_slow_peer_is_not_idle() {
    let (mut socket, mut peer) =
        client_with(&Client::builder().keepalive(None, Duration::MAX).build(), "", 1024).await;
    let writing = async {
        let mut writer = socket.send_stream(MessageKind::Binary).await.expect("it is open");
        for _ in 0..3 {
            writer.write(&[0; 100_000]).await.expect("it is open");
        }
        writer.finish().await.expect("it is open");
    };
    let reading = async {
        for first in [0x02, 0x00, 0x00, 0x80] {
            tokio::time::sleep(Duration::from_secs(120)).await;
            assert_eq!(peer.hears().await.first, first);
        }
    };
    tokio::join!(writing, reading);
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_for_a_peer_that_reads_slowly() {
    let (mut socket, mut peer) = client_with(&Client::default(), "", 1024).await;
    let mut writer = socket.send_stream(MessageKind::Binary).await.expect("it is open");
    while writer.write(&[7; 1000]).now_or_never().is_some() {}
    // The dropped call has queued its piece not at all: the queue is full.
    let reading = async {
        let mut pieces = 0;
        while peer.hears().await.payload == [7; 1000] {
            pieces += 1;
        }
        pieces
    };
    let writing = async {
        writer.write(&[7; 1000]).await.expect("it is open");
        writer.finish().await.expect("it is open");
    };
    let pieces = tokio::join!(reading, writing).0;
    assert!((64..70).contains(&pieces), "{pieces}");
}

#[tokio::test(start_paused = true)]
async fn try_send_gives_its_message_back_while_a_writer_is_open() {
    let (socket, _peer) = client().await;
    let (sender, _receiver) = socket.split();
    let writer = sender.send_stream(MessageKind::Text).await.expect("it is open");
    let Err(TrySendError::Full(message)) = sender.try_send("later") else { panic!("it is busy") };
    assert_eq!(message, Message::from("later"));
    writer.finish().await.expect("it is open");
    assert!(sender.try_send(message).is_ok());
}
