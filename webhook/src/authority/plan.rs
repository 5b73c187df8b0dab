//! What is to be done about the Secret and the leaf: decisions only.

use std::sync::Arc;

use super::ca::{Ca, LEAF_LIFE_SECONDS, Leaf};

/// So long the new authority is in both bundles before it signs what is served. API servers learn of a changed bundle from a
/// watch of their own, within moments; one that just lost its connection takes up to a minute to notice.
pub const SETTLE_SECONDS: i64 = 90;

/// What the Secret holds.
#[derive(Debug, Clone)]
pub enum Stored {
    /// There is no Secret.
    Missing,
    /// It holds nothing that could sign.
    Damaged,
    /// It holds an authority.
    Good(Arc<Ca>),
}

/// What to do about the Secret.
#[derive(Debug)]
pub enum Plan {
    /// Nothing: use what it holds.
    Use(Arc<Ca>),
    /// Write this authority, which we held.
    Restore(Arc<Ca>),
    /// Make a new authority after this one and write it. Without one, what the bundles hold is the one before.
    Renew(Option<Arc<Ca>>),
    /// Write the same without those before it.
    Forget(Arc<Ca>),
}

/// Decides about the Secret; `held` is what it held when it was good last.
pub fn of_secret(now_seconds: i64, stored: &Stored, held: Option<&Arc<Ca>>) -> Plan {
    let (ca, is_stored) = match (stored, held) {
        (Stored::Good(ca), _) => (ca, true),
        (_, Some(held)) => (held, false),
        (_, None) => return Plan::Renew(None),
    };
    if ca.validity.is_due(now_seconds) {
        Plan::Renew(Some(Arc::clone(ca)))
    } else if !is_stored {
        Plan::Restore(Arc::clone(ca))
    } else if ca.has_previous() && now_seconds > previous_serves_until(ca) {
        Plan::Forget(Arc::clone(ca))
    } else {
        Plan::Use(Arc::clone(ca))
    }
}

/// A replica may have signed with the one before until it saw this one; whatever it signed is over a week later.
fn previous_serves_until(ca: &Ca) -> i64 {
    ca.validity.not_before_seconds + 2 * LEAF_LIFE_SECONDS
}

/// Whether a leaf is to be signed now; `trusted_since_seconds` is since when both bundles hold `ca`.
pub fn leaf_is_due(
    now_seconds: i64,
    leaf: Option<&Leaf>,
    ca: &Ca,
    trusted_since_seconds: Option<i64>,
) -> bool {
    let Some(leaf) = leaf else {
        return true;
    };
    // The clock may have been set back, and then nobody would believe the leaf.
    let holds =
        leaf.validity.not_before_seconds <= now_seconds && !leaf.validity.is_over(now_seconds);
    if !holds {
        return true;
    }
    if leaf.ca == *ca.certificate() {
        leaf.validity.is_due(now_seconds)
    } else {
        trusted_since_seconds.is_some_and(|since| now_seconds >= since + SETTLE_SECONDS)
    }
}
