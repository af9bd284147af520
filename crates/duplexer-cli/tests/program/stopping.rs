//! How signals end servers and conversations.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use duplexer::{CloseCode, WebSocket};

use crate::support::{Running, frame, serve, serve_raw, signal, talking, text};

#[test]
fn a_signal_closes_every_connection_with_1001_and_the_exit_status_is_0() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Running::start(&["serve", "--threads", "2"]);
        let mut clients: Vec<_> = (0..4).map(|_| server.open("/rooms/x", "").0).collect();
        server.signal(signal);
        for client in &mut clients {
            let mut close = [0; 4];
            client.read_exact(&mut close).expect("a Close");
            assert_eq!((close[0], &close[2..]), (0x88, &1001_u16.to_be_bytes()[..]));
            client.write_all(&frame(0x88, &close[2..])).expect("answered");
        }
        assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
    }
}

#[test]
fn a_client_that_never_answers_the_close_does_not_outlast_the_grace() {
    let mut server = Running::start(&["serve", "--grace", "0.2"]);
    let _silent = server.open("/rooms/x", "");
    server.signal("-TERM");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn the_servers_close_ends_connect_with_code_and_reason_shown() {
    let server = Running::start(&["serve", "--grace", "1"]);
    let mut child = talking(&[&server.url("/rooms/x")])
        .stdin(Stdio::null())
        .spawn()
        .expect("the program starts");
    // In the room once it gets what another sends there.
    let (mut other, _) = server.open("/rooms/x", "");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    other.set_nonblocking(true).expect("set");
    let mut line = String::new();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| output.read_line(&mut line));
        while !reading.is_finished() {
            let _ = other.write_all(&frame(0x81, b"there?"));
            std::thread::yield_now();
        }
    });
    assert_eq!(line, "there?\n");
    server.signal("-TERM");
    let ended = child.wait_with_output().expect("it ends");
    let said = text(&ended.stderr);
    assert!(said.contains("closed by the server: 1001 going away"), "{said}");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    for (second, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut server = Running::start(&["serve", "--grace", "600", "--threads", "2"]);
        let (mut silent, _) = server.open("/rooms/x", "");
        server.signal("-TERM");
        // The Close has come: the first signal is being attended to.
        silent.read_exact(&mut [0; 4]).expect("a Close");
        server.signal(second);
        assert_eq!(server.child.wait().expect("it ends").code(), Some(code));
    }
}

#[test]
fn a_signal_closes_a_conversation_with_1001_and_the_status_says_which() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let (closed, ends) = mpsc::channel();
        let url = serve(move |mut socket: WebSocket| {
            let closed = closed.clone();
            async move {
                let _ = socket.send("hello").await;
                let _ = socket.recv().await;
                let _ = closed.send(socket.close_info().expect("it is over").reason.code());
            }
        });
        let mut child = talking(&[&url]).stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("a line");
        signal(&child, name);
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        let code = ends.recv_timeout(Duration::from_secs(20)).expect("it was closed");
        assert_eq!(code, CloseCode::GOING_AWAY);
    }
}

#[test]
fn a_signal_ends_what_is_not_connected_yet() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    let mut child = talking(&[&url]).stdin(Stdio::piped()).spawn().expect("the program starts");
    // It asks, and gets no answer.
    let (mut stream, _) = listener.accept().expect("it connects");
    stream.read_exact(&mut [0; 4]).expect("a request");
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn a_second_signal_ends_a_conversation_whose_close_is_not_answered() {
    let (url, hears) = serve_raw(b"\x81\x02hi");
    let mut child = talking(&[&url]).stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    output.read_line(&mut line).expect("a line");
    let began = Instant::now();
    signal(&child, "-TERM");
    // The Close has come: the first signal is being attended to.
    hears.recv_timeout(Duration::from_secs(20)).expect("a Close");
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(5), "the Close was waited for");
}

#[test]
fn a_server_that_is_stopping_says_so_to_who_had_connected_before() {
    let server = Running::start(&["serve", "--grace", "600", "--threads", "1"]);
    let mut asking = TcpStream::connect(&server.address).expect("it listens");
    asking.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    asking.write_all(b"GET /health/ready HTTP/1.1\r\n").expect("sent");
    // Accepted after the one that asks.
    let (mut member, _) = server.open("/rooms/x", "");
    server.signal("-TERM");
    member.read_exact(&mut [0; 4]).expect("a Close");
    asking.write_all(b"Host: x\r\n\r\n").expect("sent");
    let mut said = String::new();
    asking.read_to_string(&mut said).expect("an answer, and the end");
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    assert!(TcpStream::connect(&server.address).is_err(), "nobody else is let in");
}
