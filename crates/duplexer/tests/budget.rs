//! The room that all unfinished messages of a server share: who wants more than is left is closed with 1013, and what ends
//! gives its room back.

mod support;

use duplexer::{Fault, RecvError, Request, Server, WebSocket};
use support::{Frame, Peer, host, open, until};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const KIB: usize = 1 << 10;

/// A server that echoes, has this much room, and tells how its connections end.
async fn echoing(
    unfinished_bytes_max: usize,
) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<Result<(), RecvError>>) {
    let server = Server::builder().unfinished_bytes_max(unfinished_bytes_max).build();
    let (end, ends) = mpsc::unbounded_channel();
    let address = host(&server, move |mut socket: WebSocket, _: Request| {
        let end = end.clone();
        async move {
            let ended = loop {
                match socket.recv().await {
                    Ok(Some(message)) => drop(socket.send(message).await),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            let _ = end.send(ended);
        }
    })
    .await;
    (address, ends)
}

/// Begins a message and goes on until the server has it: a ping behind it is answered.
async fn begin(peer: &mut Peer<TcpStream>, bytes: usize) {
    peer.sends(0x02, vec![0; bytes]).await;
    peer.sends(0x89, "got it?").await;
}

#[tokio::test]
async fn who_wants_more_than_is_left_is_1013_and_others_go_on() {
    let (address, mut ends) = echoing(256 * KIB).await;
    let mut first = open(address).await;
    begin(&mut first, 150 * KIB).await;
    assert_eq!(first.hears().await, Frame::new(0x8a, "got it?"));
    let mut second = open(address).await;
    begin(&mut second, 150 * KIB).await;
    let close = loop {
        let frame = second.hears().await;
        if frame.first != 0x8a {
            break frame;
        }
    };
    let why =
        "no room beside other connections' messages (limit unfinished_bytes_max of 262144 bytes)";
    assert_eq!(close, Frame::close(1013, why));
    drop(second);
    let error = until(ends.recv()).await.expect("it ended").expect_err("not by itself");
    assert!(matches!(error, RecvError::Fault(Fault::OutOfMemory { .. })), "{error:?}");
    first.sends(0x80, "").await;
    assert_eq!(first.hears().await.payload.len(), 150 * KIB);
    // What has ended gave its room back, again and again.
    for _ in 0..10 {
        begin(&mut first, 150 * KIB).await;
        assert_eq!(first.hears().await, Frame::new(0x8a, "got it?"));
        first.sends(0x80, "").await;
        assert_eq!(first.hears().await.payload.len(), 150 * KIB);
    }
}

#[tokio::test]
async fn a_connection_that_ends_inside_a_message_gives_its_room_back() {
    let (address, mut ends) = echoing(256 * KIB).await;
    for round in 0..8 {
        let mut peer = open(address).await;
        begin(&mut peer, 150 * KIB).await;
        assert_eq!(peer.hears().await, Frame::new(0x8a, "got it?"), "round {round}");
        if round % 2 == 0 {
            peer.closes(1000, "").await;
            assert_eq!(peer.hears().await.close_code(), Some(1000));
        }
        drop(peer);
        let _ = until(ends.recv()).await.expect("it ended");
    }
}

#[tokio::test]
async fn whole_messages_in_small_frames_take_no_room() {
    let (address, _ends) = echoing(0).await;
    let mut peer = open(address).await;
    for _ in 0..100 {
        peer.says("small").await;
        assert_eq!(peer.hears().await, Frame::new(0x81, "small"));
    }
    peer.sends(0x01, "begun").await;
    assert_eq!(peer.hears().await.close_code(), Some(1013));
}

#[tokio::test]
async fn a_message_read_as_a_stream_takes_no_room() {
    let server = Server::builder().unfinished_bytes_max(0).build();
    let address = host(&server, |mut socket: WebSocket, _: Request| async move {
        let mut len = 0;
        let mut reader = socket.recv_stream().await.expect("open").expect("a message");
        while let Some(bytes) = reader.chunk().await.expect("open") {
            len += bytes.len();
        }
        drop(reader);
        let _ = socket.send(len.to_string()).await;
    })
    .await;
    let mut peer = open(address).await;
    peer.sends(0x02, vec![0; 150 * KIB]).await;
    peer.sends(0x80, vec![0; 150 * KIB]).await;
    assert_eq!(peer.hears().await, Frame::new(0x81, (300 * KIB).to_string()));
}

#[tokio::test]
async fn what_is_held_for_a_busy_handler_takes_room() {
    let server = Server::builder().unfinished_bytes_max(100 * KIB).build();
    let (end, mut ends) = mpsc::unbounded_channel();
    let address = host(&server, move |mut socket: WebSocket, _: Request| {
        let end = end.clone();
        async move {
            // While the pong is awaited, messages are held.
            let _ = socket.ping().await;
            let _ = end.send(socket.recv().await);
        }
    })
    .await;
    let mut peer = open(address).await;
    assert_eq!(peer.hears().await.first, 0x89);
    for _ in 0..3 {
        peer.sends(0x82, vec![0; 40 * KIB]).await;
    }
    assert_eq!(peer.hears().await.close_code(), Some(1013));
    drop(peer);
    let ended = until(ends.recv()).await.expect("it ended");
    assert!(matches!(ended, Err(RecvError::Fault(Fault::OutOfMemory { .. }))), "{ended:?}");
}
