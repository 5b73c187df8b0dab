//! What is to be done for which endpoint: decided from what the watches brought, without IO and without a clock.

pub(crate) mod known;
pub(crate) mod resource;
pub(crate) mod sidecars;
pub(crate) mod status;
mod progress;
mod queue;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use endpoint::resource::{API_VERSION, KIND};
use serde_json::{Value, json};

use known::{Change, Key, Known};
use progress::Progress;
use queue::Queue;
use resource::{Check, ConfigMap, Endpoint, digest};
use sidecars::{Counts, Pod, Sidecars};
use status::{Delivery, Failure};

/// A ConfigMap that is gone may have gone with its endpoint, of which another watch tells a moment later.
const GONE_PAUSE: Duration = Duration::from_secs(1);

/// Everything that the controller knows.
#[derive(Debug)]
pub(crate) struct Plan {
    endpoints: Known<Endpoint>,
    config_maps: Known<ConfigMap>,
    sidecars: Sidecars,
    progress: BTreeMap<Key, Progress>,
    queue: Queue,
    totals: Totals,
    /// The status of another product's definition is that product's.
    writes_status: bool,
    /// How long this replica leaves a status to the others: then most often one writes it, and the rest see it done.
    leave: Duration,
}

/// What the metrics tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Running sidecars of known endpoints.
    pub(crate) sidecars: usize,
    /// Those that need a restart.
    pub(crate) outdated: usize,
    /// Endpoints that break a rule or whose ConfigMap could not be written.
    pub(crate) unaccepted: usize,
}

/// What is to be done for an endpoint now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Task {
    /// Nothing, or nothing before the time at which it is in the queue again.
    Nothing,
    /// Its ConfigMap is to be applied.
    Apply {
        config_map: Value,
        /// None is known by our label: there may be one of that name that is not ours.
        look_first: bool,
    },
    /// Its status is to be applied.
    Status(Value),
    /// It was deleted while this many sidecars use it.
    Orphaned { uid: String, sidecars: usize },
}

impl Plan {
    pub(crate) fn new(writes_status: bool, leave: Duration) -> Plan {
        Plan {
            endpoints: Known::new(),
            config_maps: Known::new(),
            sidecars: Sidecars::new(),
            progress: BTreeMap::new(),
            queue: Queue::default(),
            totals: Totals::default(),
            writes_status,
            leave,
        }
    }

    /// Takes what the watch of endpoints brings.
    pub(crate) fn on_endpoint(&mut self, change: Change<Endpoint>, now: Instant) {
        let first = self.is_synced();
        let changed = self.endpoints.take(change);
        self.look_at(changed.into_iter().map(|changed| changed.key), first, now);
    }

    /// Takes what the watch of ConfigMaps brings; they have the keys of their endpoints.
    pub(crate) fn on_config_map(&mut self, change: Change<ConfigMap>, now: Instant) {
        let first = self.is_synced();
        let pause = match change {
            Change::Gone(_) => GONE_PAUSE,
            _ => Duration::ZERO,
        };
        let changed = self.config_maps.take(change);
        let keys = changed.into_iter().map(|changed| changed.key);
        self.look_at(keys, first, now + pause);
    }

    /// Takes what the watch of pods brings.
    pub(crate) fn on_pod(&mut self, change: Change<Pod>, now: Instant) {
        let first = self.is_synced();
        let concerned = self.sidecars.take(change);
        self.look_at(concerned, first, now);
    }

    /// Nothing is decided before all three lists are complete; then every endpoint is looked at.
    fn look_at(&mut self, keys: impl IntoIterator<Item = Key>, was_synced: bool, at: Instant) {
        if !self.is_synced() {
            return;
        }
        if was_synced {
            for key in keys {
                self.queue.push(&key, at);
            }
        } else {
            for key in self.endpoints.keys() {
                self.queue.push(key, at);
            }
        }
    }

    /// The next endpoint that is due, and what is to be done for it; [`Plan::finish`] must follow.
    pub(crate) fn pop(&mut self, now: Instant, time: &str) -> Option<(Key, Task)> {
        let key = self.queue.pop(now)?;
        let task = self.decide(&key, now, time);
        Some((key, task))
    }

    /// When the next endpoint is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.next()
    }

    /// The task of an endpoint is done.
    pub(crate) fn finish(&mut self, key: &Key) {
        self.queue.finish(key);
    }

    /// How applying a ConfigMap went; true where that is news. What it says now, its watch tells.
    pub(crate) fn applied(&mut self, key: &Key, result: Result<(), Failure>, now: Instant) -> bool {
        let Some(progress) = self.progress.get_mut(key) else {
            return false;
        };
        let news = result.is_ok() || progress.failure.as_ref() != result.as_ref().err();
        progress.applied(result, now);
        // The status tells of a failure; and the ConfigMap is tried again when its time comes.
        if progress.failure.is_some() {
            self.queue.push(key, now);
        }
        news
    }

    /// How applying a status went.
    pub(crate) fn status_applied(&mut self, key: &Key, good: bool, now: Instant) {
        let Some(progress) = self.progress.get_mut(key) else {
            return;
        };
        progress.status_applied(good, now);
        if let (false, Some(at)) = (good, progress.status_at) {
            self.queue.push(key, at);
        }
    }

    /// What is known of the sidecars of an endpoint.
    pub(crate) fn counts(&self, key: &Key) -> Counts {
        let endpoint = self.endpoints.get(key);
        let settings = endpoint.and_then(|endpoint| endpoint.check.settings());
        self.sidecars.counts(key, settings)
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    fn is_synced(&self) -> bool {
        self.endpoints.is_synced() && self.config_maps.is_synced() && self.sidecars.is_synced()
    }

    fn decide(&mut self, key: &Key, now: Instant, time: &str) -> Task {
        let Some(endpoint) = self.endpoints.get(key) else {
            return self.forget(key);
        };
        let counts = self.sidecars.counts(key, endpoint.check.settings());
        let progress = self.progress.entry(key.clone()).or_default();
        progress.uid.clone_from(&endpoint.uid);
        if endpoint.deleting || endpoint.check == Check::Foreign {
            progress.failure = None;
            self.count(key, counts, false);
            return Task::Nothing;
        }
        let config_map = self.config_maps.get(key);
        let mut wake = None;
        if let Check::Good { content, .. } = &endpoint.check
            && !config_map.is_some_and(|found| found.is_of(endpoint, content))
        {
            progress.must_say(digest(content));
            if progress.apply_at.is_none_or(|at| at <= now) {
                return Task::Apply {
                    config_map: endpoint.config_map(key, content),
                    look_first: config_map.is_none(),
                };
            }
            wake = progress.apply_at;
        } else {
            progress.failure = None;
        }
        let delivery = match (&progress.failure, wake) {
            (Some(failure), _) => Some(Delivery::Failed(failure)),
            (None, None) => Some(Delivery::Written),
            // It was just written, and its watch has yet to tell.
            (None, Some(_)) => None,
        };
        let status = delivery
            .filter(|_| self.writes_status)
            .and_then(|delivery| status::wanted(key, endpoint, delivery, &counts, time));
        let mut task = Task::Nothing;
        if let Some(status) = status {
            let wanted = *progress.status_wanted.get_or_insert(now) + self.leave;
            let due = progress.status_at.map_or(wanted, |at| at.max(wanted));
            if due <= now {
                task = Task::Status(status_of(key, status));
            } else {
                wake = Some(wake.map_or(due, |before| before.min(due)));
            }
        } else {
            progress.status_wanted = None;
        }
        let unaccepted = matches!(endpoint.check, Check::Bad(_)) || progress.failure.is_some();
        self.count(key, counts, unaccepted);
        if let Some(at) = wake {
            self.queue.push(key, at);
        }
        task
    }

    /// An endpoint that is gone. Its ConfigMap goes with it, and running sidecars keep the settings they have.
    fn forget(&mut self, key: &Key) -> Task {
        self.count(key, Counts::default(), false);
        let sidecars = self.sidecars.counts(key, None).sidecars;
        match self.progress.remove(key) {
            Some(Progress { uid, .. }) if sidecars > 0 => Task::Orphaned { uid, sidecars },
            _ => Task::Nothing,
        }
    }

    fn count(&mut self, key: &Key, counts: Counts, unaccepted: bool) {
        let counted = Totals {
            sidecars: counts.sidecars,
            outdated: counts.outdated,
            unaccepted: usize::from(unaccepted),
        };
        let Some(progress) = self.progress.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut progress.counted, counted);
        let totals = &mut self.totals;
        totals.sidecars = totals.sidecars + counted.sidecars - before.sidecars;
        totals.outdated = totals.outdated + counted.outdated - before.outdated;
        totals.unaccepted = totals.unaccepted + counted.unaccepted - before.unaccepted;
    }
}

fn status_of(key: &Key, status: endpoint::status::DataflowEndpointStatus) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": { "name": key.name, "namespace": key.namespace },
        "status": status,
    })
}

#[cfg(test)]
pub(crate) mod tests;
