//! What the sessions of an endpoint hold together, and each one's part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that the sessions of an endpoint hold together while their broker is away: six at their own limit, and with
/// what else a sidecar needs well below a container of 64 MiB.
const HELD_TOTAL_MAX: usize = 24 << 20;
/// A session that holds less than this is read all the same, so that one that floods does not stop the others. With 256
/// sessions this is 16 MiB more.
const HELD_ALWAYS: usize = 64 * 1024;

/// Bytes held by all sessions of an endpoint.
#[derive(Debug, Default)]
pub(crate) struct HeldTotal(AtomicUsize);

/// One session's part, which ends with it.
#[derive(Debug)]
pub(super) struct Share {
    total: Arc<HeldTotal>,
    bytes: usize,
}

impl Share {
    /// A session that holds nothing.
    pub(super) fn new(total: Arc<HeldTotal>) -> Self {
        Self { total, bytes: 0 }
    }

    /// The session holds so much now.
    pub(super) fn set(&mut self, bytes: usize) {
        // Sessions run on one thread; nothing else is ordered by this number.
        self.total.0.fetch_add(bytes, Ordering::Relaxed);
        self.total.0.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }

    /// Whether the session may hold more.
    pub(super) fn may_grow(&self) -> bool {
        self.bytes < HELD_ALWAYS || self.total.0.load(Ordering::Relaxed) < HELD_TOTAL_MAX
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_limit_of_all_only_small_shares_grow() {
        let total = Arc::<HeldTotal>::default();
        let mut large = Share::new(total.clone());
        let mut small = Share::new(total.clone());
        large.set(HELD_TOTAL_MAX - 1);
        assert!(large.may_grow() && small.may_grow());
        small.set(1);
        assert!(!large.may_grow() && small.may_grow());
        small.set(HELD_ALWAYS);
        assert!(!small.may_grow());
        drop(large);
        assert!(small.may_grow());
        drop(small);
        assert_eq!(total.0.load(Ordering::Relaxed), 0);
    }
}
