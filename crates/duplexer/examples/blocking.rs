//! Without async: `cargo run -p duplexer --example blocking --features blocking -- ws://127.0.0.1:9001/ hello`.

use std::error::Error;
use std::time::Duration;

use duplexer::{CloseCode, Message, blocking};

/// Asks a server one thing, from a plain thread; waits at most 10 s for the answer.
pub fn ask(uri: &str, question: &str) -> Result<Option<Message>, Box<dyn Error>> {
    let mut socket = blocking::connect(uri)?;
    socket.send(question)?;
    let answer = socket.recv_timeout(Duration::from_secs(10))?;
    socket.close(CloseCode::NORMAL, "")?;
    Ok(answer)
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let uri = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:9001/".to_owned());
    let question = arguments.next().unwrap_or_else(|| "hello".to_owned());
    // What `main` returns is shown by `Debug`; people read `Display`.
    match ask(&uri, &question).map_err(|error| error.to_string())? {
        Some(answer) => println!("{answer:?}"),
        None => println!("closed without an answer"),
    }
    Ok(())
}
