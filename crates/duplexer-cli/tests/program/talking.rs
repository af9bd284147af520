//! Conversations of `duplexer connect`: what is sent, what is awaited, and what the exit status says.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use duplexer::{CloseCode, RecvError, WebSocket};

use crate::support::{Running, connect, serve, serve_raw, talking, text};

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
fn a_message_over_the_limit_fails_with_the_settings_name() {
    let server = Running::start(&["echo", "--max-message", "10", "--deflate", "off"]);
    let output = connect(&[&server.url("/")], b"more than ten bytes\n");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("1009") && said.contains("message_bytes_max of 10 bytes"), "{said}");
}

#[test]
fn more_input_than_any_buffer_holds_comes_back_while_it_is_sent() {
    let server = Running::start(&["echo", "--deflate", "off"]);
    let input = vec![b'x'; 1 << 20];
    let input = [&input[..], b"\n"].concat().repeat(24);
    let output = connect(&[&server.url("/"), "--deflate", "off"], &input);
    assert!(output.stdout == input, "{} bytes", output.stdout.len());
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_answer_that_takes_longer_than_the_one_before_it_is_awaited() {
    let url = serve(|mut socket: WebSocket| async move {
        let (one, two) = (socket.recv().await?, socket.recv().await?);
        socket.send(one.expect("a line")).await.ok();
        // Longer than is waited for more of an answer.
        tokio::time::sleep(Duration::from_millis(900)).await;
        socket.send(two.expect("a line")).await.ok();
        socket.recv().await.map(drop)
    });
    let output = connect(&[&url], b"a\nb\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("a\nb\n", Some(0)));
    assert_eq!(text(&output.stderr), "");
}

/// Answers the first line only.
async fn once(mut socket: WebSocket) -> Result<(), RecvError> {
    if let Some(line) = socket.recv().await? {
        socket.send(line).await.ok();
    }
    while socket.recv().await?.is_some() {}
    Ok(())
}

#[test]
fn answers_that_do_not_come_are_missed_after_the_wait() {
    let url = serve(once);
    let output = connect(&[&url, "--wait", "0.3"], b"a\nb\nc\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("a\n", Some(1)));
    let said = text(&output.stderr);
    assert!(said.contains("no answer to 2 of 3 lines within 300ms"), "{said}");
    let output = connect(&[&url, "--wait", "0"], b"a\nb\nc\n");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn without_a_line_messages_are_awaited_as_long() {
    let url = serve(async |mut socket: WebSocket| {
        socket.send("news").await.ok();
        socket.recv().await.map(drop)
    });
    let output = connect(&[&url, "--wait", "0.3"], b"");
    assert_eq!((text(&output.stdout), output.status.code()), ("news\n", Some(0)));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_wait_may_last_until_the_server_closes() {
    let url = serve(async |mut socket: WebSocket| {
        tokio::time::sleep(Duration::from_millis(900)).await;
        socket.send("late").await.ok();
    });
    let output = connect(&[&url, "--wait", "forever"], b"");
    assert_eq!((text(&output.stdout), output.status.code()), ("late\n", Some(0)));
}

#[test]
fn a_line_that_is_not_utf8_is_named_and_the_others_are_answered() {
    let server = Running::start(&["echo"]);
    let output = connect(&[&server.url("/")], b"one\n\xff\nthree\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("one\nthree\n", Some(1)));
    let said = text(&output.stderr);
    assert!(said.contains("line 2") && said.contains("--binary"), "{said}");
}

#[test]
fn input_that_is_all_refused_is_no_reason_to_wait() {
    let server = Running::start(&["echo"]);
    let began = Instant::now();
    let output = connect(&[&server.url("/"), "--wait", "600"], b"\xff\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("", Some(1)));
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn more_of_the_last_answer_is_awaited_for_a_moment_only() {
    let url = serve(async |mut socket: WebSocket| {
        socket.recv().await?;
        socket.send("one").await.ok();
        socket.send("two").await.ok();
        socket.recv().await.map(drop)
    });
    let began = Instant::now();
    let output = connect(&[&url, "--wait", "600"], b"a\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("one\ntwo\n", Some(0)));
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn lines_may_be_binary_messages() {
    let server = Running::start(&["echo"]);
    let output = connect(&[&server.url("/"), "--binary"], b"a\n\xff\0\r\n");
    assert_eq!((&output.stdout[..], output.status.code()), (&b"a\xff\0\r"[..], Some(0)));
}

#[test]
fn a_close_without_a_code_is_clean_and_called_so() {
    let (url, _) = serve_raw(b"\x88\0");
    let output = connect(&[&url], b"a\n");
    assert_eq!(text(&output.stderr), "closed by the server without a code\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_close_with_an_applications_code_fails() {
    let url = serve(async |mut socket: WebSocket| {
        socket.close(CloseCode::from(4001), "it's \"über\"\u{1b}[31m").await.ok();
    });
    let output = connect(&[&url], b"");
    let said = text(&output.stderr);
    assert!(said.starts_with("closed by the server: 4001: it's \"über\"\\u{1b}[31m"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_message_over_the_own_limit_names_the_option() {
    let server = Running::start(&["echo"]);
    let output = connect(&[&server.url("/"), "--max-message", "1k"], &[b'x'; 1025]);
    let said = text(&output.stderr);
    assert!(said.contains("larger than the 1024 bytes that --max-message allows"), "{said}");
    assert_eq!((&output.stdout[..], output.status.code()), (&b""[..], Some(1)));
    let output = connect(&[&server.url("/"), "--max-message", "1k"], &[b'x'; 1024]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_conversation_well() {
    let url = serve(async |mut socket: WebSocket| {
        while socket.send("tick").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let mut child = talking(&[&url]).stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    output.read_line(&mut line).expect("a line");
    drop(output);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((text(&ended.stderr), ended.status.code()), ("", Some(0)));
}
