//! The running sidecars, and which of them mount something else than their endpoint needs now.

use std::collections::BTreeMap;

use endpoint::Settings;
use endpoint::contract::{Annotation, InjectionStatus, TOKEN_EXPIRATION_SECONDS};
use endpoint::status::OUTDATED_PODS_MAX;
use serde_json::Value;

use super::known::{Change, Key, Known};

/// The sidecar of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pod {
    /// Lifetime of its projected tokens.
    token_expiration_seconds: u32,
    /// Its endpoints by name, each with the hash of what was mounted for it.
    endpoints: Vec<(String, String)>,
}

/// All running sidecars.
#[derive(Debug)]
pub(crate) struct Sidecars {
    pods: Known<Pod>,
    /// The same by endpoint, and there by pod.
    mounted: BTreeMap<Key, BTreeMap<String, Mounted>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mounted {
    token_expiration_seconds: u32,
    hash: String,
}

/// How many sidecars an endpoint has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All that run.
    pub(crate) sidecars: usize,
    /// Those that need a restart.
    pub(crate) outdated: usize,
    /// The first of the pods that need one.
    pub(crate) pods: Vec<String>,
}

impl Pod {
    /// Reads the metadata of an injected pod; `None` where it is on its way out, or nothing of ours is to be read.
    pub(crate) fn read(metadata: &Value) -> Option<Pod> {
        if !metadata["deletionTimestamp"].is_null() {
            return None;
        }
        let annotation =
            |annotation: Annotation| metadata["annotations"][annotation.key()].as_str();
        let status = InjectionStatus::parse(annotation(Annotation::Status)?).ok()?;
        // The webhook admitted the pod, so it can be read unless somebody changed it since.
        let token_expiration_seconds = annotation(Annotation::TokenExpirationSeconds)
            .and_then(|seconds| seconds.trim().parse().ok())
            .unwrap_or(TOKEN_EXPIRATION_SECONDS);
        let endpoints = status.endpoints.into_iter();
        Some(Pod {
            token_expiration_seconds,
            endpoints: endpoints
                .map(|endpoint| (endpoint.name, endpoint.hash))
                .collect(),
        })
    }
}

impl Sidecars {
    pub(crate) fn new() -> Sidecars {
        Sidecars {
            pods: Known::new(),
            mounted: BTreeMap::new(),
        }
    }

    /// Takes what the watch of pods brings, and tells which endpoints it concerns.
    pub(crate) fn take(&mut self, change: Change<Pod>) -> Vec<Key> {
        let mut concerned = Vec::new();
        for changed in self.pods.take(change) {
            let namespace = &changed.key.namespace;
            for (endpoint, _) in changed.old.iter().flat_map(|old| &old.endpoints) {
                let endpoint = Key::new(namespace, endpoint);
                self.unmount(&endpoint, &changed.key.name);
                concerned.push(endpoint);
            }
            let Some(pod) = self.pods.get(&changed.key) else {
                continue;
            };
            for (endpoint, hash) in &pod.endpoints {
                let endpoint = Key::new(namespace, endpoint);
                let mounted = Mounted {
                    token_expiration_seconds: pod.token_expiration_seconds,
                    hash: hash.clone(),
                };
                let pods = self.mounted.entry(endpoint.clone()).or_default();
                pods.insert(changed.key.name.clone(), mounted);
                concerned.push(endpoint);
            }
        }
        concerned.sort();
        concerned.dedup();
        concerned
    }

    fn unmount(&mut self, endpoint: &Key, pod: &str) {
        if let Some(pods) = self.mounted.get_mut(endpoint) {
            pods.remove(pod);
            if pods.is_empty() {
                self.mounted.remove(endpoint);
            }
        }
    }

    /// The sidecars of an endpoint; without settings nobody can say what is outdated.
    pub(crate) fn counts(&self, endpoint: &Key, settings: Option<&Settings>) -> Counts {
        let Some(pods) = self.mounted.get(endpoint) else {
            return Counts::default();
        };
        let mut counts = Counts {
            sidecars: pods.len(),
            ..Counts::default()
        };
        let Some(settings) = settings else {
            return counts;
        };
        // Few lifetimes are in use, and a hash takes longer than to look one up.
        let mut hashes: BTreeMap<u32, String> = BTreeMap::new();
        for (pod, mounted) in pods {
            let seconds = mounted.token_expiration_seconds;
            let wanted = hashes
                .entry(seconds)
                .or_insert_with(|| settings.mounts_hash(seconds));
            if *wanted != mounted.hash {
                counts.outdated += 1;
                if counts.pods.len() < OUTDATED_PODS_MAX {
                    counts.pods.push(pod.clone());
                }
            }
        }
        counts
    }

    /// Whether the first list of pods is complete.
    pub(crate) fn is_synced(&self) -> bool {
        self.pods.is_synced()
    }
}

#[cfg(test)]
mod tests {
    use endpoint::Settings;
    use endpoint::status::OUTDATED_PODS_MAX;
    use serde_json::json;

    use super::{Change, Counts, Key, Pod, Sidecars};
    use crate::controller::plan::tests::{pod, resource};

    fn settings() -> Settings {
        Settings::parse(&resource("default", json!({}))).unwrap().0
    }

    fn read(endpoints: &[(&str, &str)]) -> Pod {
        Pod::read(&pod("p", endpoints)["metadata"]).unwrap()
    }

    fn put(sidecars: &mut Sidecars, name: &str, endpoints: &[(&str, &str)]) -> Vec<Key> {
        sidecars.take(Change::Put(Key::new("factory", name), read(endpoints)))
    }

    #[test]
    fn a_sidecar_whose_mounts_differ_is_outdated() {
        let current = settings().mounts_hash(3_600);
        let key = Key::new("factory", "default");
        let mut sidecars = Sidecars::new();
        put(&mut sidecars, "old", &[("default", "0000")]);
        put(&mut sidecars, "new", &[("default", &current)]);
        put(&mut sidecars, "other", &[("cloud", "0000")]);
        let far = Key::new("elsewhere", "far");
        sidecars.take(Change::Put(far, read(&[("default", "0000")])));
        let counts = sidecars.counts(&key, Some(&settings()));
        let wanted = Counts {
            sidecars: 2,
            outdated: 1,
            pods: vec!["old".to_owned()],
        };
        assert_eq!(counts, wanted);
        assert_eq!(sidecars.counts(&key, None).outdated, 0);
    }

    #[test]
    fn the_hash_is_of_the_pods_own_token_lifetime() {
        let mut made = pod("p", &[("default", &settings().mounts_hash(7_200))]);
        made["metadata"]["annotations"]["dataflow-sidecar.io/token-expiration-seconds"] =
            json!("7200");
        let key = Key::new("factory", "default");
        let mut sidecars = Sidecars::new();
        let read = Pod::read(&made["metadata"]).unwrap();
        sidecars.take(Change::Put(Key::new("factory", "p"), read));
        assert_eq!(sidecars.counts(&key, Some(&settings())).outdated, 0);
    }

    #[test]
    fn a_change_concerns_the_endpoints_of_before_and_after() {
        let [a, b] = ["a", "b"].map(|name| Key::new("factory", name));
        let mut sidecars = Sidecars::new();
        assert_eq!(
            put(&mut sidecars, "p", &[("a", "1")]),
            std::slice::from_ref(&a)
        );
        assert_eq!(put(&mut sidecars, "p", &[("a", "1")]), []);
        assert_eq!(
            put(&mut sidecars, "p", &[("b", "1")]),
            [a.clone(), b.clone()]
        );
        assert_eq!(sidecars.counts(&a, None).sidecars, 0);
        assert_eq!(
            sidecars.take(Change::Gone(Key::new("factory", "p"))),
            std::slice::from_ref(&b)
        );
        assert_eq!(sidecars.counts(&b, None), Counts::default());
    }

    #[test]
    fn the_list_of_pods_is_bounded_and_the_count_is_not() {
        let mut sidecars = Sidecars::new();
        for index in 0..30 {
            put(
                &mut sidecars,
                &format!("p{index:02}"),
                &[("default", "0000")],
            );
        }
        let counts = sidecars.counts(&Key::new("factory", "default"), Some(&settings()));
        assert_eq!((counts.sidecars, counts.outdated), (30, 30));
        assert_eq!(counts.pods.len(), OUTDATED_PODS_MAX);
        assert_eq!(counts.pods[19], "p19");
    }

    #[test]
    fn pods_on_their_way_out_and_foreign_ones_do_not_count() {
        let mut leaving = pod("p", &[("default", "1")]);
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let mut foreign = pod("p", &[("default", "1")]);
        foreign["metadata"]["annotations"]["dataflow-sidecar.io/status"] = json!("yes");
        for made in [leaving, foreign, json!({"metadata": {"name": "p"}})] {
            assert_eq!(Pod::read(&made["metadata"]), None, "{made}");
        }
    }
}
