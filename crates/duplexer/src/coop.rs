//! tokio's cooperative budget: so many things it lets one poll of a task do, and then everything is pending until the next. Good for
//! whatever may go on for ever, wrong for what has an end of its own and is done for others.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Does something that waits for nothing, however much the running poll has done already.
pub(crate) fn unconstrained<R>(act: impl FnOnce() -> R) -> R {
    let (mut act, mut done) = (Some(act), None);
    let acted = pin!(tokio::task::unconstrained(poll_fn(|_| {
        done = act.take().map(|act| act());
        Poll::Ready(())
    })));
    let _ = acted.poll(&mut Context::from_waker(Waker::noop()));
    done.expect("a future that is ready at once has run")
}
