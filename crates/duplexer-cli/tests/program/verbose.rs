//! What `-v` and `RUST_LOG` make the program say on standard error.

use std::io::Read;
use std::process::Stdio;

use crate::support::{Running, connect, program, talking, text};

#[test]
fn a_conversation_tells_of_its_opening_its_messages_and_its_end() {
    let server = Running::start(&["echo"]);
    let url = server.url("/");
    let output = connect(&[&url, "-v"], b"hi\n");
    let said = text(&output.stderr);
    assert!(said.contains("open url=") && said.contains("permessage-deflate"), "{said}");
    assert!(said.contains("closed code=1000") && !said.contains("received"), "{said}");
    // No colours where no terminal is.
    assert!(!said.contains('\x1b'), "{said}");
    let output = connect(&[&url, "-vv"], b"hi\n");
    let said = text(&output.stderr);
    assert!(said.contains("received kind=Text bytes=2"), "{said}");
}

#[test]
fn what_is_secret_in_a_url_is_not_told() {
    let server = Running::start(&["echo"]);
    let url = server.url("/echo?token=abc").replace("://", "://me:secret@");
    for option in ["-v", "-vv", "-vvv"] {
        let output = connect(&[&url, option], b"hi\n");
        let said = text(&output.stderr);
        assert!(said.contains(&format!("open url=\"{}\"", server.url("/echo"))), "{said}");
        assert!(!said.contains("abc") && !said.contains("secret"), "{said}");
    }
}

#[test]
fn the_environment_adds_to_it_and_wins() {
    let server = Running::start(&["echo"]);
    let url = server.url("/");
    for (filter, option, says) in [
        ("duplexer=off", "-vv", false),
        ("duplexer=info", "--binary", true),
        ("other=off", "-v", true),
    ] {
        let mut command = talking(&[&url, option, "--wait", "0"]);
        let output = command.env("RUST_LOG", filter).stdin(Stdio::null()).output();
        let output = output.expect("it runs");
        let said = text(&output.stderr);
        assert_eq!(said.contains("closed code=1000"), says, "{filter}: {said}");
    }
}

#[test]
fn a_server_tells_who_came_who_was_refused_who_left_and_how_it_stops() {
    let mut command = program();
    command.args(["serve", "-v", "--grace", "600"]).stderr(Stdio::piped());
    let mut server = Running::start_as(command, "127.0.0.1:0");
    connect(&[&server.url("/echo")], b"hi\n");
    connect(&[&server.url("/nothing")], b"");
    let (mut staying, _) = server.open("/rooms/x", "Sec-WebSocket-Protocol: chat\r\n");
    server.signal("-TERM");
    staying.read_exact(&mut [0; 4]).expect("a Close");
    server.signal("-TERM");
    let mut said = String::new();
    let mut stderr = server.child.stderr.take().expect("piped");
    stderr.read_to_string(&mut said).expect("UTF-8");
    let lines: Vec<_> = said.lines().collect();
    for parts in [
        ["open", "/echo", "permessage-deflate"],
        ["closed", "/echo", "code=1000"],
        ["refused", "path=\"/nothing\"", "status=404"],
        ["open", "/rooms/x", "subprotocol=\"chat\""],
        ["SIGTERM: ", "closing 1 connection,", "600s"],
        ["SIGTERM again: ", "dropping", "1 connection"],
    ] {
        let found = lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?}: {said}");
    }
    assert!(!said.contains('\x1b'), "{said}");
}
