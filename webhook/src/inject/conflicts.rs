//! Pods that cannot take the sidecar, and what is in its way.

use endpoint::contract::mounts::NO_API_TOKEN_VOLUME;
use endpoint::contract::{Annotation, CONTAINER, MOUNTS};
use serde_json::Value;

use super::annotations::Wishes;
use super::faults::Fault;
use super::{containers, name_of};

/// What all our volumes begin with.
const VOLUME_PREFIX: &str = "dataflow-sidecar-";

/// Pods in which no sidecar can run.
pub(super) fn unusable(pod: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    if pod.pointer("/spec/hostNetwork") == Some(&Value::Bool(true)) {
        let message = "the sidecar's listener would be open to the whole node: remove hostNetwork, or the annotation "
            .to_owned() + Annotation::Endpoint.key();
        faults.push(Fault::at("spec.hostNetwork", message));
    }
    let os = pod.pointer("/spec/os/name");
    let selected = pod.pointer("/spec/nodeSelector/kubernetes.io~1os");
    for (field, value) in [
        ("spec.os.name", os),
        ("spec.nodeSelector[kubernetes.io/os]", selected),
    ] {
        if value.is_some_and(|value| value == "windows") {
            let message = format!(
                "the sidecar runs on Linux only: choose linux, or remove the annotation {}",
                Annotation::Endpoint.key()
            );
            faults.push(Fault::at(field, message));
        }
    }
    faults
}

/// Names, folders and ports of ours that something else in the pod has.
pub(super) fn conflicts(pod: &Value, wishes: &Wishes) -> Vec<Fault> {
    let mut faults = Vec::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in containers(pod, list).iter().enumerate() {
            let path = format!("spec.{list}[{index}]");
            if name_of(container) == CONTAINER {
                let message = format!(
                    "{CONTAINER:?} is the name of the injected container: give this one another name"
                );
                faults.push(Fault::at(format!("{path}.name"), message));
            }
            faults.extend(mounts(container, &path));
            faults.extend(ports(container, &path, wishes));
        }
    }
    faults.extend(volumes(pod));
    faults.extend(listener_on_admin_port(wishes));
    faults
}

fn volumes(pod: &Value) -> Vec<Fault> {
    let volumes = containers(pod, "volumes").iter().enumerate();
    volumes
        .filter(|(_, volume)| name_of(volume).starts_with(VOLUME_PREFIX))
        .map(|(index, volume)| {
            let message = format!(
                "{:?} is kept for the sidecar, whose volumes begin with {VOLUME_PREFIX}: give it another name",
                name_of(volume)
            );
            Fault::at(format!("spec.volumes[{index}].name"), message)
        })
        .collect()
}

fn mounts(container: &Value, path: &str) -> Vec<Fault> {
    let mounts = container.get("volumeMounts").and_then(Value::as_array);
    let mounts = mounts.map_or(&[][..], Vec::as_slice).iter().enumerate();
    let ours = |mount: &Value| {
        let path = mount.get("mountPath").and_then(Value::as_str).unwrap_or("");
        name_of(mount) == NO_API_TOKEN_VOLUME
            || path
                .strip_prefix(MOUNTS)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    mounts
        .filter(|(_, mount)| ours(mount))
        .map(|(index, _)| {
            let message =
                format!("the folders below {MOUNTS} are kept for the sidecar: mount it elsewhere");
            Fault::at(format!("{path}.volumeMounts[{index}].mountPath"), message)
        })
        .collect()
}

/// TCP ports that a container declares and the sidecar would listen on.
fn ports(container: &Value, path: &str, wishes: &Wishes) -> Vec<Fault> {
    let ports = container.get("ports").and_then(Value::as_array);
    let ports = ports.map_or(&[][..], Vec::as_slice).iter().enumerate();
    ports
        .filter(|(_, port)| {
            port.get("protocol")
                .is_none_or(|protocol| protocol == "TCP")
        })
        .filter_map(|(index, port)| {
            let number = port.get("containerPort").and_then(Value::as_u64)?;
            let message = port_clash(number, name_of(container), wishes)?;
            Some(Fault::at(
                format!("{path}.ports[{index}].containerPort"),
                message,
            ))
        })
        .collect()
}

fn port_clash(number: u64, container: &str, wishes: &Wishes) -> Option<String> {
    let free = (endpoint::contract::DEFAULT_PORT..=u16::MAX).find(|port| {
        u64::from(*port) != number && wishes.endpoints.iter().all(|other| other.port != *port)
    });
    if let Some(endpoint) = wishes
        .endpoints
        .iter()
        .find(|endpoint| u64::from(endpoint.port) == number)
    {
        let free = free.unwrap_or(endpoint::contract::DEFAULT_PORT);
        return Some(format!(
            "container {container:?} declares port {number}, on which the sidecar would listen for endpoint {:?}: \
             write another in {}, for example {}:{free}",
            endpoint.name,
            Annotation::Endpoint.key(),
            endpoint.name,
        ));
    }
    (u64::from(wishes.metrics_port) == number).then(|| {
        format!(
            "container {container:?} declares port {number}, which is the sidecar's admin port: write another in {}",
            Annotation::MetricsPort.key()
        )
    })
}

fn listener_on_admin_port(wishes: &Wishes) -> Option<Fault> {
    let endpoint = wishes
        .endpoints
        .iter()
        .find(|endpoint| endpoint.port == wishes.metrics_port)?;
    let message = format!(
        "endpoint {:?} has port {}, which is the sidecar's admin port: write another port for it, or another {}",
        endpoint.name,
        endpoint.port,
        Annotation::MetricsPort.key()
    );
    Some(Fault::of(Annotation::Endpoint, message))
}
