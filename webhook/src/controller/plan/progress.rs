//! How far the work on an endpoint is, and when it may go on.

use std::time::{Duration, Instant};

use super::Totals;
use super::status::Failure;

/// A status is for people, and ten thousand starting pods would write it ten thousand times.
const STATUS_PAUSE: Duration = Duration::from_secs(5);
/// What somebody else keeps writing is restored at once, then less and less often: each doubles the pause from here.
const APPLY_PAUSE: Duration = Duration::from_secs(1);
/// After this long without a write the pauses begin anew.
const QUIET: Duration = Duration::from_secs(120);
/// The longest pause after failures, as of the API server's own clients.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// No watch tells when a foreign ConfigMap is gone, so it is looked for this often.
const NAME_TAKEN_PAUSE: Duration = Duration::from_secs(30);

/// How far the work on an endpoint is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The endpoint's uid, which it has no more when it is gone.
    pub(crate) uid: String,
    /// Why its ConfigMap could not be written the last time.
    pub(crate) failure: Option<Failure>,
    /// When the ConfigMap may be written again.
    pub(crate) apply_at: Option<Instant>,
    /// When the status may be written again.
    pub(crate) status_at: Option<Instant>,
    /// Since when the status is not what it should be.
    pub(crate) status_wanted: Option<Instant>,
    /// What it adds to the totals.
    pub(crate) counted: Totals,
    /// Of what the ConfigMap must say, as [`super::resource::digest`] makes it.
    content: Option<u64>,
    last_apply: Option<Instant>,
    applies_in_a_row: u32,
    status_failures: u32,
}

impl Progress {
    /// The ConfigMap must say this. What is new is written at once, however often the same was written before.
    pub(crate) fn must_say(&mut self, content: u64) {
        if self.content != Some(content) {
            self.content = Some(content);
            self.apply_at = None;
            self.applies_in_a_row = 0;
        }
    }

    /// The ConfigMap was written, or could not be.
    pub(crate) fn applied(&mut self, result: Result<(), Failure>, now: Instant) {
        let quiet = self
            .last_apply
            .is_none_or(|last| now.saturating_duration_since(last) > QUIET.max(self.pause()));
        if quiet {
            self.applies_in_a_row = 0;
        }
        self.applies_in_a_row = self.applies_in_a_row.saturating_add(1);
        self.last_apply = Some(now);
        self.failure = result.err();
        let pause = match self.failure {
            Some(Failure::NameTaken) => NAME_TAKEN_PAUSE,
            _ => self.pause(),
        };
        self.apply_at = Some(now + pause);
    }

    /// The status was written, or could not be.
    pub(crate) fn status_applied(&mut self, good: bool, now: Instant) {
        self.status_failures = if good {
            0
        } else {
            self.status_failures.saturating_add(1)
        };
        self.status_wanted = None;
        self.status_at = Some(now + doubled(STATUS_PAUSE, self.status_failures));
    }

    fn pause(&self) -> Duration {
        doubled(APPLY_PAUSE, self.applies_in_a_row.saturating_sub(1))
    }
}

fn doubled(pause: Duration, times: u32) -> Duration {
    pause
        .saturating_mul(2_u32.saturating_pow(times))
        .min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Failure, Progress};
    use crate::controller::plan::tests::start;

    fn seconds(pause: Duration) -> u64 {
        pause.as_secs()
    }

    #[test]
    fn pauses_grow_and_end_when_it_is_quiet() {
        let mut now = start();
        let mut progress = Progress::default();
        let mut pauses = Vec::new();
        for _ in 0..11 {
            progress.applied(Ok(()), now);
            let next = progress.apply_at.unwrap();
            pauses.push(seconds(next - now));
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        now += Duration::from_secs(301);
        progress.applied(Ok(()), now);
        assert_eq!(seconds(progress.apply_at.unwrap() - now), 1);
    }

    #[test]
    fn a_new_content_waits_for_nothing() {
        let now = start();
        let mut progress = Progress::default();
        for (content, pause) in [(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (1, 1)] {
            progress.must_say(content);
            progress.applied(Ok(()), now);
            assert_eq!(seconds(progress.apply_at.unwrap() - now), pause);
        }
        progress.must_say(3);
        assert_eq!(progress.apply_at, None);
    }

    #[test]
    fn a_taken_name_is_looked_at_again() {
        let now = start();
        let mut progress = Progress::default();
        for _ in 0..9 {
            progress.applied(Err(Failure::NameTaken), now);
        }
        assert_eq!(seconds(progress.apply_at.unwrap() - now), 30);
    }

    #[test]
    fn a_status_is_written_seldom_and_more_seldom_after_failures() {
        let now = start();
        let mut progress = Progress::default();
        for (good, pause) in [(true, 5), (false, 10), (false, 20), (true, 5)] {
            progress.status_applied(good, now);
            assert_eq!(seconds(progress.status_at.unwrap() - now), pause);
        }
    }
}
