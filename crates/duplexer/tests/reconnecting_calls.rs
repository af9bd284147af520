//! Calls of a connection that is opened again that are dropped while they wait: nothing of them is kept, and no other call loses
//! its waker with them.

mod support;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use duplexer::{Reconnect, ReconnectSender, ReconnectState};
use support::{Arrivals, answer_to, lab, refuses, until};
use tokio::time::Duration;

/// A task that is never run: it counts how often it is woken, and whoever wakes it holds it.
#[derive(Default)]
struct Task(AtomicU32);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a call once for a task of its own and drops it; tells whether anybody else held the task while it waited, and after.
fn held_by<T>(call: impl Future<Output = T>) -> (bool, bool) {
    let task = Arc::new(Task::default());
    let waker = Waker::from(task.clone());
    let is_held = || Arc::strong_count(&task) > 2;
    let while_it_waited = {
        let mut call = pin!(call);
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        is_held()
    };
    (while_it_waited, is_held())
}

/// Drops a thousand calls of each kind while they wait.
fn a_thousand_leave_nothing(feed: &mut Reconnect, sender: &ReconnectSender) {
    for _ in 0..1000 {
        assert_eq!(held_by(feed.recv()), (true, false));
        assert_eq!(held_by(sender.send("never")), (true, false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_dropped_calls_leave_nothing_while_an_attempt_runs() {
    let (builder, mut arrivals) = lab();
    let mut feed = builder.build();
    let sender = feed.sender();
    a_thousand_leave_nothing(&mut feed, &sender);
    // The attempt went on where it was: it is still the first.
    arrivals.next().await;
    assert!(arrivals.none_is_left());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_dropped_calls_leave_nothing_while_the_next_attempt_is_not_due() {
    let (builder, mut arrivals) = lab();
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    let mut feed = builder.backoff(century, century).build();
    let mut sender = feed.sender();
    let refusing = async {
        let answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        refuses(arrivals.next().await, answer).await;
        while !matches!(sender.state(), ReconnectState::Waiting { .. }) {
            sender.changed().await;
        }
    };
    tokio::select! {
        received = feed.recv() => panic!("{received:?}"),
        () = refusing => {}
    }
    a_thousand_leave_nothing(&mut feed, &sender);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_takes_the_waker_of_no_other_call_of_its_task_along() {
    let (builder, mut arrivals): (_, Arrivals) = lab();
    let mut feed = builder.build();
    let sender = feed.sender();
    let task = Arc::new(Task::default());
    let waker = Waker::from(task.clone());
    let mut cx = Context::from_waker(&waker);
    let mut receiving = pin!(feed.recv());
    assert!(receiving.as_mut().poll(&mut cx).is_pending());
    assert!(pin!(sender.send("never")).poll(&mut cx).is_pending());
    let mut peer = until(arrivals.next()).await;
    let head = peer.hears_head().await;
    task.0.store(0, Ordering::Relaxed);
    peer.sends_bytes(answer_to(&head, "")).await;
    peer.says("hello").await;
    assert_eq!(task.0.load(Ordering::Relaxed), 1, "the call that is left is woken");
    let Poll::Ready(Ok(Some(message))) = receiving.as_mut().poll(&mut cx) else {
        panic!("a message is there")
    };
    assert_eq!(message.as_text(), Some("hello"));
}
