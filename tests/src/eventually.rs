//! Waiting for what must become true.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Generous, because other builds may have the machine: a test that passes never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `check` succeeds.
///
/// # Panics
/// After [`PATIENCE`], with the last error.
pub async fn holds<T, F>(what: &str, mut check: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(error) if Instant::now() > end => {
                panic!("not within {} s: {what}: {error}", PATIENCE.as_secs());
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Waits until `check` is true.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn is_true(what: &str, mut check: impl FnMut() -> bool) {
    holds(what, || {
        let result = if check() {
            Ok(())
        } else {
            Err("it is not".to_owned())
        };
        std::future::ready(result)
    })
    .await;
}
