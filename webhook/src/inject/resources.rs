//! CPU and memory of the sidecar: what the annotations say, and else what keeps the pod in the class it has.

use endpoint::contract::{Annotation, resources as defaults};
use serde_json::{Map, Value, json};

use super::annotations::ResourceWishes;
use super::fault::{Fault, FaultKind};
use super::pod::{containers, init_containers};
use super::quantity::Quantity;

/// What the sidecar gets, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// CPU.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
    /// What the pod is like.
    pub class: Class,
}

/// Request and limit of one resource, as quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amount {
    /// The request.
    pub request: Option<String>,
    /// The limit.
    pub limit: Option<String>,
}

/// What decides over the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The pod has resources of its own, which its containers share.
    PodLevel,
    /// Every container has limits equal to its requests.
    Guaranteed,
    /// Anything else.
    Other,
}

/// Decides on requests and limits.
///
/// # Errors
/// A request above its limit.
pub fn decide(pod: &Value, wishes: &ResourceWishes) -> Result<Resources, Vec<Fault>> {
    let class = class(pod);
    let mut faults = Vec::new();
    let mut amount = |resource: &Resource, request: &Option<Quantity>, limit: &Option<Quantity>| {
        faults.extend(resource.inverted(request.as_ref(), limit.as_ref()));
        resource.amount(pod, class, request.as_ref(), limit.as_ref())
    };
    let cpu = amount(&CPU, &wishes.cpu_request, &wishes.cpu_limit);
    let memory = amount(&MEMORY, &wishes.memory_request, &wishes.memory_limit);
    if faults.is_empty() {
        Ok(Resources { cpu, memory, class })
    } else {
        Err(faults)
    }
}

impl Resources {
    /// The container's `resources`; `None` where there are none.
    pub fn to_value(&self) -> Option<Value> {
        let mut resources = Map::new();
        for (key, cpu, memory) in [
            ("limits", &self.cpu.limit, &self.memory.limit),
            ("requests", &self.cpu.request, &self.memory.request),
        ] {
            let amounts: Map<String, Value> = [("cpu", cpu), ("memory", memory)]
                .into_iter()
                .filter_map(|(name, amount)| Some((name.to_owned(), json!(amount.as_ref()?))))
                .collect();
            if !amounts.is_empty() {
                resources.insert(key.to_owned(), Value::Object(amounts));
            }
        }
        (!resources.is_empty()).then_some(Value::Object(resources))
    }

    /// What the annotations do to the pod that its owner may not expect.
    pub fn warnings(&self) -> Vec<String> {
        let differ = |amount: &Amount| amount.request != amount.limit;
        if self.class == Class::Guaranteed && (differ(&self.cpu) || differ(&self.memory)) {
            return vec![
                "the sidecar's request and limit differ: the pod loses QoS class Guaranteed; write them equal".to_owned(),
            ];
        }
        Vec::new()
    }
}

struct Resource {
    name: &'static str,
    request: &'static str,
    limit: &'static str,
    request_key: Annotation,
    limit_key: Annotation,
}

const CPU: Resource = Resource {
    name: "cpu",
    request: defaults::CPU_REQUEST,
    limit: defaults::CPU_LIMIT,
    request_key: Annotation::CpuRequest,
    limit_key: Annotation::CpuLimit,
};

const MEMORY: Resource = Resource {
    name: "memory",
    request: defaults::MEMORY_REQUEST,
    limit: defaults::MEMORY_LIMIT,
    request_key: Annotation::MemoryRequest,
    limit_key: Annotation::MemoryLimit,
};

impl Resource {
    fn amount(
        &self,
        pod: &Value,
        class: Class,
        request: Option<&Quantity>,
        limit: Option<&Quantity>,
    ) -> Amount {
        let text = |quantity: &Quantity| quantity.text.clone();
        match (class, request, limit) {
            (Class::PodLevel, None, None) => Amount::default(),
            (_, Some(request), Some(limit)) => Amount {
                request: Some(text(request)),
                limit: Some(text(limit)),
            },
            (Class::Guaranteed, one, other) => {
                let both = one.or(other).map_or_else(|| self.limit.to_owned(), text);
                Amount {
                    request: Some(both.clone()),
                    limit: Some(both),
                }
            }
            (_, None, Some(limit)) => Amount {
                request: Some(self.request_below(limit)),
                limit: Some(text(limit)),
            },
            (Class::PodLevel, Some(request), None) => Amount {
                request: Some(text(request)),
                limit: None,
            },
            (Class::Other, request, None) => Amount {
                request: Some(request.map_or_else(|| self.request.to_owned(), text)),
                // A quota on limits demands one of every container, and then the app has one too.
                limit: self
                    .every_app_has_limit(pod)
                    .then(|| self.limit_above(request)),
            },
        }
    }

    fn request_below(&self, limit: &Quantity) -> String {
        match Quantity::parse(self.request) {
            Some(request) if request.exceeds(limit) => limit.text.clone(),
            _ => self.request.to_owned(),
        }
    }

    fn limit_above(&self, request: Option<&Quantity>) -> String {
        match (Quantity::parse(self.limit), request) {
            (Some(limit), Some(request)) if request.exceeds(&limit) => request.text.clone(),
            _ => self.limit.to_owned(),
        }
    }

    fn every_app_has_limit(&self, pod: &Value) -> bool {
        let mut apps = containers(pod).peekable();
        apps.peek().is_some()
            && apps.all(|app| {
                amount_of(app, "limits", self.name).is_some_and(|limit| limit.is_positive())
            })
    }

    fn inverted(&self, request: Option<&Quantity>, limit: Option<&Quantity>) -> Option<Fault> {
        let (request, limit) = (request?, limit?);
        request.exceeds(limit).then(|| {
            let message = format!(
                "{:?} is more than the limit {:?} of {}: write at most the limit, or a higher limit",
                request.text, limit.text, self.limit_key
            );
            Fault::annotation(self.request_key, FaultKind::BadAnnotation, message)
        })
    }
}

fn class(pod: &Value) -> Class {
    let own = pod.pointer("/spec/resources").and_then(Value::as_object);
    if own.is_some_and(|own| !own.is_empty()) {
        Class::PodLevel
    } else if is_guaranteed(pod) {
        Class::Guaranteed
    } else {
        Class::Other
    }
}

/// Whether Kubernetes would class the pod Guaranteed: an unwritten request is the limit.
fn is_guaranteed(pod: &Value) -> bool {
    let mut all = containers(pod).chain(init_containers(pod)).peekable();
    all.peek().is_some()
        && all.all(|container| {
            [CPU.name, MEMORY.name].into_iter().all(|resource| {
                let Some(limit) = amount_of(container, "limits", resource) else {
                    return false;
                };
                let written = container.pointer(&format!("/resources/requests/{resource}"));
                let request = amount_of(container, "requests", resource);
                limit.is_positive()
                    && (written.is_none_or(Value::is_null)
                        || request.is_some_and(|request| request.equals(&limit)))
            })
        })
}

fn amount_of(container: &Value, kind: &str, resource: &str) -> Option<Quantity> {
    match container.get("resources")?.get(kind)?.get(resource)? {
        Value::String(text) => Quantity::parse(text),
        Value::Number(number) => Quantity::parse(&number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
