//! Endpoints, as reviews look them up: from a watch of the cluster, or from files.

mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::Client;
use serde_json::Value;

use crate::inject::endpoints::{Answer, Answers, Known};
use crate::validate::Rules;

pub use watch::run as run_watch;
pub(crate) use watch::{Told, resource};

/// An endpoint that the watch has not brought yet is asked for once; the API server waits five seconds for a review.
const DIRECT_GET_TIMEOUT: Duration = Duration::from_secs(1);

/// Every known endpoint, by namespace and name. Clones share what they know.
#[derive(Clone)]
pub struct Store {
    known: Arc<RwLock<State>>,
    /// Absent where endpoints come from files: then what is not known does not exist.
    client: Option<Client>,
    rules: Rules,
}

#[derive(Debug, Default)]
struct State {
    endpoints: Namespaces,
    /// Whether the first list is complete.
    synced: bool,
}

type Namespaces = BTreeMap<String, BTreeMap<String, Arc<Known>>>;

impl Store {
    /// A store of these resources and no others. One without a namespace is in `namespace`.
    pub fn of_resources<'a>(
        resources: impl IntoIterator<Item = &'a Value>,
        namespace: &str,
    ) -> Store {
        Store::of_resources_by(Rules::Deny, resources, namespace)
    }

    /// The same by the rules of this definition.
    pub fn of_resources_by<'a>(
        rules: Rules,
        resources: impl IntoIterator<Item = &'a Value>,
        namespace: &str,
    ) -> Store {
        let mut endpoints = Namespaces::new();
        for resource in resources {
            let (own, name) = key(resource);
            let place = if own.is_empty() { namespace } else { own };
            insert(&mut endpoints, place, name, Known::check(resource, rules));
        }
        let state = State {
            endpoints,
            synced: true,
        };
        Store {
            known: Arc::new(RwLock::new(state)),
            client: None,
            rules,
        }
    }

    /// An empty store that [`run_watch`] fills.
    pub fn of_cluster(client: Client) -> Store {
        Store::of_cluster_by(Rules::Deny, client)
    }

    /// The same by the rules of this definition.
    pub fn of_cluster_by(rules: Rules, client: Client) -> Store {
        Store {
            known: Arc::default(),
            client: Some(client),
            rules,
        }
    }

    /// Looks for endpoints of a namespace.
    pub async fn answers(&self, namespace: &str, names: &[String]) -> Answers {
        let mut answers = self.cached(namespace, names);
        let Some(client) = &self.client else {
            return answers;
        };
        // One limit for all of them: a pod may name many.
        let deadline = tokio::time::Instant::now() + DIRECT_GET_TIMEOUT;
        for (name, answer) in &mut answers {
            if !matches!(answer, Answer::Missing { .. }) {
                continue;
            }
            match tokio::time::timeout_at(deadline, watch::get(client, namespace, name)).await {
                Ok(Ok(Some(resource))) => {
                    *answer = Answer::Found(Arc::new(Known::check(&resource, self.rules)))
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => *answer = Answer::Failed(error.to_string()),
                Err(_) => {
                    let seconds = DIRECT_GET_TIMEOUT.as_secs();
                    *answer =
                        Answer::Failed(format!("the API server did not answer within {seconds} s"));
                }
            }
        }
        answers
    }

    /// What is known without asking anybody.
    pub fn cached(&self, namespace: &str, names: &[String]) -> Answers {
        let state = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let here = state.endpoints.get(namespace);
        let answer = |name: &String| match here.and_then(|here| here.get(name)) {
            Some(known) => Answer::Found(Arc::clone(known)),
            None => Answer::Missing {
                names: here.into_iter().flat_map(BTreeMap::keys).cloned().collect(),
            },
        };
        names
            .iter()
            .map(|name| (name.clone(), answer(name)))
            .collect()
    }

    /// How many endpoints are known.
    pub fn len(&self) -> usize {
        let state = self.known.read().unwrap_or_else(PoisonError::into_inner);
        state.endpoints.values().map(BTreeMap::len).sum()
    }

    /// The first so many endpoints: namespace, name, and what checking them brought.
    pub fn first(&self, count: usize) -> Vec<(String, String, Arc<Known>)> {
        let state = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let all = state.endpoints.iter().flat_map(|(namespace, here)| {
            here.iter()
                .map(move |(name, known)| (namespace.clone(), name.clone(), Arc::clone(known)))
        });
        all.take(count).collect()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the first list is complete: before that, a missing endpoint says nothing.
    pub fn is_synced(&self) -> bool {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .synced
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("endpoints", &self.len())
            .finish_non_exhaustive()
    }
}

fn key(resource: &Value) -> (&str, &str) {
    let text = |pointer: &str| {
        resource
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    (text("/metadata/namespace"), text("/metadata/name"))
}

fn insert(endpoints: &mut Namespaces, namespace: &str, name: &str, known: Known) {
    endpoints
        .entry(namespace.to_owned())
        .or_default()
        .insert(name.to_owned(), Arc::new(known));
}

fn remove(endpoints: &mut Namespaces, namespace: &str, name: &str) {
    if let Some(here) = endpoints.get_mut(namespace) {
        here.remove(name);
        if here.is_empty() {
            endpoints.remove(namespace);
        }
    }
}

#[cfg(test)]
mod tests;
