//! `events`: every message, control frame and change of state, in the order in which they happened.

mod support;

use std::time::Duration;

use duplexer::{CloseCode, End, Event, MessageKind, RecvError, WebSocket};
use futures_util::{FutureExt, StreamExt};
use support::{Frame, Peer, client};
use tokio::io::DuplexStream;

/// Waits for something on the paused clock, of which keepalives take some, and fails the test when it does not come.
async fn until<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), what).await.expect("it happens in time")
}

/// The next event in a few words.
async fn next(socket: &mut WebSocket) -> String {
    let event = until(socket.events().next()).await;
    event.map_or_else(|| "nothing".to_owned(), |event| words(&event))
}

fn words(event: &Event) -> String {
    match event {
        Event::Open => "open".to_owned(),
        Event::Message(message) => format!("message {}", message.as_text().expect("a text")),
        Event::Ping(payload) => format!("ping {}", payload.escape_ascii()),
        Event::Pong { payload, rtt: None } => format!("pong {}", payload.escape_ascii()),
        Event::Pong { rtt: Some(_), .. } => "pong with a time".to_owned(),
        Event::Closing(info) => format!("closing {:?} {}", info.initiator, info.reason),
        Event::Closed { info, error } => {
            format!("closed {:?} {} {}", info.initiator, info.reason, error.is_none())
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_told_from_its_opening_to_its_end() {
    let (mut socket, mut peer) = client().await;
    assert_eq!(next(&mut socket).await, "open");
    peer.says("one").await;
    peer.sends(0x89, "p").await;
    peer.sends(0x8a, "q").await;
    peer.says("two").await;
    for told in ["message one", "ping p", "pong q", "message two"] {
        assert_eq!(next(&mut socket).await, told);
    }
    // The answer to the ping leaves as this end waits.
    let closing = async {
        assert_eq!(peer.hears().await, Frame::new(0x8a, "p"));
        peer.closes(4000, "enough").await;
    };
    let (told, ()) = tokio::join!(next(&mut socket), closing);
    assert_eq!(told, "closing Remote 4000: enough");
    peer.ends().await;
    assert_eq!(next(&mut socket).await, "closed Remote 4000: enough false");
    assert_eq!(next(&mut socket).await, "nothing");
    assert_eq!(next(&mut socket).await, "nothing");
}

#[tokio::test(start_paused = true)]
async fn events_are_a_stream() {
    let (mut socket, mut peer) = client().await;
    peer.says("one").await;
    peer.closes(1000, "").await;
    peer.ends().await;
    let told: Vec<_> = until(socket.events().map(|event| words(&event)).collect::<Vec<_>>()).await;
    assert_eq!(
        told,
        [
            "open",
            "message one",
            "closing Remote 1000 normal closure",
            "closed Remote 1000 normal closure true"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_waited_past_is_told_in_its_order() {
    // `ping` reads on behind messages for its pong, and keeps them; the control frames between them keep their places.
    let (mut socket, mut peer) = client().await;
    assert_eq!(next(&mut socket).await, "open");
    peer.says("one").await;
    peer.sends(0x89, "p").await;
    peer.says("two").await;
    peer.sends(0x8a, "q").await;
    let answering = async {
        let ping = peer.hears().await;
        assert_eq!(peer.hears().await, Frame::new(0x8a, "p"));
        peer.sends(0x8a, &ping.payload).await;
    };
    let (pinged, ()) = tokio::join!(socket.ping(), answering);
    assert!(pinged.is_ok());
    for told in ["message one", "ping p", "message two", "pong q", "pong with a time"] {
        assert_eq!(next(&mut socket).await, told);
    }
}

#[tokio::test(start_paused = true)]
async fn the_keepalives_pongs_carry_a_time_and_a_lost_peer_is_told() {
    let (mut socket, mut peer) = client().await;
    assert_eq!(next(&mut socket).await, "open");
    let answering = async {
        let ping = peer.hears().await;
        assert_eq!(ping.first, 0x89);
        peer.sends(0x8a, &ping.payload).await;
    };
    let (told, ()) = tokio::join!(next(&mut socket), answering);
    assert_eq!(told, "pong with a time");
    // No Closing: nobody has closed.
    let Some(Event::Closed { info, error: Some(RecvError::PeerLost) }) =
        until(socket.events().next()).await
    else {
        panic!("the peer is silent");
    };
    assert_eq!((info.reason.code(), info.clean), (CloseCode::ABNORMAL, false));
}

#[tokio::test(start_paused = true)]
async fn this_ends_close_is_told_with_what_it_said_and_then_what_was_answered() {
    let (socket, mut peer) = client().await;
    let (sender, mut receiver) = socket.split();
    assert!(matches!(receiver.events().next().await, Some(Event::Open)));
    let closing = tokio::spawn(async move { sender.close(CloseCode::NORMAL, "done").await });
    let answering = async {
        let close = peer.hears().await;
        assert_eq!(close, Frame::close(1000, "done"));
        peer.sends(0x88, &close.payload[..2]).await;
        peer.ends().await;
    };
    let listening = async {
        let mut told = Vec::new();
        while let Some(event) = receiver.events().next().await {
            told.push(words(&event));
        }
        told
    };
    let (told, ()) = tokio::join!(listening, answering);
    assert_eq!(
        told,
        ["closing Local 1000 normal closure: done", "closed Local 1000 normal closure true"]
    );
    until(closing).await.expect("no panic").expect("it may be sent");
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_a_closing_of_this_ends() {
    let (mut socket, mut peer) = client().await;
    assert_eq!(next(&mut socket).await, "open");
    peer.says("fine").await;
    peer.sends(0x83, "reserved opcode").await;
    assert_eq!(next(&mut socket).await, "message fine");
    let Some(Event::Closing(info)) = until(socket.events().next()).await else {
        panic!("the peer broke the protocol");
    };
    assert_eq!((info.initiator, info.reason.code()), (End::Local, CloseCode::PROTOCOL_ERROR));
    peer.ends().await;
    let Some(Event::Closed { error: Some(RecvError::Fault(_)), .. }) =
        until(socket.events().next()).await
    else {
        panic!("the connection failed");
    };
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_kept_in_bounded_memory() {
    let (mut socket, mut peer) = client().await;
    assert_eq!(next(&mut socket).await, "open");
    for n in 0..1000_u16 {
        peer.sends(0x89, n.to_be_bytes()).await;
        // A sender attends to them; nobody asks for events.
        let _ = socket.ready().now_or_never();
        while peer.hears().now_or_never().is_some() {}
    }
    let mut kept = Vec::new();
    while let Some(Some(Event::Ping(payload))) = socket.events().next().now_or_never() {
        kept.push(u16::from_be_bytes(payload[..].try_into().expect("two bytes")));
    }
    assert!(kept.len() <= 64 && kept.last() == Some(&999), "{kept:?}");
    assert!(kept.is_sorted(), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_received_otherwise_do_not_confuse_events() {
    async fn says(peer: &mut Peer<DuplexStream>, n: u8) {
        peer.sends(0x89, [b'p', b'0' + n]).await;
        peer.says(&n.to_string()).await;
    }
    let (mut socket, mut peer) = client().await;
    assert_eq!(next(&mut socket).await, "open");
    for n in 1..=3 {
        says(&mut peer, n).await;
    }
    assert_eq!(socket.recv().await.expect("open"), Some("1".into()));
    let mut reader = socket.recv_stream().await.expect("open").expect("a message");
    assert_eq!(reader.kind(), MessageKind::Text);
    assert_eq!(reader.chunk().await.expect("open").expect("a piece"), "2");
    drop(reader);
    // The pings before and between were seen on the way.
    for told in ["ping p1", "ping p2", "ping p3", "message 3"] {
        assert_eq!(next(&mut socket).await, told);
    }
}
