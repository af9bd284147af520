//! The program as its users run it: started as a process, spoken to over its standard streams and over TCP, judged by what it
//! prints and by its exit status.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A server of ours on a port that was free, ended when dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = program()
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let (_, from) = line.split_once("//").expect("an address");
        let address = from.split('/').next().expect("an address").to_owned();
        Self { child, address }
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// A raw connection that has been opened at `path`; returns the response's head, too.
    fn open(&self, path: &str, headers: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n",
            self.address
        )
        .expect("written");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        (stream, String::from_utf8(head).expect("ASCII"))
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_duplexer"));
    program.env_remove("RUST_LOG");
    program
}

/// Runs `duplexer connect` with this input.
fn connect(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = program()
        .arg("connect")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A client's frame under the key zero, which masks nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("short");
    [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
}

fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).expect("a frame");
    assert_eq!(got, bytes);
}

#[test]
fn a_piped_line_is_answered_and_the_exit_status_is_0() {
    let server = Running::start(&["serve"]);
    let output = connect(&[&server.url("/echo")], b"hi\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("hi\n", Some(0)));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn many_lines_and_a_last_one_without_an_end_are_answered_in_order() {
    let server = Running::start(&["echo", "--deflate", "takeover"]);
    let input = (0..5000).map(|i| format!("line {i}\n")).collect::<String>() + "the last";
    let output = connect(&[&server.url("/any"), "--deflate", "takeover"], input.as_bytes());
    assert!(text(&output.stdout) == input + "\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_one_sends_to_a_room_the_others_receive() {
    let server = Running::start(&["serve"]);
    let (mut ann, head) = server.open("/rooms/caf%C3%A9", "Sec-WebSocket-Protocol: chat\r\n");
    assert!(head.contains("\r\nSec-WebSocket-Protocol: chat\r\n"), "{head}");
    let (mut bob, head) = server.open("/rooms/caf%c3%a9", "");
    assert!(!head.contains("Sec-WebSocket-Protocol"), "{head}");
    let (mut eve, _) = server.open("/rooms/other", "");
    // Who is answered is in the room.
    bob.write_all(&frame(0x89, b"?")).expect("sent");
    expect(&mut bob, b"\x8a\x01?");
    ann.write_all(&frame(0x81, b"hello")).expect("sent");
    expect(&mut bob, b"\x81\x05hello");
    bob.write_all(&frame(0x82, b"\0\xff")).expect("sent");
    // Ann gets Bob's bytes and not her own text; the other room gets nothing.
    expect(&mut ann, b"\x82\x02\0\xff");
    eve.write_all(&frame(0x89, b"?")).expect("sent");
    expect(&mut eve, b"\x8a\x01?");
}

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
    let child = program()
        .args(["connect", &server.url("/rooms/x"), "-vv"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // In the room once it gets what another sends there.
    let (mut other, _) = server.open("/rooms/x", "");
    let mut child = child;
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
fn a_message_over_the_limit_fails_with_the_settings_name() {
    let server = Running::start(&["echo", "--max-message", "10", "--deflate", "off"]);
    let output = connect(&[&server.url("/")], b"more than ten bytes\n");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("1009") && said.contains("message_bytes_max of 10 bytes"), "{said}");
}

#[test]
fn pages_and_health_checks_are_served_on_the_same_port() {
    let server = Running::start(&["serve"]);
    for (path, status, holds) in [
        ("/", "200", "<!doctype html>"),
        ("/chat.js", "200", "import"),
        ("/health/live", "200", "ok"),
        ("/health/ready", "200", "ok"),
        ("/nothing", "404", "no such page"),
    ] {
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {response}");
        assert!(response.contains(holds), "{path}: {response}");
    }
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let server = Running::start(&["serve"]);
    let taken = server.address.clone();
    for (arguments, says) in [
        (vec!["connect", "http//nothing"], "ws://"),
        (vec!["connect", "wss://127.0.0.1:1/"], "wss://"),
        (vec!["connect", "ws://127.0.0.1:1/"], "cannot connect to 127.0.0.1:1"),
        (vec!["connect", "ws://127.0.0.1:1/#part"], "fragment"),
        (vec!["echo", "--listen", &taken], "choose another with --listen"),
        (vec!["echo", "--listen", "nowhere"], "ADDRESS:PORT"),
        (vec!["echo", "--threads", "0"], "1..=1024"),
        (vec!["connect", "ws://x/", "-H", "nocolon"], "Name: value"),
        (vec!["connect", "ws://x/", "--wait", "long"], "number of seconds"),
    ] {
        let output = program().args(&arguments).stdin(Stdio::null()).output().expect("it runs");
        let said = text(&output.stderr);
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    }
    let refused = connect(&[&server.url("/nothing")], b"");
    let said = text(&refused.stderr);
    assert!(said.contains("404") && said.contains("/rooms/NAME"), "{said}");
}
