//! A client for threads (feature `blocking`): the same sockets, with calls that wait instead of futures.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! let mut socket = duplexer::blocking::connect("ws://127.0.0.1:9001/")?;
//! socket.send("hello")?;
//! let answer = socket.recv_timeout(Duration::from_secs(5))?;
//! println!("{answer:?}");
//! # Ok(())
//! # }
//! ```
//!
//! **Two threads** may use a socket at once: [`WebSocket::split`] gives a [`Sender`], which can be cloned, and a [`Receiver`].
//!
//! **The runtime** is one for the whole process: a thread `duplexer-blocking`, started with the first connection and kept to the end of
//! the process. It waits for the network and for time; the work of a call is done in the thread that calls. It also looks at every open socket once a
//! second, so that pings are answered and a lost peer is noticed while no thread uses the socket. It keeps no process from
//! ending, and knows nothing of what a `fork` copies: connect behind it.
//!
//! **Inside an async runtime** these calls work, and block the thread like any other call that waits: other tasks of that thread stand still meanwhile.
//! There, use [`spawn_blocking`](tokio::task::spawn_blocking), or the futures of [`crate::WebSocket`].

mod client;
mod halves;
mod runtime;
mod socket;

pub use client::{Client, connect};
pub use halves::{Receiver, RecvTimeoutError, Sender};
pub use socket::WebSocket;
