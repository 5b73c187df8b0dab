use tokio::time::advance;

use super::*;
use crate::packet::ProtocolVersion;

fn status(client_id: &str) -> Arc<SessionStatus> {
    Arc::new(SessionStatus::new(client_id.into(), ProtocolVersion::V5))
}

fn failed(failures: u32) -> Backoff {
    let mut backoff = Backoff::default();
    (0..failures).for_each(|_| backoff.advance());
    backoff
}

#[tokio::test(start_paused = true)]
async fn newcomer_waits_until_the_old_session_has_ended() {
    let registry = Arc::new(Registry::default());
    let old = registry.enter(status("a"));
    let mut new = registry.enter(status("a"));
    old.replaced().await;
    let waiting = tokio::spawn(async move {
        new.settle().await;
        new
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(old);
    let new = waiting.await.unwrap();
    assert_eq!(registry.statuses().len(), 1);
    drop(new);
    assert!(registry.statuses().is_empty());
}

#[tokio::test(start_paused = true)]
async fn session_that_does_not_leave_is_aborted_after_5_s() {
    let registry = Arc::new(Registry::default());
    let old = registry.enter(status("a"));
    let old = tokio::spawn(async move { old.abort_signal().notified().await });
    let begun = Instant::now();
    let mut new = registry.enter(status("a"));
    new.settle().await;
    assert_eq!(begun.elapsed(), REPLACE_TIME_MAX);
    old.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn third_session_waits_for_the_first_through_the_second() {
    let registry = Arc::new(Registry::default());
    let first = registry.enter(status("a"));
    let mut second = registry.enter(status("a"));
    let mut third = registry.enter(status("a"));
    second.replaced().await;
    let second = tokio::spawn(async move { second.settle().await });
    let third = tokio::spawn(async move { third.settle().await });
    advance(Duration::from_secs(1)).await;
    assert!(!third.is_finished());
    drop(first);
    second.await.unwrap();
    third.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn other_client_ids_do_not_wait() {
    let registry = Arc::new(Registry::default());
    let _one = registry.enter(status("a"));
    let mut other = registry.enter(status("b"));
    let begun = Instant::now();
    other.settle().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(registry.statuses().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn backoff_is_remembered_for_60_s() {
    let registry = Arc::new(Registry::default());
    for (pause, expected) in [(59, failed(3)), (61, Backoff::default())] {
        let mut lease = registry.enter(status("a"));
        lease.set_backoff(failed(3));
        drop(lease);
        advance(Duration::from_secs(pause)).await;
        let mut lease = registry.enter(status("a"));
        lease.settle().await;
        assert_eq!(lease.backoff(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn remembered_backoffs_are_bounded() {
    let registry = Arc::new(Registry::default());
    for id in 0..BACKOFFS_MAX + 10 {
        let mut lease = registry.enter(status(&id.to_string()));
        lease.set_backoff(failed(1));
    }
    assert_eq!(lock(&registry.holders).backoffs.len(), BACKOFFS_MAX);
    advance(BACKOFF_TIME).await;
    let mut lease = registry.enter(status("new"));
    lease.set_backoff(failed(1));
    drop(lease);
    assert_eq!(lock(&registry.holders).backoffs.len(), 1);
}
