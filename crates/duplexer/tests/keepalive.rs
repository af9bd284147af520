//! Whether the peer is still there (RFC 6455 §5.5.2, §5.5.3): pings that are sent unasked and those that are asked for, and
//! when a peer is given up. On a paused clock.

mod support;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use duplexer::{Client, CloseCode, End, PingError, RecvError, SendError, WebSocket};
use futures_util::FutureExt;
use support::{Frame, Peer, client, client_with, until};
use tokio::io::DuplexStream;
use tokio::task::coop;
use tokio::time::{Duration, Instant, sleep};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A client with a ping every `interval`, answered within `timeout`.
async fn client_pinging(
    interval: Option<Duration>,
    timeout: Duration,
) -> (WebSocket, Peer<DuplexStream>) {
    let client = Client::builder().keepalive(interval, timeout).build();
    client_with(&client, "", 4 << 20).await
}

/// Uses up all that the running task may do before it must let others run.
async fn out_of_turns() {
    poll_fn(|cx| {
        while coop::has_budget_remaining() {
            if let Poll::Ready(turn) = coop::poll_proceed(cx) {
                turn.made_progress();
            }
        }
        Poll::Ready(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_at_20_s_and_lost_at_40_s() {
    let (mut socket, mut peer) = client().await;
    let began = Instant::now();
    let heard = async {
        let ping = peer.hears().await;
        assert_eq!((began.elapsed(), ping.first), (seconds(20), 0x89));
        peer.hears_end().await;
    };
    let (end, ()) = tokio::join!(socket.recv(), heard);
    assert!(matches!(end, Err(RecvError::PeerLost)), "{end:?}");
    assert_eq!(began.elapsed(), seconds(40));
    let info = socket.close_info().expect("it has ended");
    assert_eq!((info.initiator, info.reason.code()), (End::Remote, CloseCode::ABNORMAL));
    assert!(matches!(socket.recv().await, Err(RecvError::PeerLost)), "the same again");
}

#[tokio::test(start_paused = true)]
async fn whoever_says_anything_is_not_lost() {
    let (mut socket, mut peer) = client().await;
    let talking = async {
        for _ in 0..20 {
            sleep(seconds(19)).await;
            peer.sends(0x8a, "unasked").await;
        }
        peer.says("still here").await;
    };
    let (received, ()) = tokio::join!(socket.recv(), talking);
    assert_eq!(received.expect("open"), Some("still here".into()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_kept_for_ever() {
    let (mut socket, mut peer) = client().await;
    let answering = async {
        for n in 1..=1000 {
            let ping = peer.hears().await;
            assert_eq!(ping.first, 0x89, "ping {n}");
            peer.sends(0x8a, &ping.payload).await;
        }
        peer.says("still here").await;
    };
    let (received, ()) = tokio::join!(socket.recv(), answering);
    assert_eq!(received.expect("open"), Some("still here".into()));
    assert_eq!(socket.rtt(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn interval_and_timeout_are_settings() {
    let (mut socket, _peer) = client_pinging(Some(seconds(3)), seconds(7)).await;
    let began = Instant::now();
    assert!(matches!(socket.recv().await, Err(RecvError::PeerLost)));
    assert_eq!(began.elapsed(), seconds(10));
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_nobody_is_pinged_or_lost() {
    let (mut socket, mut peer) = client_pinging(None, seconds(20)).await;
    tokio::select! {
        end = socket.recv() => panic!("{end:?}"),
        frame = peer.hears() => panic!("{frame:?}"),
        () = sleep(seconds(3000)) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_owner_does_not_take_a_peer_that_has_answered_for_lost() {
    let (mut socket, mut peer) = client().await;
    tokio::select! {
        end = socket.recv() => panic!("{end:?}"),
        ping = peer.hears() => peer.sends(0x8a, &ping.payload).await,
    }
    sleep(seconds(600)).await;
    let began = Instant::now();
    let answering = async {
        let ping = peer.hears().await;
        assert_eq!((began.elapsed(), ping.first), (Duration::ZERO, 0x89));
        sleep(seconds(19)).await;
        peer.says("still here").await;
    };
    let (received, ()) = tokio::join!(socket.recv(), answering);
    assert_eq!(received.expect("open"), Some("still here".into()));
}

#[tokio::test(start_paused = true)]
async fn a_busy_owner_finds_out_at_once_about_a_peer_that_has_not_answered() {
    let (mut socket, mut peer) = client().await;
    tokio::select! {
        end = socket.recv() => panic!("{end:?}"),
        ping = peer.hears() => assert_eq!(ping.first, 0x89),
    }
    sleep(seconds(600)).await;
    let began = Instant::now();
    assert!(matches!(socket.recv().await, Err(RecvError::PeerLost)));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_owner_without_turns_does_not_take_a_peer_that_has_answered_for_lost() {
    // Tokio lets a task that has done much read nothing more before it has yielded, whatever has arrived.
    let (mut socket, mut peer) = client().await;
    tokio::select! {
        end = socket.recv() => panic!("{end:?}"),
        ping = peer.hears() => peer.sends(0x8a, &ping.payload).await,
    }
    sleep(seconds(600)).await;
    let received = tokio::spawn(async move {
        out_of_turns().await;
        socket.recv().await
    });
    let ping = peer.hears().await;
    assert_eq!(ping.first, 0x89);
    peer.says("still here").await;
    assert_eq!(until(received).await.expect("no panic").expect("open"), Some("still here".into()));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_also_for_an_owner_that_first_waits_without_turns() {
    let (mut socket, _peer) = client().await;
    let began = Instant::now();
    let received = tokio::spawn(async move {
        out_of_turns().await;
        socket.recv().await
    });
    let end = tokio::time::timeout(seconds(3000), received).await.expect("it is noticed");
    assert!(matches!(end.expect("no panic"), Err(RecvError::PeerLost)));
    assert_eq!(began.elapsed(), seconds(40));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_lost_while_sending_too() {
    let (mut socket, _peer) = client_with(&Client::default(), "", 1024).await;
    let began = Instant::now();
    let sent = socket.send(vec![0; 100_000]).await;
    assert!(matches!(sent, Err(SendError::PeerLost)), "{sent:?}");
    let info = socket.close_info().expect("it has ended");
    assert_eq!((began.elapsed(), info.reason.code()), (seconds(40), CloseCode::ABNORMAL));
}

#[tokio::test(start_paused = true)]
async fn ping_measures_the_round_trip() {
    let (mut socket, mut peer) = client().await;
    assert_eq!(socket.rtt(), None);
    let answering = async {
        let ping = peer.hears().await;
        assert_eq!(ping.first, 0x89);
        sleep(Duration::from_millis(120)).await;
        peer.sends(0x8a, &ping.payload).await;
    };
    let (rtt, ()) = tokio::join!(socket.ping(), answering);
    assert_eq!(rtt, Ok(Duration::from_millis(120)));
    assert_eq!(socket.rtt(), Some(Duration::from_millis(120)));
}

#[tokio::test(start_paused = true)]
async fn ping_takes_no_other_pong_for_its_own() {
    // RFC 6455 §5.5.3: "A Pong frame sent in response to a Ping frame must have identical 'Application data'".
    let (mut socket, mut peer) = client().await;
    let mut ping = pin!(socket.ping());
    assert_eq!(ping.as_mut().now_or_never(), None);
    let sent = peer.hears().await;
    let mut next = sent.payload.clone();
    *next.last_mut().expect("it has a payload") += 1;
    for other in [&b""[..], b"unasked", &next, &[0; 8], &[0xff; 125]] {
        peer.sends(0x8a, other).await;
    }
    assert_eq!(ping.as_mut().now_or_never(), None);
    peer.sends(0x8a, &sent.payload).await;
    assert_eq!(ping.now_or_never(), Some(Ok(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn a_pong_answers_all_pings_before_it() {
    // RFC 6455 §5.5.3: an endpoint "MAY elect to send a Pong frame for only the most recently processed Ping frame."
    let (socket, mut peer) = client().await;
    let (sender, _receiver) = socket.split();
    let (mut one, mut two) = (pin!(sender.ping()), pin!(sender.ping()));
    assert_eq!(one.as_mut().now_or_never(), None);
    assert_eq!(two.as_mut().now_or_never(), None);
    peer.hears().await;
    let last = peer.hears().await;
    peer.sends(0x8a, &last.payload).await;
    assert!(tokio::join!(one, two).0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_times_out_leaves_the_socket_usable() {
    let (mut socket, mut peer) = client_pinging(None, seconds(4)).await;
    let began = Instant::now();
    assert_eq!(socket.ping().await, Err(PingError::TimedOut));
    assert_eq!(began.elapsed(), seconds(4));
    let late = peer.hears().await;
    peer.sends(0x8a, &late.payload).await;
    peer.says("hello").await;
    assert_eq!(socket.recv().await.expect("open"), Some("hello".into()));
    socket.send("hello yourself").await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello yourself"));
    let answering = async {
        let ping = peer.hears().await;
        peer.sends(0x8a, &ping.payload).await;
    };
    assert!(tokio::join!(socket.ping(), answering).0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_ping_ends_with_the_connection() {
    let (mut socket, mut peer) = client().await;
    let closing = async {
        peer.hears().await;
        peer.closes(1000, "").await;
        peer.ends().await;
    };
    let (ping, ()) = tokio::join!(socket.ping(), closing);
    assert_eq!(ping, Err(PingError::Closed));
    assert_eq!(socket.recv().await.expect("a clean end"), None);
    assert_eq!(socket.ping().await, Err(PingError::Closed));
}

#[tokio::test(start_paused = true)]
async fn ping_reads_past_waiting_messages_and_keeps_them() {
    let (mut socket, mut peer) = client().await;
    let answering = async {
        let ping = peer.hears().await;
        peer.says("one").await;
        peer.sends(0x02, "tw").await;
        peer.sends(0x80, "o").await;
        peer.sends(0x01, "thr").await;
        peer.sends(0x8a, &ping.payload).await;
        peer.sends(0x80, "ee").await;
    };
    assert!(tokio::join!(socket.ping(), answering).0.is_ok());
    assert_eq!(socket.recv().await.expect("open"), Some("one".into()));
    assert_eq!(socket.recv().await.expect("open"), Some(b"two".into()));
    assert_eq!(socket.recv().await.expect("open"), Some("three".into()));
}

#[tokio::test(start_paused = true)]
async fn ping_holds_a_mebibyte_at_most_and_nothing_is_lost_behind_it() {
    // 64 bytes are charged for each message.
    for (count, answered) in [((1 << 20) / 1064, true), ((1 << 20) / 1064 + 1, false)] {
        let (mut socket, mut peer) = client_pinging(None, seconds(4)).await;
        let answering = async {
            let ping = peer.hears().await;
            for n in 0..count {
                peer.sends(0x82, [&u32::to_be_bytes(n)[..], &[0; 996]].concat()).await;
            }
            peer.sends(0x8a, &ping.payload).await;
        };
        let (ping, ()) = tokio::join!(socket.ping(), answering);
        assert_eq!(ping.is_ok(), answered, "{count} messages");
        for n in 0..count {
            let message = socket.recv().await.expect("open").expect("a message");
            assert_eq!((&message.as_bytes()[..4], message.len()), (&n.to_be_bytes()[..], 1000));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_what_ping_holds_is_received_afterwards() {
    let (mut socket, mut peer) = client_pinging(None, seconds(4)).await;
    let large = vec![7; 3 << 20];
    let answering = async {
        let ping = peer.hears().await;
        let bytes = [peer.frame(0x82, &large), peer.frame(0x8a, &ping.payload)].concat();
        peer.sends_bytes(bytes).await;
    };
    let (ping, ()) = tokio::join!(socket.ping(), answering);
    assert_eq!(ping, Err(PingError::TimedOut), "the pong cannot be seen");
    assert_eq!(socket.recv().await.expect("open"), Some(large.into()));
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_nobody_asked_for_can_be_sent() {
    let (mut socket, mut peer) = client().await;
    socket.pong(b"heartbeat").expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x8a, "heartbeat"));
    assert!(socket.pong(&[0; 126]).is_err());
}
