//! What a pod gets: the decisions of injection, on the raw object and without IO.
//!
//! The answer is a list of JSON-patch `add` operations, or every fault at once. Nothing is decoded into typed objects,
//! so fields that we do not know stay as they are. The same pod gives the same operations.

pub mod annotations;
pub mod faults;
mod again;
mod conflicts;
mod container;
mod environment;
mod operations;
mod quantity;
mod resources;
mod volumes;

use std::sync::Arc;

use endpoint::contract::{
    Annotation, InjectedEndpoint, InjectionStatus, LABEL_INJECTED, LABEL_INJECTED_VALUE, prometheus,
};
use endpoint::{Settings, suggest};
use serde_json::{Value, json};

use annotations::{Asked, Wishes};
use faults::Fault;
use operations::Operations;

/// Where endpoints are looked up.
pub trait Endpoints {
    /// The resource of this name, of whatever endpoint type.
    fn find(&self, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// Names of all endpoints of a namespace, for suggestions.
    fn names(&self, namespace: &str) -> Vec<String>;
}

/// What is the same for every pod.
#[derive(Debug, Clone)]
pub struct Options {
    /// Image of the sidecar, unless a pod names its own.
    pub image: String,
    /// Version in the status annotation.
    pub version: String,
}

/// What becomes of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It has no annotation of ours, or opts out.
    Untouched,
    /// It is injected by these operations.
    Injected {
        /// JSON-patch operations (RFC 6902), `add` only.
        operations: Vec<Value>,
        /// For the person who applies it.
        warnings: Vec<String>,
    },
    /// It was injected before: nothing is added or moved.
    Again {
        /// For the person who applies it.
        warnings: Vec<String>,
    },
    /// It cannot be injected.
    Denied(Vec<Fault>),
}

/// An endpoint that the pod asks for, found and checked.
pub(crate) struct Found {
    pub(crate) settings: Settings,
    pub(crate) port: u16,
}

/// Decides about one pod; `pod` is the object as the API server, or a file, has it.
pub fn inject(
    pod: &Value,
    namespace: &str,
    endpoints: &dyn Endpoints,
    options: &Options,
) -> Outcome {
    let annotations = pod.pointer("/metadata/annotations");
    let wishes = match annotations::read(annotations) {
        Ok(Asked::Nothing | Asked::OptedOut) => return Outcome::Untouched,
        Ok(Asked::Injection(wishes)) => wishes,
        Err(faults) => return Outcome::Denied(faults),
    };
    let (found, mut faults) = find_all(&wishes, namespace, endpoints);
    faults.extend(conflicts::unusable(pod));
    let injected = again::injected(pod);
    match &injected {
        Some(status) => faults.extend(again::changed(pod, status, &wishes, &found)),
        None => faults.extend(conflicts::conflicts(pod, &wishes)),
    }
    let resources = resources::resources(pod, &wishes);
    let resources = match (resources, injected) {
        (_, Some(status)) if faults.is_empty() => {
            let warnings = again::warnings(&status, &wishes, &found);
            return Outcome::Again { warnings };
        }
        (Ok(resources), _) if faults.is_empty() => resources,
        (Ok(_), _) => return Outcome::Denied(faults),
        (Err(more), _) => {
            faults.extend(more);
            return Outcome::Denied(faults);
        }
    };
    let mut operations = Operations::new(pod);
    let container = container::container(pod, &wishes, &found, resources.value, options);
    operations.prepend("/spec/initContainers", container);
    for volume in volumes::volumes(&wishes, &found) {
        operations.append("/spec/volumes", volume);
    }
    environment::add(pod, &found, &wishes, &mut operations);
    add_metadata(pod, &wishes, &found, options, &mut operations);
    let mut warnings = resources.warnings;
    warnings.extend(wishes.warnings());
    Outcome::Injected {
        operations: operations.into_values(),
        warnings,
    }
}

/// Looks up every endpoint; each that is missing or broken is a fault.
fn find_all(
    wishes: &Wishes,
    namespace: &str,
    endpoints: &dyn Endpoints,
) -> (Vec<Found>, Vec<Fault>) {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for wanted in &wishes.endpoints {
        match find(&wanted.name, namespace, endpoints) {
            Ok(settings) => found.push(Found {
                settings,
                port: wanted.port,
            }),
            Err(message) => faults.push(Fault::of(Annotation::Endpoint, message)),
        }
    }
    (found, faults)
}

fn find(name: &str, namespace: &str, endpoints: &dyn Endpoints) -> Result<Settings, String> {
    let Some(resource) = endpoints.find(namespace, name) else {
        return Err(unknown(name, namespace, &endpoints.names(namespace)));
    };
    let endpoint_type = resource
        .pointer("/spec/endpointType")
        .and_then(Value::as_str);
    if endpoint_type.is_some_and(|endpoint_type| !endpoint_type.eq_ignore_ascii_case("Mqtt")) {
        let endpoint_type = endpoint_type.unwrap_or_default();
        return Err(format!(
            "DataflowEndpoint {name:?} in namespace {namespace:?} has endpointType {endpoint_type}: \
             name an endpoint with endpointType Mqtt"
        ));
    }
    Settings::parse(&resource).map(|(settings, _)| settings).map_err(|violations| {
        let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
        format!(
            "DataflowEndpoint {name:?} in namespace {namespace:?} breaks a rule; mend it first: {}",
            violations.join("; ")
        )
    })
}

/// Why an endpoint was not found, with the nearest names.
pub fn unknown(name: &str, namespace: &str, known: &[String]) -> String {
    const NAMED_MAX: usize = 5;
    let names = known.iter().map(String::as_str);
    let near = suggest::nearest_all(name, names, 3);
    let help = match (near.as_slice(), known) {
        ([], []) => "the namespace has none: create it, or correct the namespace".to_owned(),
        ([], known) => {
            let named: Vec<&str> = known.iter().take(NAMED_MAX).map(String::as_str).collect();
            let rest = match known.len().saturating_sub(NAMED_MAX) {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            format!(
                "create it, or write one that is there: {}{rest}",
                named.join(", ")
            )
        }
        (near, _) => format!("did you mean {}?", near.join(" or ")),
    };
    format!("no DataflowEndpoint {name:?} in namespace {namespace:?}: {help}")
}

fn add_metadata(
    pod: &Value,
    wishes: &Wishes,
    found: &[Found],
    options: &Options,
    operations: &mut Operations,
) {
    let label = Value::from(LABEL_INJECTED_VALUE);
    operations.set("/metadata/labels", LABEL_INJECTED, label);
    let status = InjectionStatus {
        version: options.version.clone(),
        endpoints: found
            .iter()
            .map(|found| InjectedEndpoint {
                name: found.settings.name.clone(),
                port: found.port,
                hash: found.settings.mounts_hash(wishes.token_expiration_seconds),
            })
            .collect(),
    };
    let key = Annotation::Status.key();
    operations.set("/metadata/annotations", key, status.to_annotation().into());
    let annotations = pod.pointer("/metadata/annotations");
    let has_own =
        |key: &&str| annotations.is_some_and(|annotations| annotations.get(*key).is_some());
    if !prometheus::ALL.iter().any(|key| has_own(key)) {
        for (key, value) in [
            (prometheus::SCRAPE, "true".to_owned()),
            (prometheus::PORT, wishes.metrics_port.to_string()),
            (
                prometheus::PATH,
                endpoint::contract::admin_path::METRICS.to_owned(),
            ),
        ] {
            operations.set("/metadata/annotations", key, json!(value));
        }
    }
}

/// App containers, or init containers; empty where there are none.
pub(crate) fn containers<'a>(pod: &'a Value, list: &str) -> &'a [Value] {
    pod.pointer(&format!("/spec/{list}"))
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A container's name, for messages.
pub(crate) fn name_of(container: &Value) -> &str {
    container.get("name").and_then(Value::as_str).unwrap_or("")
}
