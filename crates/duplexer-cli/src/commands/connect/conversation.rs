//! The conversation over an open connection: lines out, messages in, and when that is over.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use duplexer::{CloseCode, CloseInfo, End, Message, Receiver, RecvError, Sender, WebSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{Level, debug, enabled, info};

use crate::arguments::Connect;
use crate::commands::connect::explain;
use crate::commands::connect::input::{LineError, read_lines};
use crate::commands::connect::output::Output;
use crate::signals::{Signal, Signals};

/// How a conversation came to its end on this side.
enum Ended {
    /// The server closed, or the connection was lost.
    Closed(Result<(), RecvError>),
    /// The input has ended, and nothing more is awaited.
    Input,
    /// The input has ended, and answers were awaited in vain.
    Unanswered {
        lines: u64,
        answers: u64,
        waited: Duration,
    },
    /// Nobody takes what is printed any more.
    Output(io::Error),
    Signal(Signal),
}

/// Talks until one side has had enough, and closes.
pub(super) async fn converse(
    socket: WebSocket,
    options: &Connect,
    mut signals: Signals,
) -> Result<ExitCode, Box<dyn Error>> {
    let began = Instant::now();
    let (sender, mut receiver) = socket.split();
    let refused = Cell::new(false);
    let lines = send_lines(read_lines(options.binary), &sender, &refused);
    let lines = async { (lines.await, refused.get()) };
    let ended = exchange(lines, &mut receiver, &sender, options, &mut signals).await;
    if let Ended::Unanswered { lines, answers, waited } = ended {
        eprintln!("duplexer: {}", unanswered(lines, answers, waited));
    }
    let code = match &ended {
        Ended::Closed(_) => None,
        Ended::Input | Ended::Unanswered { .. } => Some(CloseCode::NORMAL),
        Ended::Output(_) | Ended::Signal(_) => Some(CloseCode::GOING_AWAY),
    };
    if let Some(code) = code {
        tokio::select! {
            closed = sender.close(code, "") => closed?,
            _ = signals.next() => sender.abort(),
        }
    }
    let info = sender.close_info();
    if let Some(info) = &info {
        let (code, reason) = (info.reason.code(), info.reason.text());
        let (by, lasted) = (who(info), began.elapsed());
        info!(%code, reason, by, ?lasted, round_trip = ?sender.rtt(), "closed");
    }
    let well = match ended {
        Ended::Closed(outcome) => report(outcome, info.as_ref(), options),
        Ended::Input => true,
        Ended::Unanswered { .. } => false,
        // As with other filters, a reader that has seen enough is no failure.
        Ended::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => true,
        Ended::Output(error) => return Err(format!("cannot print: {error}").into()),
        Ended::Signal(signal) => return Ok(signal.exit_code()),
    };
    Ok(if well && !refused.get() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Passes lines out and messages in. `lines` tells in the end how many were sent, and whether some were not.
async fn exchange(
    lines: impl Future<Output = (u64, bool)>,
    receiver: &mut Receiver,
    sender: &Sender,
    options: &Connect,
    signals: &mut Signals,
) -> Ended {
    tokio::pin!(lines);
    let mut output = Output::new();
    // The lines that were sent, once there will be no more of them; and whether there were any at all.
    let mut sent = None;
    let mut spoke = false;
    let mut answers = 0;
    let mut since = Instant::now();
    let mut round_trip = None;
    let mut look = interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let answered = |sent| spoke && answers >= sent;
        let patience = sent.and_then(|sent| patience(answered(sent), options.wait.0));
        tokio::select! {
            (all, refused) = &mut lines, if sent.is_none() => {
                if io::stdin().is_terminal() {
                    return Ended::Input;
                }
                spoke = all > 0 || refused;
                sent = Some(all);
                since = Instant::now();
            }
            received = receiver.recv() => match received {
                Ok(Some(message)) => {
                    debug!(kind = ?message.kind(), bytes = message.len(), "received");
                    answers += 1;
                    tokio::select! {
                        printed = output.print(&message) => match printed {
                            Ok(()) => since = Instant::now(),
                            Err(error) => return Ended::Output(error),
                        },
                        signal = signals.next() => return Ended::Signal(signal),
                    }
                }
                Ok(None) => return Ended::Closed(Ok(())),
                Err(error) => return Ended::Closed(Err(error)),
            },
            signal = signals.next() => return Ended::Signal(signal),
            () = sleep_until(since + patience.unwrap_or_default()), if patience.is_some() => {
                return match (sent, options.wait.0) {
                    (Some(lines), Some(waited)) if answers < lines && !waited.is_zero() => {
                        Ended::Unanswered { lines, answers, waited }
                    }
                    _ => Ended::Input,
                };
            }
            _ = look.tick(), if enabled!(Level::DEBUG) => {
                let now = sender.rtt();
                if now != round_trip {
                    debug!(round_trip = ?now.unwrap_or_default(), "a ping was answered");
                    round_trip = now;
                }
            }
        }
    }
}

/// How long the next message is awaited after the input has ended; `None` for ever.
fn patience(answered: bool, wait: Option<Duration>) -> Option<Duration> {
    match wait {
        Some(wait) if answered => Some(wait.min(QUIET)),
        // Answers are missing, or nothing was asked: what comes is listened to.
        Some(wait) => Some(wait),
        None => None,
    }
}

/// Sends the lines; returns how many, when there are no more.
async fn send_lines(
    mut lines: mpsc::Receiver<Result<Message, LineError>>,
    sender: &Sender,
    refused: &Cell<bool>,
) -> u64 {
    let mut sent = 0;
    while let Some(line) = lines.recv().await {
        match line {
            Ok(message) => {
                debug!(kind = ?message.kind(), bytes = message.len(), "sent");
                if sender.send(message).await.is_err() {
                    // What ended the connection is for the receiving side to say.
                    std::future::pending::<()>().await;
                }
                sent += 1;
            }
            Err(error) => {
                eprintln!("duplexer: {error}");
                refused.set(true);
            }
        }
    }
    sent
}

/// Tells how the server, or the loss of the connection, ended the conversation, and whether that is a good end.
fn report(outcome: Result<(), RecvError>, info: Option<&CloseInfo>, options: &Connect) -> bool {
    match (&outcome, info) {
        (Ok(()) | Err(RecvError::Closed(_)), Some(info)) => {
            let code = info.reason.code();
            match code == CloseCode::NO_STATUS {
                true => eprintln!("closed by the {} without a code", who(info)),
                false => eprintln!("closed by the {}: {}", who(info), info.reason),
            }
        }
        (Ok(()), None) => {}
        (Err(error), _) => {
            eprintln!("duplexer: {}", explain::ending(error, options.wire.max_message));
        }
    }
    outcome.is_ok()
}

fn who(info: &CloseInfo) -> &'static str {
    match info.initiator {
        End::Remote => "server",
        End::Local => "client",
    }
}

fn unanswered(lines: u64, answers: u64, waited: Duration) -> String {
    let hint = "--wait SECONDS waits longer, --wait 0 awaits none";
    match answers {
        0 => format!("no answer within {waited:?}; {hint}"),
        _ => format!("no answer to {} of {lines} lines within {waited:?}; {hint}", lines - answers),
    }
}

/// How long more messages are awaited when each line has had one.
const QUIET: Duration = Duration::from_millis(500);
/// How often is looked whether a ping was answered, where that is logged.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
