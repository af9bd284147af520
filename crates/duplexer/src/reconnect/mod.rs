//! A connection that is opened again whenever it is lost: how to open one and rules in, messages of all connections in turn out.
//! Knows no transport; keeps nothing that was sent.

mod backoff;
mod builder;
mod calls;
mod cycle;
mod handles;
mod judge;
mod loss;
mod outcome;
mod settings;
mod state;

pub use builder::ReconnectBuilder;
pub use handles::{Reconnect, ReconnectSender};
pub use judge::Decision;
pub use loss::{Loss, LossCause};
pub use outcome::{ReconnectError, ReconnectSendError};
pub use settings::Attempt;
pub use state::ReconnectState;
