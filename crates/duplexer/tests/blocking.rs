//! The blocking client: calls that wait, from threads, from inside a runtime, with timeouts, and at the end.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use duplexer::blocking::{self, RecvTimeoutError};
use duplexer::{
    Client, CloseCode, ConnectError, Limits, Message, PingError, RecvError, Request, Server,
    TrySendError, WebSocket,
};
use tokio::net::TcpListener;

/// A server on a thread of its own that echoes at every path but these: `/silent` reads nothing and says nothing, `/count` sends
/// three messages and closes, `/together` sends them in one write.
fn server() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            tell.send(listener.local_addr().expect("it is bound")).expect("the test waits");
            // Pings come often, and a client that answers none is lost soon.
            let often = Some(Duration::from_millis(300));
            let server = Server::builder().keepalive(often, Duration::from_secs(4)).build();
            server.serve(listener, handle).await.expect("it serves");
        });
    });
    told.recv_timeout(PATIENCE).expect("it listens")
}

async fn handle(mut socket: WebSocket, request: Request) -> Result<(), RecvError> {
    match request.path() {
        "/silent" => std::future::pending().await,
        "/count" => {
            for n in 1..=3 {
                socket.send(n.to_string()).await.ok();
            }
        }
        "/together" => {
            for n in 1..=3 {
                socket.feed(n.to_string()).await.ok();
            }
            socket.flush().await.ok();
            // Else the close would be part of the write.
            socket.recv().await?;
        }
        _ => {
            while let Some(message) = socket.recv().await? {
                socket.send(message).await.ok();
            }
        }
    }
    Ok(())
}

fn connect(path: &str) -> blocking::WebSocket {
    blocking::connect(format!("ws://{}{path}", server())).expect("it listens")
}

/// Does something in a thread, and fails the test when it does not end.
fn in_time<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(act()).ok());
    told.recv_timeout(PATIENCE).expect("it ends in time, and without a panic")
}

#[test]
fn a_thread_sends_receives_pings_and_closes() {
    in_time(|| {
        let mut socket = connect("/");
        assert!(socket.extensions().starts_with("permessage-deflate"));
        socket.send("hello").expect("it is open");
        assert_eq!(socket.recv().expect("open"), Some("hello".into()));
        socket.send(vec![7; 3 << 20]).expect("it is open");
        assert_eq!(socket.recv().expect("open").map(|message| message.len()), Some(3 << 20));
        let rtt = socket.ping().expect("it answers");
        assert!(socket.rtt().is_some_and(|last| last <= rtt + PATIENCE));
        socket.close(CloseCode::NORMAL, "done").expect("it may be sent");
        assert_eq!(socket.recv().expect("a clean end"), None);
        assert!(!socket.is_open() && socket.send("late").is_err());
    });
}

#[test]
fn messages_that_have_come_are_taken_together() {
    in_time(|| {
        let mut socket = connect("/together");
        let mut messages = vec![Message::from("0")];
        assert_eq!(socket.recv_many(&mut messages, 0).expect("open"), 0);
        assert_eq!(socket.recv_many(&mut messages, 1).expect("open"), 1);
        assert_eq!(socket.recv_many(&mut messages, 64).expect("open"), 2);
        assert_eq!(messages, ["0", "1", "2", "3"].map(Message::from));
        socket.send("done").expect("it is open");
        assert_eq!(socket.recv_many(&mut messages, 64).expect("a clean end"), 0);
    });
}

#[test]
fn an_iterator_ends_with_the_connection() {
    let texts =
        in_time(|| connect("/count").map(|message| message.expect("open")).collect::<Vec<_>>());
    assert_eq!(texts, ["1", "2", "3"].map(Message::from));
}

#[test]
fn a_timeout_leaves_the_connection_as_it_is() {
    in_time(|| {
        let mut socket = connect("/");
        for timeout in [Duration::ZERO, Duration::from_millis(20)] {
            let none = socket.recv_timeout(timeout);
            assert!(
                matches!(none, Err(RecvTimeoutError::TimedOut { after }) if after == timeout),
                "{none:?}"
            );
        }
        socket.send("hello").expect("it is open");
        let heard = socket.recv_timeout(Duration::MAX).expect("in time");
        assert_eq!(heard, Some("hello".into()));
    });
}

#[test]
fn a_send_that_finds_no_room_gives_its_message_back_in_time() {
    in_time(|| {
        let mut limits = Limits::default();
        limits.queue_bytes_high = 1 << 10;
        limits.queue_bytes_low = 0;
        limits.queue_bytes_max = 2 << 10;
        let client = Client::builder().limits(limits).deflate(None).build();
        let url = format!("ws://{}/silent", server());
        let mut socket = blocking::Client::from(client).connect(url).expect("it listens");
        // The system's own buffers take some megabytes first.
        let full = loop {
            match socket.send_timeout(vec![7; 1 << 20], Duration::from_millis(50)) {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(full, TrySendError::Full(message) if message.len() == 1 << 20));
        assert!(socket.buffered_amount() > 0);
        socket.abort();
    });
}

#[test]
fn two_threads_use_the_halves_and_a_close_ends_the_receiver() {
    in_time(|| {
        let (sender, mut receiver) = connect("/").split();
        let hearing = std::thread::spawn(move || {
            let mut heard = 0;
            while receiver.recv().expect("a clean end").is_some() {
                heard += 1;
            }
            heard
        });
        let second = sender.clone();
        let sending = std::thread::spawn(move || {
            for n in 0..500 {
                second.send(format!("second {n}")).expect("it is open");
            }
        });
        for n in 0..500 {
            sender.send(format!("first {n}")).expect("it is open");
        }
        sending.join().expect("no panic");
        // All that was echoed before this pong has arrived.
        sender.ping().expect("it answers");
        sender.close(CloseCode::NORMAL, "").expect("it may be sent");
        let heard = hearing.join().expect("no panic");
        assert!(heard <= 1000, "{heard}");
    });
}

#[test]
fn pings_are_answered_while_no_thread_uses_the_socket() {
    in_time(|| {
        let mut socket = connect("/");
        // The server gives a client up that says nothing for 4 s after a ping.
        std::thread::park_timeout(Duration::from_secs(6));
        socket.send("still here").expect("it is open");
        assert_eq!(socket.recv().expect("open"), Some("still here".into()));
    });
}

#[test]
fn it_works_in_a_task_of_a_runtime() {
    // Often enough for a task's budget, which nothing renews while the thread waits.
    let act = async {
        let mut socket = connect("/");
        for n in 0..400 {
            socket.send(n.to_string()).expect("it is open");
            assert_eq!(socket.recv().expect("open"), Some(n.to_string().into()));
        }
        drop(socket);
    };
    in_time(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async { tokio::spawn(act).await.expect("no panic") });
    });
}

#[test]
fn a_panic_and_a_drop_leave_nothing_waiting() {
    in_time(|| {
        let address = server();
        let url = move || format!("ws://{address}/");
        let panicked = std::thread::spawn(move || {
            let mut socket = blocking::connect(url()).expect("it listens");
            socket.send("hello").expect("it is open");
            panic!("as a user's code may");
        });
        assert!(panicked.join().is_err());
        // Dropped with messages unread, and in another thread than it was made in.
        let mut socket = blocking::connect(url()).expect("it listens");
        socket.send(vec![7; 1 << 20]).expect("it is open");
        std::thread::spawn(move || drop(socket)).join().expect("no panic");
        // The runtime is as it was.
        let mut socket = blocking::connect(url()).expect("it listens");
        socket.send("hello").expect("it is open");
        assert_eq!(socket.recv().expect("open"), Some("hello".into()));
    });
}

#[test]
fn a_server_that_says_nothing_and_one_that_is_not_there_are_errors_in_time() {
    in_time(|| {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = silent.local_addr().expect("it is bound");
        let mut limits = Limits::default();
        limits.open_timeout = Duration::from_millis(100);
        let client = blocking::Client::from(Client::builder().limits(limits).build());
        let began = Instant::now();
        let error = client.connect(format!("ws://{address}/")).expect_err("it is silent");
        assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
        assert!(began.elapsed() >= Duration::from_millis(100));
        drop(silent);
        assert!(client.connect(format!("ws://{address}/")).is_err());
    });
}

#[test]
fn a_ping_to_a_connection_that_was_aborted_is_an_error() {
    in_time(|| {
        let mut socket = connect("/");
        socket.abort();
        assert_eq!(socket.ping(), Err(PingError::Closed));
        assert!(matches!(socket.recv(), Err(RecvError::Aborted)));
    });
}

/// How long a thing is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
