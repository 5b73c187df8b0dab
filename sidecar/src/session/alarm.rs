//! The engine's timer: it is moved only when it must ring earlier, because most packets move the engine's deadline later.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// A timer that may ring too early, never too late.
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

impl Alarm {
    /// A timer that does not run.
    pub(crate) fn new() -> Self {
        let sleep = Box::pin(sleep_until(tokio::time::Instant::now()));
        Self { sleep, armed: None }
    }

    /// Ready at `deadline` or, rarely, before it.
    pub(crate) fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.sleep.as_mut().reset(deadline.into());
            self.armed = Some(deadline);
        }
        let rung = self.sleep.as_mut().poll(cx);
        if rung.is_ready() {
            self.armed = None;
        }
        rung
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rings_at_the_deadline_although_it_was_moved_both_ways() {
        let start = tokio::time::Instant::now();
        let at = |seconds| Some((start + Duration::from_secs(seconds)).into_std());
        let mut alarm = Alarm::new();
        let mut moves = [at(10), at(2), at(5)].into_iter();
        let mut deadline = None;
        poll_fn(|cx| {
            for moved in moves.by_ref() {
                deadline = moved;
                assert!(alarm.poll(deadline, cx).is_pending());
            }
            alarm.poll(deadline, cx)
        })
        .await;
        // It was armed for 2 s, and rings too early.
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        poll_fn(|cx| alarm.poll(deadline, cx)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn without_deadline_it_never_rings() {
        let mut alarm = Alarm::new();
        let rung = tokio::time::timeout(
            Duration::from_secs(3600),
            poll_fn(|cx| alarm.poll(None, cx)),
        );
        assert!(rung.await.is_err());
    }
}
