//! The load generator: opens connections, sends prepared frames, checks or counts what comes back, and reads from `/proc`
//! what that cost the server. An address and a process id in, figures out.
//!
//! It is not the library under test and shares nothing with it. Everything is bounded in count and in time.

mod account;
mod deadline;
mod echo;
mod idle;
mod opening;
mod place;
mod sample;
mod script;

pub use deadline::Deadline;
pub use echo::Echo;
pub use idle::Idle;
pub use opening::Openings;
pub use place::{pin_to, raise_file_limit};
pub use sample::{Reply, Sample, Target};
pub use script::Script;
