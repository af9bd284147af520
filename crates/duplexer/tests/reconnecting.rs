//! A connection that is opened again when it is lost: which losses are worth another attempt, how long is waited, and that nobody is
//! left waiting. What is sent and received meanwhile is in `reconnecting_messages.rs`.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use duplexer::{
    Client, CloseCode, ConnectError, Decision, LossCause, Message, Reconnect, ReconnectError,
    ReconnectState, Server, WebSocket,
};
use support::{Frame, accept, lab, refuses, until};
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};

/// The answer of a server that refuses.
fn refusal(status: u16, header: &str) -> String {
    format!("HTTP/1.1 {status} No\r\n{header}Content-Length: 0\r\n\r\n")
}

/// The text of a message that is expected.
fn text(received: Result<Option<Message>, ReconnectError>) -> String {
    let message = received.expect("no end").expect("a message");
    message.as_text().expect("a text").to_owned()
}

/// Polls a future once and drops it.
async fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[tokio::test(start_paused = true)]
async fn messages_of_all_connections_come_in_turn_until_a_clean_end() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let script = async {
        let mut first = arrivals.opens().await;
        first.says("one").await;
        first.says("two").await;
        drop(first);
        let mut second = arrivals.opens().await;
        second.says("three").await;
        second.closes(1000, "").await;
        second
    };
    let reading = async {
        for expected in ["one", "two", "three"] {
            assert_eq!(text(feed.recv().await), expected);
        }
        for _ in 0..2 {
            assert_eq!(feed.recv().await.expect("a clean end"), None);
        }
    };
    tokio::join!(reading, script);
    assert!(matches!(feed.state(), ReconnectState::Ended));
}

#[tokio::test(start_paused = true)]
async fn waits_grow_up_to_their_bound_and_the_state_tells_them() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let watching = feed.sender();
    let script = async {
        let mut peer = arrivals.next().await;
        for bound in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000_u128] {
            refuses(peer, &refusal(503, "")).await;
            let refused = Instant::now();
            let mut looking = watching.clone();
            let (attempt, delay) = loop {
                if let ReconnectState::Waiting { attempt, delay, loss } = watching.state() {
                    assert_eq!(loss.status().map(|status| status.as_u16()), Some(503));
                    break (attempt, delay);
                }
                looking.changed().await;
            };
            assert!(delay.as_millis() <= bound, "attempt {attempt}: {delay:?} over {bound} ms");
            peer = arrivals.next().await;
            // A timer of tokio's has a resolution of 1 ms.
            let waited = refused.elapsed();
            assert!(waited >= delay && waited <= delay + Duration::from_millis(2), "{waited:?}");
        }
    };
    tokio::select! {
        received = feed.recv() => panic!("{received:?}"),
        () = script => {}
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_connection_that_lived_long_enough_resets_the_count() {
    for (lived, attempt) in [(9_900, 4), (10_100, 1)] {
        let (builder, mut arrivals) = lab();
        let mut feed = builder.build();
        let mut state = feed.sender();
        let script = async {
            arrivals.refuses(&refusal(500, "")).await;
            arrivals.refuses(&refusal(500, "")).await;
            let peer = arrivals.opens().await;
            tokio::time::sleep(Duration::from_millis(lived)).await;
            drop(peer);
            while !matches!(state.state(), ReconnectState::Waiting { attempt, .. } if attempt != 3)
            {
                state.changed().await;
            }
        };
        tokio::select! {
            received = feed.recv() => panic!("{received:?}"),
            () = script => {}
        }
        let ReconnectState::Waiting { attempt: next, loss, .. } = feed.state() else {
            panic!("{:?}", feed.state())
        };
        assert_eq!(next, attempt, "lived {lived} ms");
        assert!(loss.lived.is_some_and(|found| found.as_millis().abs_diff(lived.into()) < 50));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_code_says_whether_there_is_another_connection() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
        .into_iter()
        .chain([3000, 3003, 3008, 4000, 4999])
    {
        let again = matches!(code, 1001 | 1011..=1014 | 3008);
        let (builder, mut arrivals) = lab();
        let mut feed = builder.build();
        let script = async {
            let mut peer = arrivals.opens().await;
            peer.closes(code, "so").await;
            let closed = peer.hears().await;
            drop(peer);
            let _second = arrivals.opens().await;
            closed
        };
        tokio::select! {
            received = feed.recv() => match received {
                Ok(None) => assert_eq!(code, 1000),
                Err(ReconnectError::Final(loss)) => {
                    assert!(!again && code != 1000, "{code}");
                    assert_eq!(loss.close_code(), Some(CloseCode::from(code)));
                }
                other => panic!("{code}: {other:?}"),
            },
            closed = script => {
                assert!(again, "{code}");
                assert_eq!(closed.close_code(), Some(code));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_protocol_is_not_asked_again() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let script = async {
        let mut peer = arrivals.opens().await;
        peer.sends_bytes([0xff, 0]).await;
        peer
    };
    let (received, _peer) = tokio::join!(feed.recv(), script);
    let Err(ReconnectError::Final(loss)) = received else { panic!("{received:?}") };
    assert!(matches!(loss.cause, LossCause::Failed(_)), "{loss:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_would_be_repeated_is_the_end() {
    for status in [200, 302, 400, 401, 403, 404] {
        let (builder, mut arrivals) = lab();
        let mut feed = builder.build();
        let answer = refusal(status, "Location: /x\r\n");
        let (received, ()) = tokio::join!(feed.recv(), arrivals.refuses(&answer));
        let Err(error @ ReconnectError::Final(_)) = received else { panic!("{received:?}") };
        assert_eq!(error.loss().status().map(|status| status.as_u16()), Some(status));
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        // Asked again, it says the same.
        assert!(matches!(feed.recv().await, Err(ReconnectError::Final(_))));
    }
    let mut wrong = Reconnect::new(Client::default(), "ftp://example.com/");
    let error = wrong.recv().await.expect_err("no WebSocket");
    assert!(matches!(&error.loss().cause, LossCause::Connect(ConnectError::Uri(_))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_within_its_bound() {
    for (header, seconds) in [("7", 7), ("100000", 300), ("soon", 0)] {
        let (builder, mut arrivals) = lab();
        let mut feed = builder.build();
        let script = async {
            arrivals.refuses(&refusal(503, &format!("Retry-After: {header}\r\n"))).await;
            let refused = Instant::now();
            arrivals.next().await;
            refused.elapsed()
        };
        let waited = tokio::select! {
            received = feed.recv() => panic!("{received:?}"),
            waited = script => waited,
        };
        let least = Duration::from_secs(seconds);
        assert!(waited >= least && waited <= least + Duration::from_millis(502), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_failures_in_a_row_are_enough() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.attempts_max(3).build();
    let script = async {
        for _ in 0..3 {
            arrivals.refuses(&refusal(502, "")).await;
        }
    };
    let (received, ()) = tokio::join!(feed.recv(), script);
    let Err(error @ ReconnectError::AttemptsExhausted { attempts_max: 3, .. }) = received else {
        panic!("{received:?}")
    };
    let shown = error.to_string();
    assert!(shown.contains("limit attempts_max") && shown.contains("502"), "{shown}");
    assert!(arrivals.none_is_left());
}

#[tokio::test(start_paused = true)]
async fn the_user_decides_otherwise() {
    let (builder, mut arrivals) = lab();
    let decide = |loss: &duplexer::Loss| match loss.status().map(|status| status.as_u16()) {
        Some(403) => Decision::RetryAfter(Duration::from_secs(60)),
        Some(503) => Decision::Stop,
        _ => loss.decision(),
    };
    let mut feed = builder.decide(decide).build();
    let script = async {
        arrivals.refuses(&refusal(403, "")).await;
        let refused = Instant::now();
        arrivals.refuses(&refusal(503, "")).await;
        assert!(refused.elapsed() >= Duration::from_secs(60));
    };
    let (received, ()) = tokio::join!(feed.recv(), script);
    assert!(matches!(received, Err(ReconnectError::Final(_))), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn an_opener_is_told_what_was_lost_and_may_fail_or_hang() {
    let seen = Arc::new(AtomicU32::new(0));
    let count = seen.clone();
    let builder = Reconnect::builder_with(move |attempt| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            match attempt.number {
                1 => {
                    assert!(attempt.loss.is_none());
                    Err("the token service is down")
                }
                2 => {
                    let loss = attempt.loss.expect("the first one");
                    assert_eq!(loss.to_string(), "the token service is down");
                    std::future::pending::<Result<WebSocket, _>>().await
                }
                _ => {
                    let loss = attempt.loss.expect("the second one");
                    assert!(matches!(loss.cause, LossCause::TimedOut { .. }), "{loss:?}");
                    Err("enough")
                }
            }
        }
    });
    let began = Instant::now();
    let error = builder.attempts_max(3).build().recv().await.expect_err("it fails");
    assert!(error.to_string().ends_with("enough"), "{error}");
    assert!(began.elapsed() >= Duration::from_secs(60), "attempt_timeout");
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_an_attempt_and_a_wait_at_once() {
    for refused in [false, true] {
        let (builder, mut arrivals) = lab();
        let mut feed = builder.build();
        let sender = feed.sender();
        let script = async {
            let held = match refused {
                true => {
                    arrivals.refuses(&refusal(503, "Retry-After: 100\r\n")).await;
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    assert!(matches!(sender.state(), ReconnectState::Waiting { .. }));
                    None
                }
                false => Some(arrivals.next().await),
            };
            let began = Instant::now();
            sender.stop();
            sender.stop();
            (began, held)
        };
        let (received, (began, held)) = tokio::join!(feed.recv(), script);
        assert_eq!(received.expect("a clean end"), None);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(matches!(sender.state(), ReconnectState::Ended));
        if let Some(mut peer) = held {
            peer.hears_head().await;
            peer.hears_end().await;
        }
        assert!(arrivals.none_is_left());
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_closes_an_open_connection() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let sender = feed.sender();
    let script = async {
        let mut peer = arrivals.opens().await;
        // It is open on this side when it has heard something.
        sender.send("hello").await.expect("it is open");
        assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
        sender.stop();
        peer.hears_close(1000).await;
        peer.ends().await;
        peer
    };
    let (received, _peer) = tokio::join!(feed.recv(), script);
    assert_eq!(received.expect("a clean end"), None);
}

#[tokio::test(start_paused = true)]
async fn who_stops_needs_no_runtime() {
    // Without pings no timer is there yet, which would need one.
    let client = Client::builder().keepalive(None, Duration::from_secs(20)).build();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut pipe = Some(ours);
    let mut feed = Reconnect::builder_with(move |_attempt| {
        let (client, pipe) = (client.clone(), pipe.take());
        async move { client.connect_over(pipe.expect("one attempt"), "ws://example.com/").await }
    })
    .build();
    let sender = feed.sender();
    let script = async {
        let (_, mut peer) = accept(theirs).await;
        sender.send("hello").await.expect("it is open");
        assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
        let stopping = sender.clone();
        std::thread::spawn(move || stopping.stop()).join().expect("no panic");
        peer.hears_close(1000).await;
        peer.ends().await;
        peer
    };
    let (received, _peer) = tokio::join!(feed.recv(), script);
    assert_eq!(received.expect("a clean end"), None);
}

#[tokio::test(start_paused = true)]
async fn each_state_is_told_in_turn_to_the_end() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let mut watching = feed.sender();
    assert!(matches!(watching.state(), ReconnectState::Connecting { attempt: 1 }));
    let watched = async {
        let mut seen = Vec::new();
        while let Some(state) = watching.changed().await {
            seen.push(match state {
                ReconnectState::Connecting { attempt } => format!("connecting {attempt}"),
                ReconnectState::Waiting { attempt, .. } => format!("waiting for {attempt}"),
                ReconnectState::Open { connection } => format!("open {connection}"),
                ReconnectState::Ended => "ended".to_owned(),
                other => panic!("{other:?}"),
            });
        }
        seen
    };
    let script = async {
        arrivals.refuses(&refusal(503, "")).await;
        let mut first = arrivals.opens().await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        first.closes(1012, "").await;
        first.hears_or_end().await;
        drop(first);
        let mut second = arrivals.opens().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        second.closes(1000, "").await;
        second
    };
    let (received, seen, _peer) = tokio::join!(feed.recv(), watched, script);
    assert_eq!(received.expect("a clean end"), None);
    let expected = [
        "waiting for 2",
        "connecting 2",
        "open 1",
        "waiting for 1",
        "connecting 1",
        "open 2",
        "ended",
    ];
    assert_eq!(seen, expected);
    assert!(watching.changed().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn closing_says_why_and_dropping_says_going_away() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let (sent, mut peer) = tokio::join!(feed.send("hello"), arrivals.opens());
    sent.expect("it is open");
    assert!(feed.close(CloseCode::ABNORMAL, "").await.is_err(), "1006 is never sent");
    let (closed, ()) = tokio::join!(feed.close(CloseCode::from(4001), "enough"), async {
        assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
        assert_eq!(peer.hears().await, Frame::close(4001, "enough"));
        peer.closes(4001, "enough").await;
        peer.ends().await;
    });
    closed.expect("a code that may be sent");
    assert_eq!(feed.recv().await.expect("a clean end"), None);

    let (builder, mut arrivals) = lab();
    let feed = builder.build();
    let (sent, mut peer) = tokio::join!(feed.send("hello"), arrivals.opens());
    sent.expect("it is open");
    let sender = feed.sender();
    drop(feed);
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    assert_eq!(peer.hears().await.close_code(), Some(1001));
    assert!(matches!(sender.state(), ReconnectState::Ended));
    assert!(sender.send("more").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_does_not_begin_the_attempt_anew() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let script = async {
        arrivals.refuses(&refusal(503, "")).await;
        let mut peer = arrivals.opens().await;
        peer.says("hello").await;
        (peer, arrivals)
    };
    let reading = async {
        loop {
            // Dropped after one poll, over and over.
            let polled = poll_once(feed.recv()).await;
            match polled {
                Poll::Ready(received) => return text(received),
                Poll::Pending => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let (received, (_peer, arrivals)) = tokio::join!(reading, script);
    assert_eq!(received, "hello");
    assert!(arrivals.none_is_left(), "two attempts, and no more");
}

#[tokio::test(start_paused = true)]
async fn an_opener_that_panics_is_asked_again_by_who_polls_next() {
    let mut calls = 0;
    let mut feed = Reconnect::builder_with(move |_| {
        calls += 1;
        assert!(calls > 1, "the first time");
        async { Err::<WebSocket, _>("no") }
    })
    .attempts_max(1)
    .build();
    let sender = feed.sender();
    let waiting = tokio::spawn(async move { sender.send("hello").await });
    assert!(waiting.await.expect_err("it panics").is_panic());
    let error = feed.recv().await.expect_err("it is asked again");
    assert!(error.to_string().ends_with("no"), "{error}");
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let serve = |listener: TcpListener| {
        let server = Server::default();
        let running = server.clone();
        let task = tokio::spawn(async move {
            let greet = |mut socket: WebSocket, _| async move {
                socket.send("hello").await?;
                socket.recv().await.map(drop)?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            };
            running.serve(listener, greet).await
        });
        (server, task)
    };
    let (server, task) = serve(listener);
    let backoff = Duration::from_millis(20);
    let mut feed = Reconnect::builder(Client::default(), format!("ws://{address}/"))
        .backoff(backoff, backoff)
        .build();
    assert_eq!(text(until(feed.recv()).await), "hello");
    // The close is answered while `recv` is polled.
    let restarting = async {
        server.shutdown(Duration::from_secs(5)).await;
        let _ = task.await;
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        serve(listener)
    };
    let (received, (server, _)) = until(async { tokio::join!(feed.recv(), restarting) }).await;
    assert_eq!(text(received), "hello");
    until(feed.close(CloseCode::NORMAL, "")).await.expect("a code that may be sent");
    until(server.shutdown(Duration::from_secs(5))).await;
}
