//! How long to wait before the next dial.

use std::time::Duration;

/// The first pause; the Azure IoT Operations SDK uses the same.
const BACKOFF_MIN: Duration = Duration::from_millis(128);
/// The longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Back-off of one client id at one endpoint; kept by the caller for 60 s after its session ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Failed dials and lost connections in a row.
    pub failures: u32,
}

impl Backoff {
    /// The longest pause before the next dial: none for the first, then 128 ms doubling to 30 s.
    pub fn ceiling(&self) -> Duration {
        match self.failures {
            0 => Duration::ZERO,
            failures => BACKOFF_MIN
                .saturating_mul(1 << (failures - 1).min(16))
                .min(BACKOFF_MAX),
        }
    }

    /// The pause before the next dial with full jitter; `fraction` is random in 0..1.
    pub fn pause(&self, fraction: f64) -> Duration {
        self.ceiling().mul_f64(fraction)
    }

    /// A dial failed or a connection was lost.
    pub fn advance(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// A connection lived long enough.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_dial_is_at_once_then_pauses_double_to_30_s() {
        let mut backoff = Backoff::default();
        let mut ceilings_ms = Vec::new();
        for _ in 0..12 {
            ceilings_ms.push(backoff.ceiling().as_millis());
            backoff.advance();
        }
        assert_eq!(
            ceilings_ms,
            [
                0, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 30000, 30000, 30000
            ]
        );
    }

    #[test]
    fn jitter_covers_the_whole_range() {
        let backoff = Backoff { failures: 4 };
        assert_eq!(backoff.pause(0.0), Duration::ZERO);
        assert_eq!(backoff.pause(0.5), Duration::from_millis(512));
        assert!(backoff.pause(0.999) < Duration::from_millis(1024));
    }

    #[test]
    fn endless_failures_do_not_overflow() {
        let mut backoff = Backoff { failures: u32::MAX };
        backoff.advance();
        assert_eq!(backoff.ceiling(), BACKOFF_MAX);
    }
}
