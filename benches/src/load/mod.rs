//! The load generator: opens connections, sends prepared frames, checks or counts what comes back, and reads from `/proc`
//! what that cost the server. An address and a process id in, figures out.
//!
//! It is not the library under test and shares nothing with it. Everything is bounded in count and in time.

mod account;
mod client;
mod crowd;
mod deadline;
mod deflate;
mod dialogue;
mod echo;
mod fanout;
mod frames;
mod idle;
mod latency;
mod opening;
mod place;
mod sample;
mod script;
mod speech;
mod stream;
mod talk;
mod trust;
mod watch;
mod witness;

pub use account::resident_bytes;
pub use client::{ClientSide, Direction};
pub use deadline::Deadline;
pub use deflate::Takeover;
pub use echo::Echo;
pub use fanout::FanOut;
pub use idle::Idle;
pub use latency::Latency;
pub use opening::{ACCEPT, Openings, request_to};
pub use place::{pin_to, pin_to_all, raise_file_limit};
pub use sample::{Latencies, Reply, Sample, Target};
pub use script::Script;
pub use speech::Words;
pub use talk::Talk;
pub use witness::Witness;
