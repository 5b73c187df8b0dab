//! The controller: a ConfigMap for each endpoint, which carries it into the pods, and the endpoint's status.
//!
//! `plan` decides from what the watches brought; here and in the other files of this folder it is done. Several
//! replicas do the same without knowing of each other: what is equal makes no new version in the cluster. While the API
//! server is away, what is known holds.

pub(crate) mod plan;
mod watch;
mod write;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use kube::Client;
use kube::runtime::watcher::Event;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::events::{Events, Told};
use crate::metrics::{Applied, ApplyResult, Metrics};
use crate::validate::Rules;
use plan::known::Key;
use plan::resource::Endpoint;
use plan::sidecars::Counts;
use plan::status::Failure;
use plan::{Plan, Task};
use write::Writer;

/// Writes at a time: thousands of new endpoints take seconds, and the API server has others to serve.
const WRITES_MAX: usize = 8;
/// Replicas that see the same at the same time write a status some time of this apart.
const LEAVE_MAX_MILLIS: u64 = 2_000;
/// With nothing due, the loop wakes for changes only; this is no more than a guard.
const IDLE: Duration = Duration::from_secs(3_600);

/// The controller. Clones are the same one.
#[derive(Clone)]
pub struct Controller {
    plan: Arc<Mutex<Plan>>,
    changed: Arc<Notify>,
    rules: Rules,
    client: Client,
    events: Events,
    metrics: Metrics,
}

impl Controller {
    /// A controller that knows nothing yet.
    pub fn new(client: Client, rules: Rules, events: Events, metrics: Metrics) -> Controller {
        Controller {
            plan: Arc::new(Mutex::new(Plan::new(rules == Rules::Deny, leave()))),
            changed: Arc::default(),
            rules,
            client,
            events,
            metrics,
        }
    }

    /// Takes what the watch of endpoints brings, which the store has too.
    pub fn follow(&self) -> impl FnMut(&Event<Value>) + Send + 'static {
        let controller = self.clone();
        move |event| {
            let change = watch::change(event, |resource: &Value| {
                let (key, endpoint) = Endpoint::read(resource, controller.rules);
                (key, Some(endpoint))
            });
            if let Some(change) = change {
                controller.update(|plan, now| plan.on_endpoint(change, now));
            }
        }
    }

    /// Works until the process ends.
    pub async fn run(self) {
        tokio::join!(watch::config_maps(&self), watch::pods(&self), self.work());
    }

    async fn work(&self) {
        let writer = Writer::new(self.client.clone());
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < WRITES_MAX {
                let popped = self.plan().pop(now(), &time());
                match popped {
                    None => break,
                    Some((key, Task::Nothing)) => {
                        self.plan().finish(&key);
                        // Thousands may be due at once, and reviews are to be answered meanwhile.
                        tokio::task::yield_now().await;
                    }
                    Some((key, task)) => running.push(self.perform(&writer, key, task)),
                }
            }
            self.metrics.controller_totals(self.plan().totals());
            let idle = Instant::now() + IDLE;
            let next = self.plan().next().map_or(idle, Instant::from_std);
            // What is due is taken when a place is free.
            let wake = if running.len() < WRITES_MAX {
                next
            } else {
                idle
            };
            tokio::select! {
                Some(()) = running.next(), if !running.is_empty() => {}
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    async fn perform(&self, writer: &Writer, key: Key, task: Task) {
        match task {
            Task::Nothing => {}
            Task::Apply {
                config_map,
                look_first,
            } => {
                let result = writer.config_map(&key, &config_map, look_first).await;
                let news = self.plan().applied(&key, result.clone(), now());
                self.tell_applied(&key, &result, news);
            }
            Task::Status(status) => {
                let result = writer.status(&key, &status).await;
                self.metrics.applied(Applied::Status, outcome(&result));
                if let Err(error) = &result {
                    warn!(endpoint = %key, error, "writing the status failed, trying again");
                }
                self.plan().status_applied(&key, result.is_ok(), now());
            }
            Task::Orphaned { uid, sidecars } => {
                info!(endpoint = %key, sidecars, "an endpoint was deleted while pods use it");
                self.events.tell(Told::endpoint_gone(&key, uid, sidecars));
            }
        }
        self.plan().finish(&key);
    }

    /// A fault that lasts is told once.
    fn tell_applied(&self, key: &Key, result: &Result<(), Failure>, news: bool) {
        let counted = match result {
            Ok(()) => {
                info!(endpoint = %key, "applied the ConfigMap");
                ApplyResult::Good
            }
            Err(Failure::NameTaken) => {
                if news {
                    warn!(endpoint = %key, "there is a ConfigMap of this endpoint's name that is not ours");
                }
                ApplyResult::NameTaken
            }
            Err(Failure::Refused(error)) => {
                if news {
                    warn!(endpoint = %key, error, "applying the ConfigMap failed, trying again");
                }
                ApplyResult::Failed
            }
        };
        self.metrics.applied(Applied::ConfigMap, counted);
    }

    /// Sidecars of an endpoint, how many of them need a restart, and the first of those pods.
    pub(crate) fn counts(&self, namespace: &str, name: &str) -> Counts {
        self.plan().counts(&Key::new(namespace, name))
    }

    fn update(&self, change: impl FnOnce(&mut Plan, std::time::Instant)) {
        change(&mut self.plan(), now());
        self.changed.notify_one();
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").finish_non_exhaustive()
    }
}

fn outcome<E>(result: &Result<(), E>) -> ApplyResult {
    match result {
        Ok(()) => ApplyResult::Good,
        Err(_) => ApplyResult::Failed,
    }
}

/// Another time for each replica.
fn leave() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(()) % LEAVE_MAX_MILLIS)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// The time as conditions tell it.
fn time() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests;
