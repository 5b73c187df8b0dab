//! What a connection is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the requests of a connection; clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request that is being answered, until it is dropped: a peer may take it back at any time.
#[derive(Debug)]
pub(super) struct Open(Activity);

impl Activity {
    /// A request came.
    pub(super) fn begin(&self) -> Open {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    /// How many requests came.
    pub(super) fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether none is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.begun() == self.0.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Activity;

    #[test]
    fn a_request_is_open_until_it_is_dropped() {
        let activity = Activity::default();
        assert!(activity.is_idle());
        let (first, second) = (activity.begin(), activity.clone().begin());
        drop(first);
        assert!(!activity.is_idle());
        drop(second);
        assert!(activity.is_idle());
        assert_eq!(activity.begun(), 2);
    }
}
