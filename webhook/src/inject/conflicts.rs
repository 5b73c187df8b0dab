//! What in a pod cannot stand beside the sidecar.

use std::path::Path;

use endpoint::contract::{Annotation, CONTAINER, MOUNTS};
use serde_json::Value;

use super::annotations::Wishes;
use super::fault::{Fault, FaultKind};
use super::pod::{all_containers, is_our_volume, list, text};

/// Pods that cannot carry the sidecar.
pub fn unsupported(pod: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let opt_out = format!("{}: \"false\"", Annotation::Inject);
    if pod.pointer("/spec/hostNetwork").and_then(Value::as_bool) == Some(true) {
        faults.push(Fault::field(
            "spec.hostNetwork",
            FaultKind::Unsupported,
            format!("localhost is the node's, so any process of the node could use the sidecar without credentials: remove hostNetwork, or write {opt_out}"),
        ));
    }
    let os = pod.pointer("/spec/os/name").and_then(Value::as_str);
    let selector = pod
        .pointer("/spec/nodeSelector/kubernetes.io~1os")
        .and_then(Value::as_str);
    for (path, value) in [
        ("spec.os.name", os),
        ("spec.nodeSelector[kubernetes.io/os]", selector),
    ] {
        if value == Some("windows") {
            faults.push(Fault::field(
                path,
                FaultKind::Unsupported,
                format!(
                    "the sidecar runs on Linux only: let the pod run there, or write {opt_out}"
                ),
            ));
        }
    }
    faults
}

/// Ports that the sidecar would listen on and another listener or container has.
pub fn ports(pod: &Value, wishes: &Wishes) -> Vec<Fault> {
    let mut faults = Vec::new();
    let taken = taken_ports(pod, wishes);
    for endpoint in &wishes.endpoints {
        if endpoint.port == wishes.admin_port {
            let message = format!(
                "endpoint {:?} would listen on port {}, which is the sidecar's admin port: write {}:{}, or another {}",
                endpoint.name,
                endpoint.port,
                endpoint.name,
                free_port(endpoint.port, &taken),
                Annotation::MetricsPort,
            );
            faults.push(Fault::annotation(
                Annotation::Endpoint,
                FaultKind::PortConflict,
                message,
            ));
        }
    }
    for (path, container, port) in declared(pod) {
        let name = text(container, "name");
        for endpoint in wishes
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.port == port)
        {
            let message = format!(
                "endpoint {:?} would listen on port {port}, which container {name:?} declares ({path}): write {}:{}, or change that port",
                endpoint.name,
                endpoint.name,
                free_port(port, &taken),
            );
            faults.push(Fault::annotation(
                Annotation::Endpoint,
                FaultKind::PortConflict,
                message,
            ));
        }
        if port == wishes.admin_port {
            let message = format!(
                "the sidecar's admin server would listen on port {port}, which container {name:?} declares ({path}): write {:?}, or change that port",
                free_port(port, &taken).to_string(),
            );
            faults.push(Fault::annotation(
                Annotation::MetricsPort,
                FaultKind::PortConflict,
                message,
            ));
        }
    }
    faults
}

/// Containers, volumes and mounts of our names that we did not add. `injected` tells that the init container and the
/// volumes of our names are ours.
pub fn names(pod: &Value, injected: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, container) in all_containers(pod) {
        if text(container, "name") == CONTAINER {
            if !injected || !path.starts_with("spec.initContainers") {
                let message = format!(
                    "a container is already named {CONTAINER:?}, and the injected one must have that name: name it otherwise, or remove it if it is left from an injection"
                );
                faults.push(Fault::field(
                    format!("{path}.name"),
                    FaultKind::NameConflict,
                    message,
                ));
            }
            continue;
        }
        faults.extend(foreign_mounts(&path, container));
    }
    if !injected {
        for (index, volume) in list(pod, "volumes").enumerate() {
            let name = text(volume, "name");
            if is_our_volume(name) {
                let message = format!(
                    "a volume is already named {name:?}, and names like that are the sidecar's: name it otherwise, or remove it if it is left from an injection"
                );
                faults.push(Fault::field(
                    format!("spec.volumes[{index}].name"),
                    FaultKind::NameConflict,
                    message,
                ));
            }
        }
    }
    faults
}

/// Mounts by which another container would read the sidecar's credentials, or pretend to have them.
fn foreign_mounts(path: &str, container: &Value) -> Vec<Fault> {
    let mounts = container.get("volumeMounts").and_then(Value::as_array);
    let container = text(container, "name");
    mounts
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(index, mount)| {
            let (name, folder) = (text(mount, "name"), text(mount, "mountPath"));
            let (field, message) = if is_our_volume(name) {
                let message = format!(
                    "container {container:?} mounts {name:?}, and volumes named like that hold the sidecar's credentials: mount a volume of your own"
                );
                ("name", message)
            } else if Path::new(folder).starts_with(MOUNTS) {
                let message = format!(
                    "container {container:?} mounts {folder:?}, and the folders below {MOUNTS} are the sidecar's: mount it elsewhere"
                );
                ("mountPath", message)
            } else {
                return None;
            };
            let place = format!("{path}.volumeMounts[{index}].{field}");
            Some(Fault::field(place, FaultKind::NameConflict, message))
        })
        .collect()
}

/// The TCP ports that containers other than ours declare, each with its path.
fn declared(pod: &Value) -> impl Iterator<Item = (String, &Value, u16)> {
    all_containers(pod)
        .filter(|(_, container)| text(container, "name") != CONTAINER)
        .flat_map(|(path, container)| {
            let ports = container.get("ports").and_then(Value::as_array);
            ports
                .into_iter()
                .flatten()
                .enumerate()
                .filter(|(_, port)| matches!(text(port, "protocol"), "" | "TCP"))
                .filter_map(move |(index, port)| {
                    let number = u16::try_from(port.get("containerPort")?.as_u64()?).ok()?;
                    Some((format!("{path}.ports[{index}]"), container, number))
                })
                .collect::<Vec<_>>()
        })
}

fn taken_ports(pod: &Value, wishes: &Wishes) -> Vec<u16> {
    declared(pod)
        .map(|(_, _, port)| port)
        .chain(wishes.endpoints.iter().map(|endpoint| endpoint.port))
        .chain([wishes.admin_port])
        .collect()
}

fn free_port(port: u16, taken: &[u16]) -> u16 {
    (port..=u16::MAX)
        .chain(1024..port)
        .find(|candidate| !taken.contains(candidate))
        .unwrap_or(port)
}

#[cfg(test)]
mod tests {
    use super::{names, ports, unsupported};
    use crate::inject::annotations::{Asked, Wishes, read};
    use crate::inject::fault::Fault;
    use serde_json::{Value, json};

    fn wishes(endpoint: &str) -> Wishes {
        let pod = json!({"metadata": {"annotations": {"dataflow-sidecar.io/endpoint": endpoint}}});
        match read(&pod) {
            (Asked::Sidecar(wishes), _) => *wishes,
            other => panic!("{other:?}"),
        }
    }

    fn texts(faults: &[Fault]) -> Vec<String> {
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pods_that_cannot_carry_a_sidecar_are_told_why() {
        for (spec, wanted) in [
            (
                json!({"hostNetwork": true}),
                Some("spec.hostNetwork: localhost is the node's"),
            ),
            (
                json!({"os": {"name": "windows"}}),
                Some("spec.os.name: the sidecar runs on Linux only"),
            ),
            (
                json!({"nodeSelector": {"kubernetes.io/os": "windows"}}),
                Some("spec.nodeSelector[kubernetes.io/os]: the sidecar runs on Linux only"),
            ),
            (json!({"hostNetwork": false, "os": {"name": "linux"}}), None),
            (json!({"nodeSelector": {"kubernetes.io/os": "linux"}}), None),
        ] {
            let faults = texts(&unsupported(&json!({ "spec": spec })));
            assert_eq!(faults.len(), usize::from(wanted.is_some()), "{faults:?}");
            if let Some(wanted) = wanted {
                assert!(faults[0].starts_with(wanted), "{}", faults[0]);
            }
        }
    }

    #[test]
    fn a_port_is_for_one_listener() {
        let container = |name: &str, ports: Value| json!({"name": name, "ports": ports});
        for (endpoint, spec, wanted) in [
            (
                "a:9464",
                json!({}),
                Some("is the sidecar's admin port: write a:9465"),
            ),
            (
                "a",
                json!({"containers": [container("mq", json!([{"containerPort": 80}, {"containerPort": 1883}]))]}),
                Some("container \"mq\" declares (spec.containers[0].ports[1]): write a:1884"),
            ),
            (
                "a,b",
                json!({"initContainers": [container("i", json!([{"containerPort": 1883, "protocol": "TCP"}]))]}),
                Some("container \"i\" declares (spec.initContainers[0].ports[0]): write a:1885"),
            ),
            (
                "a",
                json!({"containers": [container("m", json!([{"containerPort": 9464}]))]}),
                Some(
                    "dataflow-sidecar.io/metrics-port: the sidecar's admin server would listen on port 9464",
                ),
            ),
            (
                "a",
                json!({"containers": [container("m", json!([{"containerPort": 1883, "protocol": "UDP"}]))]}),
                None,
            ),
            (
                "a",
                json!({"initContainers": [container("dataflow-sidecar", json!([{"containerPort": 9464}]))]}),
                None,
            ),
        ] {
            let faults = texts(&ports(&json!({ "spec": spec }), &wishes(endpoint)));
            assert_eq!(faults.len(), usize::from(wanted.is_some()), "{faults:?}");
            if let Some(wanted) = wanted {
                assert!(faults[0].contains(wanted), "{}", faults[0]);
            }
        }
    }

    #[test]
    fn our_names_are_ours_alone() {
        let pod = json!({"spec": {
            "containers": [
                {"name": "dataflow-sidecar"},
                {"name": "app", "volumeMounts": [
                    {"name": "x", "mountPath": "/var/run/dataflow-sidecars"},
                    {"name": "dataflow-sidecar-0-token", "mountPath": "/t"},
                    {"name": "x", "mountPath": "/var/run/dataflow-sidecar/default"},
                ]},
            ],
            "initContainers": [{"name": "dataflow-sidecar"}],
            "volumes": [{"name": "x"}, {"name": "dataflow-sidecar-3-credentials"}],
        }});
        let faults = texts(&names(&pod, false));
        let begins: Vec<&str> = faults
            .iter()
            .map(|fault| fault.split(": ").next().unwrap())
            .collect();
        assert_eq!(
            begins,
            [
                "spec.initContainers[0].name",
                "spec.containers[0].name",
                "spec.containers[1].volumeMounts[1].name",
                "spec.containers[1].volumeMounts[2].mountPath",
                "spec.volumes[1].name",
            ]
        );
        let faults = texts(&names(&pod, true));
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(
            faults[0].starts_with("spec.containers[0].name"),
            "{}",
            faults[0]
        );
    }
}
