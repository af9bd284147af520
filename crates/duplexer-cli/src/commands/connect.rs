//! `duplexer connect`: a terminal's or a pipe's end of a WebSocket.

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use duplexer::{Client, CloseCode, CloseInfo, End, Message, RecvError, WebSocket};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::arguments::Connect;

/// Runs until the input is answered, the server closes, or a signal comes.
pub(crate) fn run(options: &Connect) -> Result<ExitCode, Box<dyn Error>> {
    let mut client =
        Client::builder().deflate(options.wire.deflate()).limits(options.wire.limits());
    for header in &options.headers {
        client = client.header(header.name.clone(), header.value.clone());
    }
    for name in &options.subprotocols {
        client = client.subprotocol(name);
    }
    let client = client.build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = client.connect(&options.url).await?;
        if io::stderr().is_terminal() {
            let with = socket.subprotocol().map(|name| format!(" ({name})")).unwrap_or_default();
            eprintln!("connected to {}{with}; Ctrl-D ends", options.url);
        }
        converse(socket, options.wait).await
    })
}

/// How a conversation came to its end on this side.
enum Ended {
    /// The server closed, or the connection was lost.
    Closed(Result<(), RecvError>),
    /// The input has been answered, or nothing came any more.
    Answered,
    /// A line of the input cannot be sent.
    BadInput(io::Error),
    Interrupted,
}

async fn converse(mut socket: WebSocket, wait: Duration) -> Result<ExitCode, Box<dyn Error>> {
    let ended = exchange(&mut socket, wait).await?;
    match ended {
        Ended::Closed(outcome) => {
            let clean = outcome.is_ok();
            match (outcome, socket.close_info()) {
                (Ok(()) | Err(RecvError::Closed(_)), Some(info)) => {
                    eprintln!("{}", describe(&info))
                }
                (Ok(()), None) => {}
                (Err(error), _) => eprintln!("duplexer: {error}"),
            }
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Ended::Answered => {
            socket.close(CloseCode::NORMAL, "").await?;
            Ok(ExitCode::SUCCESS)
        }
        Ended::BadInput(error) => {
            socket.close(CloseCode::NORMAL, "").await?;
            Err(format!("cannot read the input: {error}").into())
        }
        Ended::Interrupted => {
            socket.close(CloseCode::GOING_AWAY, "").await?;
            Ok(ExitCode::from(EXIT_INTERRUPTED))
        }
    }
}

fn describe(info: &CloseInfo) -> String {
    match info.initiator {
        End::Remote => format!("closed by the server: {}", info.reason),
        End::Local => format!("closed: {}", info.reason),
    }
}

/// Passes lines out and messages in.
async fn exchange(socket: &mut WebSocket, wait: Duration) -> Result<Ended, Box<dyn Error>> {
    let mut lines = read_lines();
    let mut input_open = true;
    let mut sent = 0_u64;
    let mut unanswered = false;
    // Once the input has ended: when to stop waiting.
    let mut until = Instant::now();
    loop {
        let waiting = !input_open && sent > 0;
        tokio::select! {
            line = lines.recv(), if input_open => match line {
                Some(Ok(line)) => {
                    sent += 1;
                    unanswered = true;
                    // If the server has closed meanwhile, what it said is read next.
                    let _ = socket.send(line).await;
                }
                Some(Err(error)) => return Ok(Ended::BadInput(error)),
                None => {
                    input_open = false;
                    until = Instant::now() + if unanswered { wait } else { QUIET };
                }
            },
            received = socket.recv() => match received {
                Ok(Some(message)) => {
                    unanswered = false;
                    until = Instant::now() + QUIET;
                    print(&message)?;
                }
                Ok(None) => return Ok(Ended::Closed(Ok(()))),
                Err(error) => return Ok(Ended::Closed(Err(error))),
            },
            () = tokio::time::sleep_until(until), if waiting => return Ok(Ended::Answered),
            _ = tokio::signal::ctrl_c() => return Ok(Ended::Interrupted),
        }
    }
}

/// Reads standard input on a thread of its own: a read there cannot be cancelled, and the process ends without it.
fn read_lines() -> mpsc::Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let bad = line.is_err();
            if sender.blocking_send(line).is_err() || bad {
                return;
            }
        }
    });
    receiver
}

fn print(message: &Message) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match message {
        Message::Text(text) => writeln!(output, "{text}")?,
        Message::Binary(bytes) if output.is_terminal() => {
            writeln!(output, "[{} bytes of binary data]", bytes.len())?;
        }
        Message::Binary(bytes) => output.write_all(bytes)?,
    }
    output.flush()
}

/// After an answer, how long more of it is awaited once the input has ended.
const QUIET: Duration = Duration::from_millis(500);
/// Lines read ahead of the connection.
const LINES_AHEAD: usize = 16;
/// As shells report a program that Ctrl-C has ended.
const EXIT_INTERRUPTED: u8 = 130;
