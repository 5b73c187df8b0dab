//! Events: what nobody would read otherwise. They are sent in the background, and what is too much is left out.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use endpoint::contract::FIELD_MANAGER;
use endpoint::resource::{API_VERSION, KIND};
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::{Client, Error};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::controller::plan::known::Key;
use crate::metrics::{EventResult, Metrics};
use crate::review::Answered;
use crate::review::request::Owner;
use crate::text;

/// Events that wait to be sent; more at once is a storm in which one less is not missed.
const WAITING_MAX: usize = 256;
/// The same event is not sent again for this long: a rollout makes a pod after the other with the same warnings.
const SAME_PAUSE: Duration = Duration::from_secs(600);
/// As many sent events are remembered as can be sent in that time by a storm of different ones, roughly.
const REMEMBERED_MAX: usize = 1_024;
/// An event is not worth more; the next one waits meanwhile.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Kubernetes takes 1,024 bytes; a character has up to four.
const NOTE_CHARS_MAX: usize = 1_000;
const NOTE_BYTES_MAX: usize = 1_024;
/// Kubernetes takes 253 characters for a name, and a dot and the digits of the hash follow.
const NAME_CHARS_MAX: usize = 236;

/// Takes events. Clones send to the same place.
#[derive(Debug, Clone)]
pub struct Events {
    /// Absent where there is no cluster.
    queue: Option<mpsc::Sender<Told>>,
    metrics: Metrics,
}

/// What an event tells, and about whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Told {
    namespace: String,
    regarding: Regarding,
    reason: &'static str,
    action: &'static str,
    note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Regarding {
    api_version: String,
    kind: String,
    name: String,
    uid: String,
}

impl Told {
    /// Warnings on a pod that a controller made. They reach nobody else: a person is shown those of the workload only.
    pub fn warnings(answered: &Answered) -> Option<Told> {
        let Answered { verdict, about, .. } = answered;
        let owner: &Owner = about.owner.as_ref()?;
        // The controller itself writes an event for a denial.
        if about.dry_run || verdict.denial.is_some() || verdict.warnings.is_empty() {
            return None;
        }
        Some(Told {
            namespace: about.namespace.clone(),
            regarding: Regarding {
                api_version: owner.api_version.clone(),
                kind: owner.kind.clone(),
                name: owner.name.clone(),
                uid: owner.uid.clone(),
            },
            reason: "SidecarWarning",
            action: "Inject",
            note: verdict.warnings.join("; "),
        })
    }

    /// An endpoint that was deleted while pods use it.
    pub(crate) fn endpoint_gone(key: &Key, uid: String, sidecars: usize) -> Told {
        Told {
            namespace: key.namespace.clone(),
            regarding: Regarding {
                api_version: API_VERSION.to_owned(),
                kind: KIND.to_owned(),
                name: key.name.clone(),
                uid,
            },
            reason: "DeletedInUse",
            action: "Delete",
            note: format!(
                "it was deleted while sidecars use it ({sidecars}): they go on with what it said last, and new pods are refused until it is applied again"
            ),
        }
    }

    /// The same event has the same name, so that of several replicas one is heard.
    fn name(&self) -> String {
        let name = text::clip(self.regarding.name.clone(), NAME_CHARS_MAX);
        format!("{}.{:016x}", name.trim_end_matches('…'), self.digest())
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    fn object(&self, instance: &str, time: SystemTime) -> Value {
        let Regarding {
            api_version,
            kind,
            name,
            uid,
        } = &self.regarding;
        let mut note = text::clip(self.note.clone(), NOTE_CHARS_MAX);
        while note.len() > NOTE_BYTES_MAX {
            note.pop();
        }
        json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": { "name": self.name(), "namespace": self.namespace },
            "eventTime": humantime::format_rfc3339_micros(time).to_string(),
            "type": "Warning",
            "reason": self.reason,
            "action": self.action,
            "note": note,
            "regarding": {
                "apiVersion": api_version, "kind": kind, "name": name, "namespace": self.namespace, "uid": uid,
            },
            "reportingController": FIELD_MANAGER,
            "reportingInstance": instance,
        })
    }
}

impl Events {
    /// Sends to nobody: without a cluster there is no one.
    pub fn nowhere(metrics: Metrics) -> Events {
        Events {
            queue: None,
            metrics,
        }
    }

    /// Sends to the cluster; `instance` is who does, the pod's name.
    pub fn to_cluster(client: Client, instance: String, metrics: Metrics) -> Events {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(send(client, instance, waiting, metrics.clone()));
        Events {
            queue: Some(queue),
            metrics,
        }
    }

    /// Puts an event into the queue. It never waits.
    pub fn tell(&self, told: Told) {
        let Some(queue) = &self.queue else {
            return;
        };
        if queue.try_send(told).is_err() {
            self.metrics.event(EventResult::Dropped);
        }
    }
}

async fn send(
    client: Client,
    instance: String,
    mut waiting: mpsc::Receiver<Told>,
    metrics: Metrics,
) {
    let mut sent = Sent::default();
    while let Some(told) = waiting.recv().await {
        if !sent.is_new(told.digest(), Instant::now()) {
            metrics.event(EventResult::Repeated);
            continue;
        }
        let object = told.object(&instance, SystemTime::now());
        match tokio::time::timeout(SEND_TIMEOUT, create(&client, &told.namespace, object)).await {
            Ok(Ok(())) => metrics.event(EventResult::Good),
            Ok(Err(error)) => {
                metrics.event(EventResult::Failed);
                warn!(%error, reason = told.reason, note = told.note, "sending an event failed");
            }
            Err(_) => {
                metrics.event(EventResult::Failed);
                warn!(
                    reason = told.reason,
                    note = told.note,
                    "sending an event took too long"
                );
            }
        }
    }
    debug!("no more events");
}

async fn create(client: &Client, namespace: &str, object: Value) -> Result<(), Error> {
    let resource = ApiResource {
        group: "events.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "events.k8s.io/v1".to_owned(),
        kind: "Event".to_owned(),
        plural: "events".to_owned(),
    };
    let object: DynamicObject = serde_json::from_value(object).map_err(Error::SerdeError)?;
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => Ok(()),
        // Another replica was first, or this one before it was started anew.
        Err(Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error),
    }
}

/// The events of the last minutes.
#[derive(Debug, Default)]
struct Sent {
    digests: VecDeque<(u64, Instant)>,
}

impl Sent {
    fn is_new(&mut self, digest: u64, now: Instant) -> bool {
        self.digests
            .retain(|(_, at)| now.saturating_duration_since(*at) < SAME_PAUSE);
        if self.digests.iter().any(|(sent, _)| *sent == digest) {
            return false;
        }
        if self.digests.len() == REMEMBERED_MAX {
            self.digests.pop_front();
        }
        self.digests.push_back((digest, now));
        true
    }
}

#[cfg(test)]
mod tests;
