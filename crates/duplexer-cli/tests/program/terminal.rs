//! `duplexer connect` at a terminal, which is a pseudoterminal with the test as its person.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use duplexer::{CloseCode, WebSocket};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{serve, talking, text};

/// A terminal: the end that a person has, and the end that a program has.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("granted");
    unlockpt(&ours).expect("unlocked");
    let name = ptsname(&ours, Vec::new()).expect("a name").into_string().expect("ASCII");
    let theirs = OpenOptions::new().read(true).write(true).open(name).expect("it opens");
    (File::from(ours), theirs)
}

#[test]
fn the_end_of_a_terminals_input_closes_at_once() {
    let (closed, ends) = mpsc::channel();
    let url = serve(move |mut socket: WebSocket| {
        let closed = closed.clone();
        async move {
            // It never answers.
            let line = socket.recv().await.ok().flatten();
            let _ = socket.recv().await;
            let _ = closed.send((line, socket.close_info().expect("it is over").reason.code()));
        }
    });
    let (mut person, theirs) = terminal();
    let child =
        talking(&[&url, "--wait", "600"]).stdin(theirs).spawn().expect("the program starts");
    // A line, and Ctrl-D.
    person.write_all(b"hello\n\x04").expect("typed");
    let began = Instant::now();
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((text(&ended.stderr), ended.status.code()), ("", Some(0)));
    assert!(began.elapsed() < Duration::from_secs(60));
    let closed = ends.recv_timeout(Duration::from_secs(20)).expect("it was closed");
    assert_eq!(closed, (Some("hello".into()), CloseCode::NORMAL));
}
