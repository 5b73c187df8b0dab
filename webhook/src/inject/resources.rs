//! Requests and limits of the sidecar, so that the pod keeps its class and passes its quotas.

use endpoint::contract::{Annotation, resources};
use serde_json::{Map, Value, json};

use super::annotations::{RequestAndLimit, Wishes};
use super::containers;
use super::faults::Fault;
use super::quantity::Quantity;

/// What goes into `resources`, and what the person should know.
#[derive(Debug)]
pub(super) struct Resources {
    /// `None` where the pod has resources of its own.
    pub(super) value: Option<Value>,
    pub(super) warnings: Vec<String>,
}

/// One resource with its defaults and annotations.
struct Kind {
    name: &'static str,
    request: &'static str,
    limit: &'static str,
    request_key: Annotation,
    limit_key: Annotation,
}

const CPU: Kind = Kind {
    name: "cpu",
    request: resources::CPU_REQUEST,
    limit: resources::CPU_LIMIT,
    request_key: Annotation::CpuRequest,
    limit_key: Annotation::CpuLimit,
};
const MEMORY: Kind = Kind {
    name: "memory",
    request: resources::MEMORY_REQUEST,
    limit: resources::MEMORY_LIMIT,
    request_key: Annotation::MemoryRequest,
    limit_key: Annotation::MemoryLimit,
};

pub(super) fn resources(pod: &Value, wishes: &Wishes) -> Result<Resources, Vec<Fault>> {
    let of_pod = pod.pointer("/spec/resources").and_then(Value::as_object);
    if of_pod.is_some_and(|resources| !resources.is_empty()) {
        // Requests of containers would be counted against the pod's own, which may be full.
        let nothing = RequestAndLimit::default();
        let unused = wishes.cpu != nothing || wishes.memory != nothing;
        let warning = "cpu and memory annotations have no effect: the pod has resources of its own";
        let warnings = unused.then(|| warning.to_owned()).into_iter().collect();
        return Ok(Resources {
            value: None,
            warnings,
        });
    }
    let guaranteed = is_guaranteed(pod);
    let mut faults = Vec::new();
    let (mut requests, mut limits) = (Map::new(), Map::new());
    for (kind, wish) in [(CPU, &wishes.cpu), (MEMORY, &wishes.memory)] {
        let limited = every_app_container_limits(pod, kind.name);
        let (request, limit) = match guaranteed {
            true => guaranteed_values(&kind, wish),
            false => burstable_values(&kind, wish, limited),
        };
        faults.extend(check(&kind, &request, limit.as_deref(), guaranteed));
        requests.insert(kind.name.to_owned(), request.into());
        if let Some(limit) = limit {
            limits.insert(kind.name.to_owned(), limit.into());
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut value = json!({ "requests": requests });
    if !limits.is_empty() {
        value["limits"] = Value::Object(limits);
    }
    Ok(Resources {
        value: Some(value),
        warnings: Vec::new(),
    })
}

/// Request and limit are one: either annotation sets both.
fn guaranteed_values(kind: &Kind, wish: &RequestAndLimit) -> (String, Option<String>) {
    let request = wish.request.as_ref().or(wish.limit.as_ref());
    let limit = wish.limit.as_ref().or(wish.request.as_ref());
    let or_default =
        |value: Option<&String>| value.cloned().unwrap_or_else(|| kind.limit.to_owned());
    (or_default(request), Some(or_default(limit)))
}

/// A limit only where the app has one too, or the annotation asks for it.
fn burstable_values(
    kind: &Kind,
    wish: &RequestAndLimit,
    limited: bool,
) -> (String, Option<String>) {
    let larger = |left: &str, right: &str| Quantity::parse(left) > Quantity::parse(right);
    match (&wish.request, &wish.limit) {
        (Some(request), Some(limit)) => (request.clone(), Some(limit.clone())),
        (None, Some(limit)) => {
            let request = if larger(kind.request, limit) {
                limit
            } else {
                kind.request
            };
            (request.to_owned(), Some(limit.clone()))
        }
        (Some(request), None) => {
            let limit = if larger(request, kind.limit) {
                request
            } else {
                kind.limit
            };
            (request.clone(), limited.then(|| limit.to_owned()))
        }
        (None, None) => (
            kind.request.to_owned(),
            limited.then(|| kind.limit.to_owned()),
        ),
    }
}

fn check(kind: &Kind, request: &str, limit: Option<&str>, guaranteed: bool) -> Option<Fault> {
    let limit = limit?;
    let (wanted, allowed) = (Quantity::parse(request), Quantity::parse(limit));
    if wanted > allowed {
        let message = format!(
            "{request} is above {} {limit}: write a request of at most {limit}, or raise the limit",
            kind.limit_key.key()
        );
        return Some(Fault::of(kind.request_key, message));
    }
    if guaranteed && wanted != allowed {
        let message = format!(
            "{request} differs from {} {limit}, and the pod would no longer be Guaranteed: write one of the two, which sets both",
            kind.limit_key.key()
        );
        return Some(Fault::of(kind.request_key, message));
    }
    None
}

/// Whether Kubernetes would class the pod Guaranteed without us: every container has cpu and memory limits that equal
/// its requests; requests that are not written count as the limits.
fn is_guaranteed(pod: &Value) -> bool {
    let all = ["containers", "initContainers"].map(|list| containers(pod, list));
    let equal = |container: &Value, name: &str| {
        let limit = quantity(container, "limits", name);
        let request = quantity(container, "requests", name);
        limit.is_some() && (request.is_none() || request == limit)
    };
    !all[0].is_empty()
        && all
            .into_iter()
            .flatten()
            .all(|container| equal(container, CPU.name) && equal(container, MEMORY.name))
}

fn every_app_container_limits(pod: &Value, name: &str) -> bool {
    let all = containers(pod, "containers");
    !all.is_empty()
        && all
            .iter()
            .all(|container| quantity(container, "limits", name).is_some())
}

/// A quantity of a container; files may have numbers where the API server has strings.
fn quantity(container: &Value, list: &str, name: &str) -> Option<Quantity> {
    match container.get("resources")?.get(list)?.get(name)? {
        Value::String(text) => Quantity::parse(text),
        Value::Number(number) => Quantity::parse(&number.to_string()),
        _ => None,
    }
}
