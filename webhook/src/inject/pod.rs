//! How the parts of a raw pod are found.

use endpoint::contract::mounts::NO_API_TOKEN_VOLUME;
use endpoint::contract::{CONTAINER, Mount};
use serde_json::Value;

/// The lists of containers in a pod.
pub const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The items of a list in the pod's spec; none where it is absent.
pub fn list<'a>(pod: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    pod.get("spec")
        .and_then(|spec| spec.get(name))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The app containers.
pub fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "containers")
}

/// The init containers, native sidecars among them.
pub fn init_containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "initContainers")
}

/// Every container with its path, the injected one among them.
pub fn all_containers(pod: &Value) -> impl Iterator<Item = (String, &Value)> {
    CONTAINER_LISTS.into_iter().flat_map(move |name| {
        list(pod, name)
            .enumerate()
            .map(move |(index, container)| (format!("spec.{name}[{index}]"), container))
    })
}

/// A field with text; empty where it is absent.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an init container keeps running beside the app.
pub fn is_native_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Where the injected container stands in `initContainers`.
pub fn sidecar_index(pod: &Value) -> Option<usize> {
    init_containers(pod).position(|container| text(container, "name") == CONTAINER)
}

/// Whether a volume's name is one that this program gives.
pub fn is_our_volume(name: &str) -> bool {
    let numbered = name
        .strip_prefix("dataflow-sidecar-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(index, dir)| {
            !index.is_empty()
                && index.bytes().all(|b| b.is_ascii_digit())
                && Mount::ALL.into_iter().any(|mount| mount.dir() == dir)
        });
    numbered || name == NO_API_TOKEN_VOLUME
}

#[cfg(test)]
mod tests {
    use super::{all_containers, is_our_volume};
    use endpoint::contract::Mount;
    use endpoint::contract::mounts::NO_API_TOKEN_VOLUME;
    use serde_json::json;

    #[test]
    fn our_volumes_are_known_by_name() {
        for mount in Mount::ALL {
            assert!(is_our_volume(&mount.volume(12)));
        }
        assert!(is_our_volume(NO_API_TOKEN_VOLUME));
        for name in [
            "dataflow-sidecar-config",
            "dataflow-sidecar-x-config",
            "dataflow-sidecar-0-data",
            "config",
            "",
        ] {
            assert!(!is_our_volume(name), "{name:?}");
        }
    }

    #[test]
    fn every_container_has_its_path() {
        let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}});
        let paths: Vec<String> = all_containers(&pod).map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "spec.initContainers[0]",
                "spec.containers[0]",
                "spec.containers[1]"
            ]
        );
    }
}
