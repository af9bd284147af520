//! How fast a peer may talk to a server's connection, and what it gets when it talks faster. Over a pipe, on a paused clock.

mod support;

use duplexer::{
    Addresses, Fault, Message, OverRate, RateLimits, RecvError, Request, Server, WebSocket,
};
use support::{Frame, Peer, REQUEST, Role, frame};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

/// A connection that a server with these rates has opened, and how its handler's `recv` ended.
async fn opened(
    change: impl FnOnce(&mut RateLimits),
) -> (Peer<DuplexStream>, mpsc::UnboundedReceiver<RecvError>) {
    let mut rates = RateLimits::default();
    change(&mut rates);
    let server = Server::builder().rates(rates).build();
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (end, ends) = mpsc::unbounded_channel();
    let echo = |mut socket: WebSocket, _: Request| async move {
        loop {
            match socket.recv().await {
                Ok(Some(message)) => drop(socket.send(message).await),
                Ok(None) => return,
                Err(error) => return end.send(error).expect("the test listens"),
            }
        }
    };
    tokio::spawn(async move { server.serve_over(theirs, Addresses::default(), echo).await });
    let mut peer = Peer::new(ours, Role::Client, Duration::from_secs(3600));
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    (peer, ends)
}

#[tokio::test(start_paused = true)]
async fn a_second_s_worth_of_messages_passes_and_one_more_is_1008() {
    let (mut peer, mut ends) = opened(|rates| rates.messages_per_second_max = Some(3)).await;
    for round in 0..3 {
        for _ in 0..3 {
            peer.says("one").await;
        }
        for _ in 0..3 {
            assert_eq!(peer.hears().await, Frame::new(0x81, "one"), "round {round}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for _ in 0..4 {
        peer.says("two").await;
    }
    for _ in 0..3 {
        assert_eq!(peer.hears().await, Frame::new(0x81, "two"));
    }
    let why = "faster than the limit messages_per_second_max of 3";
    assert_eq!(peer.hears().await, Frame::close(1008, why));
    let error = ends.recv().await.expect("it has ended");
    assert_eq!(error.to_string(), format!("the connection was closed: {why}"));
    assert!(
        matches!(error, RecvError::Fault(Fault::TooFast { per_second_max: 3, .. })),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_in_pieces_counts_once() {
    let (mut peer, _ends) = opened(|rates| rates.messages_per_second_max = Some(1)).await;
    peer.sends(0x01, "in ").await;
    peer.sends(0x00, "three ").await;
    peer.sends(0x80, "pieces").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "in three pieces"));
    peer.says("a second one").await;
    assert_eq!(peer.hears().await.close_code(), Some(1008));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_1008_by_default() {
    for (opcode, answers) in [(0x89, 1001), (0x8a, 0)] {
        let (mut peer, mut ends) = opened(|_| {}).await;
        let flood = peer.frame(opcode, "").repeat(1001);
        peer.sends_bytes(flood).await;
        let mut frame = peer.hears().await;
        let mut heard = 0;
        while frame.first == 0x8a {
            heard += 1;
            frame = peer.hears().await;
        }
        assert!(heard <= answers, "{heard} answers");
        let why = "faster than the limit control_frames_per_second_max of 1000";
        assert_eq!(frame, Frame::close(1008, why));
        assert!(matches!(ends.recv().await, Some(RecvError::Fault(Fault::TooFast { .. }))));
    }
}

#[tokio::test(start_paused = true)]
async fn pongs_that_answer_our_pings_do_not_count() {
    let (mut peer, _ends) = opened(|rates| rates.control_frames_per_second_max = Some(0)).await;
    for _ in 0..10 {
        let ping = peer.hears().await;
        assert_eq!(ping.first, 0x89);
        peer.sends(0x8a, ping.payload).await;
    }
    peer.says("still there?").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "still there?"));
    peer.sends(0x89, "").await;
    let answer_or_close = peer.hears().await;
    let close = if answer_or_close.first == 0x8a { peer.hears().await } else { answer_or_close };
    assert_eq!(close.close_code(), Some(1008));
}

#[tokio::test(start_paused = true)]
async fn too_many_bytes_are_1008() {
    let (mut peer, mut ends) = opened(|rates| rates.bytes_per_second_max = Some(1000)).await;
    peer.sends(0x82, [0; 900]).await;
    assert_eq!(peer.hears().await.payload.len(), 900);
    peer.sends(0x82, [0; 900]).await;
    let why = "faster than the limit bytes_per_second_max of 1000";
    assert_eq!(peer.hears().await, Frame::close(1008, why));
    assert!(matches!(ends.recv().await, Some(RecvError::Fault(Fault::TooFast { .. }))));
}

/// A client of a server over a pipe, and what the server's handler receives.
async fn received_by(
    server: Server,
    pipe_bytes: usize,
) -> (Peer<DuplexStream>, mpsc::UnboundedReceiver<Message>) {
    let (ours, theirs) = tokio::io::duplex(pipe_bytes);
    let (seen, sees) = mpsc::unbounded_channel();
    let count = |mut socket: WebSocket, _: Request| async move {
        while let Ok(Some(message)) = socket.recv().await {
            seen.send(message).expect("the test listens");
        }
    };
    tokio::spawn(async move { server.serve_over(theirs, Addresses::default(), count).await });
    let mut peer = Peer::new(ours, Role::Client, Duration::from_secs(3600));
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    (peer, sees)
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_arrives_at_once_is_received_at_the_limit_too() {
    let mut rates = RateLimits::default();
    rates.messages_per_second_max = Some(10);
    rates.over = OverRate::Slow;
    let server = Server::builder().rates(rates).build();
    let (mut peer, mut sees) = received_by(server, 64 << 10).await;
    let began = Instant::now();
    peer.sends_bytes(frame(Role::Client, 0x82, [0; 4]).repeat(1000)).await;
    for _ in 0..1000 {
        assert_eq!(sees.recv().await.expect("it was not closed").len(), 4);
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(95)..Duration::from_secs(105)).contains(&took), "{took:?}");
    // It has gone meanwhile, and that is seen now.
    drop(peer);
    assert_eq!(sees.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn who_is_slowed_is_read_at_the_limit_and_not_lost() {
    // Also without pings, which have a timer of their own; and for so long that an unread peer would be lost.
    for interval in [Some(Duration::from_secs(20)), None] {
        let mut rates = RateLimits::default();
        rates.messages_per_second_max = Some(1);
        rates.over = OverRate::Slow;
        let builder = Server::builder().rates(rates);
        let server = builder.keepalive(interval, Duration::from_secs(20)).build();
        // A small pipe: what is not read stays with the peer.
        let (mut peer, mut sees) = received_by(server, 256).await;
        let began = Instant::now();
        for _ in 0..200 {
            peer.sends(0x82, [0; 50]).await;
            // A peer that is read answers pings; here it says nothing but messages.
        }
        for _ in 0..200 {
            assert_eq!(sees.recv().await.expect("it was not closed").len(), 50);
        }
        let took = began.elapsed();
        assert!((Duration::from_secs(190)..Duration::from_secs(210)).contains(&took), "{took:?}");
    }
}
