//! For the tests of those who use this crate (feature `testing`): connected sockets in memory, and transports that misbehave.
//!
//! **A function that takes a socket** is given one end of a [`pair`]; the test holds the other. No port, no task, no wait:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! async fn greet(socket: &mut duplexer::WebSocket) {
//!     socket.send("hello").await.ok();
//! }
//! let (mut client, mut server) = duplexer::testing::pair();
//! greet(&mut server).await;
//! assert_eq!(client.recv().await.expect("open"), Some("hello".into()));
//! # }
//! ```
//!
//! **A whole server**, with its origins, `authorize` and handler, is served over one end of a pipe:
//! [`Server::serve_over`](crate::Server::serve_over) at one end of [`tokio::io::duplex`],
//! [`Client::connect_over`](crate::Client::connect_over) at the other.
//!
//! **Time**: all deadlines of this crate follow tokio's clock. With `#[tokio::test(start_paused = true)]` (tokio's feature
//! `test-util`) a keepalive of 20 s passes at once, as soon as nothing else is to be done. That goes for transports in memory; a clock that is paused
//! runs ahead of real sockets. A peer that is polled by nobody answers no pings, and is lost after 40 s of a paused clock:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # tokio::time::pause();
//! use duplexer::RecvError;
//! let (mut client, _silent) = duplexer::testing::pair();
//! let error = client.recv().await.expect_err("nobody answers");
//! assert!(matches!(error, RecvError::PeerLost));
//! # }
//! ```
//!
//! **A bad network** is a [`Faulty`] transport under [`Pair::open_over`].

mod faulty;
mod pair;

pub use faulty::{Cut, Faulty};
pub use pair::{Pair, pair};
