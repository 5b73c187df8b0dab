//! A pod that was injected before: by an earlier review of the same request, or offline.

use endpoint::contract::{Annotation, CONTAINER, InjectionStatus};
use serde_json::Value;

use super::annotations::Wishes;
use super::faults::Fault;
use super::{Found, container, containers, name_of, volumes};

/// The status of a pod that has our container: recognised by its name and a status annotation.
pub(super) fn injected(pod: &Value) -> Option<InjectionStatus> {
    our_container(pod)?;
    let annotations = pod.pointer("/metadata/annotations")?;
    let status = annotations.get(Annotation::Status.key())?.as_str()?;
    InjectionStatus::parse(status).ok()
}

fn our_container(pod: &Value) -> Option<(usize, &Value)> {
    let all = containers(pod, "initContainers").iter().enumerate();
    all.into_iter()
        .find(|(_, container)| name_of(container) == CONTAINER)
}

/// What somebody changed since, so that the sidecar would not do what the annotations say.
pub(super) fn changed(
    pod: &Value,
    status: &InjectionStatus,
    wishes: &Wishes,
    found: &[Found],
) -> Vec<Fault> {
    let Some((index, ours)) = our_container(pod) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let remedy = "inject the object again from its original";
    if !status.endpoint_ports().eq(wishes.endpoints.iter().cloned()) {
        let before: Vec<String> = status
            .endpoint_ports()
            .map(|port| port.to_string())
            .collect();
        let message = format!(
            "was {} when the sidecar was injected: {remedy}",
            before.join(", ")
        );
        faults.push(Fault::of(Annotation::Endpoint, message));
        return faults;
    }
    let path = format!("spec.initContainers[{index}]");
    if ours
        .get("restartPolicy")
        .is_none_or(|policy| policy != "Always")
    {
        let message = format!(
            "must be Always, or the app never starts: something dropped it after the injection; {remedy}"
        );
        faults.push(Fault::at(format!("{path}.restartPolicy"), message));
    }
    if ours.get("args") != Some(&container::args()) {
        let message = format!("must be {}, as injected: {remedy}", container::args());
        faults.push(Fault::at(format!("{path}.args"), message));
    }
    // With another hash the mounts are those of earlier settings, which is told as a warning.
    if warnings(status, wishes, found).is_empty() && found.len() == wishes.endpoints.len() {
        faults.extend(missing_mounts(ours, &path, found, remedy));
    }
    faults
}

fn missing_mounts(ours: &Value, path: &str, found: &[Found], remedy: &str) -> Vec<Fault> {
    let mounts = ours.get("volumeMounts").and_then(Value::as_array);
    let mounts = mounts.map_or(&[][..], Vec::as_slice);
    let same = |left: &Value, right: &Value| {
        left.get("name") == right.get("name") && left.get("mountPath") == right.get("mountPath")
    };
    volumes::mounts(found)
        .iter()
        .filter(|wanted| !mounts.iter().any(|mount| same(mount, wanted)))
        .map(|wanted| {
            let message = format!(
                "has no longer {} at {}: {remedy}",
                wanted["name"], wanted["mountPath"]
            );
            Fault::at(format!("{path}.volumeMounts"), message)
        })
        .collect()
}

/// Endpoints whose settings need other mounts by now.
pub(super) fn warnings(status: &InjectionStatus, wishes: &Wishes, found: &[Found]) -> Vec<String> {
    let outdated = |found: &&Found| {
        let hash = found.settings.mounts_hash(wishes.token_expiration_seconds);
        let injected = status
            .endpoints
            .iter()
            .find(|injected| injected.name == found.settings.name);
        injected.is_some_and(|injected| injected.hash != hash)
    };
    found
        .iter()
        .filter(outdated)
        .map(|found| {
            format!(
                "endpoint {} changed since this object was injected: inject it again",
                found.settings.name
            )
        })
        .collect()
}
