//! Pods that come with the sidecar: reviewed a second time because another webhook changed them, or injected offline.
//!
//! Nothing is added or moved then. What others added stays, and an image that another webhook rewrote. Only what the
//! sidecar cannot run without is compared.

use endpoint::contract::{Annotation, EndpointPort, InjectionStatus, env};
use serde_json::Value;

use super::Plan;
use super::annotations::Wishes;
use super::container::{args, environment, named};
use super::fault::{Fault, FaultKind};
use super::pod::{init_containers, sidecar_index, text};
use super::volumes::Volume;

/// What differs from an injection of today.
#[derive(Debug, Default, PartialEq)]
pub struct Differences {
    /// What the pod is refused for.
    pub faults: Vec<Fault>,
    /// What its owner is told.
    pub warnings: Vec<String>,
}

/// The status of an injected pod: one with an init container of our name and an annotation of ours that can be read.
pub fn status(pod: &Value) -> Option<InjectionStatus> {
    sidecar_index(pod)?;
    let annotation = pod
        .pointer("/metadata/annotations")?
        .get(Annotation::Status.key())?;
    InjectionStatus::parse(annotation.as_str()?).ok()
}

/// Compares an injected pod with what would be injected; `plan` is absent where that cannot be said.
pub fn compare(
    pod: &Value,
    wishes: &Wishes,
    before: &InjectionStatus,
    plan: Option<&Plan>,
) -> Differences {
    let mut differences = Differences::default();
    let Some((index, container)) =
        sidecar_index(pod).and_then(|index| Some((index, init_containers(pod).nth(index)?)))
    else {
        return differences;
    };
    let path = format!("spec.initContainers[{index}]");
    let mut fault = |field: &str, message: String| {
        differences.faults.push(Fault::field(
            format!("{path}.{field}"),
            FaultKind::Changed,
            message,
        ));
    };
    if text(container, "restartPolicy") != "Always" {
        fault(
            "restartPolicy",
            format!(
                "is {:?}, and without \"Always\" the sidecar keeps the pod from starting: write \"Always\"; another webhook that knows no native sidecars drops it",
                text(container, "restartPolicy"),
            ),
        );
    }
    let command = container
        .get("command")
        .filter(|command| !command.is_null());
    if command.is_some() || container.get("args") != Some(&args()) {
        fault(
            "args",
            format!(
                "command and args must be as injected: write args: {}, and no command",
                args()
            ),
        );
    }
    let asked = &wishes.endpoints;
    if !asked.is_empty() && !before.endpoint_ports().eq(asked.iter().cloned()) {
        differences.faults.push(changed_endpoints(before));
        return differences;
    }
    if let Some(plan) = plan {
        let stale = warn_of_stale(before, plan, &mut differences);
        compare_environment(&path, container, plan, stale, &mut differences);
        compare_volumes(&path, pod, container, plan, stale, &mut differences);
    }
    differences
}

fn changed_endpoints(before: &InjectionStatus) -> Fault {
    let injected: Vec<String> = before
        .endpoint_ports()
        .map(|endpoint: EndpointPort| endpoint.to_string())
        .collect();
    let message = format!(
        "the sidecar was injected for {}, and an injected object cannot change its endpoints: write {:?}, or inject the original manifest again",
        injected.join(", "),
        injected.join(","),
    );
    Fault::annotation(Annotation::Endpoint, FaultKind::Changed, message)
}

/// Whether an endpoint needs other volumes now: then the pod keeps those it was injected with, and what names them.
fn warn_of_stale(before: &InjectionStatus, plan: &Plan, differences: &mut Differences) -> bool {
    let pairs = before.endpoints.iter().zip(&plan.listeners);
    for (_, now) in pairs
        .clone()
        .filter(|(before, now)| before.hash != now.hash)
    {
        differences.warnings.push(format!(
            "endpoint {} changed since the sidecar was injected: inject again, it runs with the old settings",
            now.name
        ));
    }
    pairs.clone().any(|(before, now)| before.hash != now.hash)
}

/// The variables stand for the program's flags. The last two only tune it.
fn compare_environment(
    path: &str,
    container: &Value,
    plan: &Plan,
    stale: bool,
    differences: &mut Differences,
) {
    let found = container.get("env").unwrap_or(&Value::Null);
    for wanted in environment(plan) {
        let name = text(&wanted, "name");
        if named(found, name).is_some_and(|found| contains(found, &wanted)) {
            continue;
        }
        if name == env::SOURCES && stale {
            continue;
        }
        if [env::READINESS, env::LOG].contains(&name) {
            differences.warnings.push(format!(
                "{name} of the injected sidecar stays as it is, not as the annotations say"
            ));
        } else {
            let message = format!(
                "must be as injected, {}: write that, or inject the original manifest again",
                wanted
                    .get("value")
                    .or(wanted.get("valueFrom"))
                    .unwrap_or(&Value::Null)
            );
            differences.faults.push(Fault::field(
                format!("{path}.env[{name}]"),
                FaultKind::Changed,
                message,
            ));
        }
    }
}

fn compare_volumes(
    path: &str,
    pod: &Value,
    container: &Value,
    plan: &Plan,
    stale: bool,
    differences: &mut Differences,
) {
    let mounts = container.get("volumeMounts").unwrap_or(&Value::Null);
    let volumes = pod.pointer("/spec/volumes").unwrap_or(&Value::Null);
    // With another method or Secret other volumes would be injected now: then only those count that always are.
    let compared = plan.volumes.iter().filter(|volume| volume.always || !stale);
    for volume in compared {
        differences
            .faults
            .extend(compare_volume(path, volume, mounts, volumes));
    }
}

fn compare_volume(path: &str, wanted: &Volume, mounts: &Value, volumes: &Value) -> Option<Fault> {
    let name = &wanted.name;
    // A volume can be mounted twice; one mount must be ours.
    let mounted = mounts
        .as_array()
        .is_some_and(|mounts| mounts.iter().any(|mount| contains(mount, &wanted.mount())));
    let there = named(volumes, name).is_some_and(|volume| contains(volume, &wanted.value));
    let (field, write) = match (mounted, there) {
        (true, true) => return None,
        (false, _) => (format!("{path}.volumeMounts[{name}]"), wanted.mount()),
        (true, false) => (format!("spec.volumes[{name}]"), wanted.value.clone()),
    };
    let message =
        format!("must be as injected: write {write}, or inject the original manifest again");
    Some(Fault::field(field, FaultKind::Changed, message))
}

/// Whether everything wanted is there; the API server adds fields with their defaults.
fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| found.get(key).is_some_and(|found| contains(found, wanted))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found
                    .iter()
                    .zip(wanted)
                    .all(|(found, wanted)| contains(found, wanted))
        }
        (found, wanted) => found == wanted,
    }
}
