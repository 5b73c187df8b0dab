//! When a token is asked for: at once, ahead of its end, and again after a refusal. One request at a time, however many
//! sessions wait for it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::service::{Environment, ask};
use super::{Granted, Refused, Request};

/// Part of its life after which a token is renewed, in percent: as the kubelet does with its own.
const RENEWAL_PERCENT: u32 = 80;
/// The first pause after a refusal; it doubles.
const RETRY_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause while trouble may pass.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);
/// A refusal that only a person can mend is tried again so often; changed files are tried at once.
const REFUSED_PAUSE: Duration = Duration::from_secs(300);
/// The longest that a service may make us wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

type Outcome = Result<Granted, Refused>;

/// The token of one endpoint.
pub(crate) struct Renewal {
    environment: Environment,
    wanted: Option<Request>,
    due: Instant,
    failures: u32,
    asking: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
}

impl Renewal {
    /// Nothing is wanted yet.
    pub(crate) fn new(environment: Environment) -> Renewal {
        Renewal {
            environment,
            wanted: None,
            due: Instant::now(),
            failures: 0,
            asking: None,
        }
    }

    /// From now on this is wanted.
    pub(crate) fn want(&mut self, request: Option<Request>) {
        if self.wanted == request {
            return;
        }
        let is_same = match (&self.wanted, &request) {
            (Some(before), Some(now)) => before.is_for_the_same(now),
            _ => false,
        };
        self.wanted = request;
        // A new assertion is no reason to ask for a new token, but one to try again.
        if !is_same || self.failures > 0 {
            self.due = Instant::now();
            self.failures = 0;
            self.asking = None;
        }
    }

    /// The next answer; never one where nothing is wanted. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Outcome {
        let Some(wanted) = &self.wanted else {
            return std::future::pending().await;
        };
        if self.asking.is_none() {
            tokio::time::sleep_until(self.due).await;
            let (wanted, environment) = (wanted.clone(), self.environment.clone());
            self.asking = Some(Box::pin(async move { ask(&wanted, &environment).await }));
        }
        let Some(asking) = &mut self.asking else {
            return std::future::pending().await;
        };
        let outcome = asking.await;
        self.asking = None;
        let pause = match &outcome {
            Ok(granted) => {
                self.failures = 0;
                granted.lifetime * RENEWAL_PERCENT / 100
            }
            Err(refused) => {
                self.failures = self.failures.saturating_add(1);
                pause_after(refused, self.failures, fastrand::f64())
            }
        };
        // A token of no life must not keep us asking without a pause.
        self.due = Instant::now() + pause.max(RETRY_PAUSE_MIN);
        outcome
    }
}

/// The pause after so many refusals in a row; `fraction` is random in 0..1.
fn pause_after(refused: &Refused, failures: u32, fraction: f64) -> Duration {
    if let Some(asked) = refused.retry_after {
        return asked.min(RETRY_AFTER_MAX);
    }
    if !refused.is_temporary {
        return REFUSED_PAUSE;
    }
    let ceiling = RETRY_PAUSE_MIN.saturating_mul(1 << (failures - 1).min(16));
    // At least half, so that a crowd spreads and nobody hammers.
    ceiling.min(RETRY_PAUSE_MAX).mul_f64(0.5 + fraction / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(is_temporary: bool, retry_after_seconds: Option<u64>) -> Refused {
        Refused {
            text: String::new(),
            is_temporary,
            retry_after: retry_after_seconds.map(Duration::from_secs),
        }
    }

    #[test]
    fn pauses_double_to_a_minute_and_what_the_service_says_wins() {
        let pauses =
            [1, 2, 3, 7, 40].map(|failures| pause_after(&refused(true, None), failures, 1.0));
        assert_eq!(pauses.map(|pause| pause.as_secs()), [1, 2, 4, 60, 60]);
        assert_eq!(
            pause_after(&refused(true, None), 1, 0.0),
            Duration::from_millis(500)
        );
        assert_eq!(
            pause_after(&refused(true, Some(17)), 1, 0.0),
            Duration::from_secs(17)
        );
        assert_eq!(
            pause_after(&refused(true, Some(9_999)), 1, 0.0),
            RETRY_AFTER_MAX
        );
        assert_eq!(pause_after(&refused(false, None), 1, 0.0), REFUSED_PAUSE);
    }

    #[tokio::test]
    async fn nothing_is_asked_where_nothing_is_wanted() {
        let mut renewal = Renewal::new(Environment::default());
        renewal.want(None);
        let nothing = tokio::time::timeout(Duration::from_millis(20), renewal.next()).await;
        assert!(nothing.is_err());
    }
}
