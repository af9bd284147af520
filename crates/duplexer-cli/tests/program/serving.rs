//! What the servers serve at which path, and where they listen.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Running, connect, expect, frame, text};

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
fn pages_and_health_checks_are_served_on_the_same_port() {
    let server = Running::start(&["serve"]);
    for (path, status, holds) in [
        ("/", "200", "<!doctype html>"),
        ("/chat.js", "200", "import"),
        ("/health/live", "200", "ok"),
        ("/health/ready", "200", "ok"),
        ("/nothing", "404", "no such page"),
        ("/rooms/lobby", "426", "upgrade: websocket"),
        ("/echo", "426", "duplexer connect"),
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
fn without_a_command_the_options_are_those_of_serve() {
    let server = Running::start(&["--threads", "1", "--max-message", "10", "--deflate", "off"]);
    let output = connect(&[&server.url("/echo")], b"hi\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("hi\n", Some(0)));
    let output = connect(&[&server.url("/echo")], b"more than ten bytes\n");
    assert!(text(&output.stderr).contains("1009"), "{}", text(&output.stderr));
    let (_, head) = server.open("/echo", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert!(!head.contains("permessage-deflate"), "{head}");
}

#[test]
fn a_server_on_all_addresses_prints_one_that_can_be_opened() {
    for (listen, leads_to) in [("0.0.0.0:0", "127.0.0.1:"), (":0", "127.0.0.1:")] {
        let server = Running::start_at(&["echo"], listen);
        assert!(server.address.starts_with(leads_to), "{listen}: {}", server.address);
        assert!(server.said.contains("all addresses"), "{}", server.said);
        let output = connect(&[&server.url("/")], b"hi\n");
        assert_eq!(text(&output.stdout), "hi\n");
    }
}
