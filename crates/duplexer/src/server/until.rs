//! A deadline for what is mostly done at once. Knows nothing of what that is.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use crate::coop;

pin_project! {
    /// As `timeout_at` of tokio, with a timer that is made once there is something to wait for: to make and drop one costs some
    /// of what an opening does. `None` where the time was over first.
    pub(crate) struct Until<F> {
        #[pin]
        future: F,
        by: Instant,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F> Until<F> {
    pub(crate) const fn new(by: Instant, future: F) -> Self {
        Self { future, by, timer: None }
    }
}

impl<F: Future> Future for Until<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        let by = *this.by;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
        // What has used up the budget of its task is not kept from its deadline.
        coop::unconstrained(|| timer.as_mut().poll(cx)).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_time_is_told_and_what_is_not_ends_at_the_deadline() {
        let by = Instant::now() + Duration::from_secs(3);
        assert_eq!(Until::new(by, ready(1)).await, Some(1));
        let sooner = async { tokio::time::sleep(Duration::from_secs(1)).await };
        assert_eq!(Until::new(by, sooner).await, Some(()));
        assert_eq!(Until::new(by, pending::<()>()).await, None);
        assert_eq!(Instant::now(), by);
    }

    #[tokio::test(start_paused = true)]
    async fn who_uses_up_the_budget_in_each_poll_is_ended_too() {
        let mut polls = 0;
        let busy = poll_fn(|cx| {
            polls += 1;
            assert!(polls < 1_000, "nothing ends it");
            while let Poll::Ready(progress) = tokio::task::coop::poll_proceed(cx) {
                progress.made_progress();
            }
            Poll::<()>::Pending
        });
        let by = Instant::now() + Duration::from_secs(3);
        let passing = tokio::spawn(tokio::time::advance(Duration::from_secs(4)));
        assert_eq!(Until::new(by, busy).await, None);
        passing.await.expect("no panic");
    }
}
