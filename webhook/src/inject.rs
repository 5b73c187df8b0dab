//! Injection: from a raw pod and the answers about its endpoints to a patch, or to every fault at once.
//!
//! No IO and no clock: the webhook's server and the offline commands run the same function on what they have read. The
//! same input gives the same bytes, and the output given in again is left as it is.

pub mod annotations;
pub mod endpoints;
pub mod conflicts;
pub mod resources;
pub mod container;
pub mod volumes;
pub mod environment;
pub mod again;
pub mod fault;
pub mod pod;
pub mod quantity;

use endpoint::Settings;
use endpoint::contract::{
    Annotation, InjectedEndpoint, InjectionStatus, LABEL_INJECTED, LABEL_INJECTED_VALUE, LogLevel,
    Readiness, admin_path, prometheus,
};
use serde_json::{Value, json};

use crate::patch::Patch;
use annotations::{Asked, Wishes};
use container::RunAs;
use endpoints::Answers;
use environment::ContainerEnvironment;
use fault::{Fault, Place};
use resources::Resources;
use volumes::Volume;

/// What the installation says about every sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Image of the sidecar, where a pod names no other.
    pub image: String,
    /// Version of the webhook.
    pub version: String,
}

/// A pod, or a pod template, to decide on.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The raw object.
    pub pod: &'a Value,
    /// Its namespace: a pod that a controller makes may not say it.
    pub namespace: &'a str,
    /// What was found for the endpoints that it names.
    pub answers: &'a Answers,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is to be done.
    pub outcome: Outcome,
    /// What the client is told beside it.
    pub warnings: Vec<String>,
}

/// What is to be done with a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Nothing: it has no annotation of ours.
    NotAnnotated,
    /// Nothing: it says `inject: "false"`.
    OptedOut,
    /// The sidecar is added.
    Injected {
        /// What is added, and why.
        plan: Box<Plan>,
        /// How.
        patch: Patch,
    },
    /// Nothing: the sidecar is there already.
    Again {
        /// What would be added.
        plan: Box<Plan>,
    },
    /// It is refused.
    Denied(Vec<Fault>),
}

/// Everything that is added to a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The endpoints in the order of the annotation.
    pub listeners: Vec<Listener>,
    /// Image of the sidecar.
    pub image: String,
    /// Port of the admin server.
    pub admin_port: u16,
    /// What makes the sidecar unready.
    pub readiness: Readiness,
    /// Log level.
    pub log_level: LogLevel,
    /// The uid.
    pub run_as: RunAs,
    /// CPU and memory.
    pub resources: Resources,
    /// Volumes and their mounts.
    pub volumes: Vec<Volume>,
    /// Environment of the app's containers.
    pub environments: Vec<ContainerEnvironment>,
    /// Whether the pod gets annotations by which Prometheus finds the sidecar.
    pub scraped: bool,
    /// The value of the annotation `status`.
    pub status: InjectionStatus,
}

/// A listener of the sidecar and its endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Name of the endpoint.
    pub name: String,
    /// Port on localhost.
    pub port: u16,
    /// The endpoint's settings.
    pub settings: Settings,
    /// Hash of what needs a restart when it changes.
    pub hash: String,
}

/// Decides on a pod.
pub fn inject(subject: Subject<'_>, installation: &Installation) -> Decision {
    let (asked, faults) = annotations::read(subject.pod);
    let (outcome, warnings) = match asked {
        Asked::Nothing => (Outcome::NotAnnotated, Vec::new()),
        Asked::OptedOut => (Outcome::OptedOut, Vec::new()),
        Asked::Sidecar(wishes) => sidecar(subject, &wishes, faults, installation),
    };
    Decision { outcome, warnings }
}

fn sidecar(
    subject: Subject<'_>,
    wishes: &Wishes,
    mut faults: Vec<Fault>,
    installation: &Installation,
) -> (Outcome, Vec<String>) {
    let pod = subject.pod;
    let before = again::status(pod);
    if !ports_unknown(&faults) {
        faults.extend(conflicts::ports(pod, wishes));
    }
    let mut warnings = annotations::warnings(wishes);
    let plan = plan(subject, wishes, &mut faults, installation);
    faults.extend(conflicts::unsupported(pod));
    faults.extend(conflicts::names(pod, before.is_some()));
    if let Some(before) = &before {
        let found = again::compare(pod, wishes, before, plan.as_ref());
        faults.extend(found.faults);
        warnings.extend(found.warnings);
    }
    match plan {
        Some(plan) if faults.is_empty() => {
            let plan = Box::new(plan);
            if before.is_some() {
                return (Outcome::Again { plan }, warnings);
            }
            warnings.extend(plan.resources.warnings());
            let patch = patch(pod, &plan);
            (Outcome::Injected { plan, patch }, warnings)
        }
        _ => (Outcome::Denied(faults), warnings),
    }
}

/// Whether the annotations that give ports could not be read: their defaults would be blamed for nothing.
fn ports_unknown(faults: &[Fault]) -> bool {
    let gives_ports = |fault: &&Fault| {
        let keys = [Annotation::Endpoint, Annotation::MetricsPort].map(Annotation::key);
        matches!(&fault.place, Place::Annotation(key) if keys.contains(&key.as_str()))
    };
    faults.iter().any(|fault| gives_ports(&fault))
}

fn plan(
    subject: Subject<'_>,
    wishes: &Wishes,
    faults: &mut Vec<Fault>,
    installation: &Installation,
) -> Option<Plan> {
    let pod = subject.pod;
    let listeners = listeners(subject, wishes, faults);
    let resources = resources::decide(pod, &wishes.resources)
        .map_err(|found| faults.extend(found))
        .ok()?;
    let listeners = listeners?;
    let port = listeners.first()?.port;
    let environments = if wishes.app_env {
        environment::environments(pod, port)
    } else {
        Vec::new()
    };
    Some(Plan {
        image: wishes
            .image
            .clone()
            .unwrap_or_else(|| installation.image.clone()),
        admin_port: wishes.admin_port,
        readiness: wishes.readiness,
        log_level: wishes.log_level,
        run_as: RunAs::decide(pod),
        resources,
        volumes: volumes::volumes(&listeners, wishes.token_expiration_seconds),
        environments,
        scraped: !has_prometheus(pod),
        status: status(&listeners, &installation.version),
        listeners,
    })
}

fn listeners(
    subject: Subject<'_>,
    wishes: &Wishes,
    faults: &mut Vec<Fault>,
) -> Option<Vec<Listener>> {
    let mut listeners = Vec::new();
    for endpoint in &wishes.endpoints {
        match endpoints::settings(endpoint, subject.namespace, subject.answers) {
            Ok(settings) => listeners.push(Listener {
                name: endpoint.name.clone(),
                port: endpoint.port,
                hash: settings.mounts_hash(wishes.token_expiration_seconds),
                settings: settings.clone(),
            }),
            Err(fault) => faults.push(fault),
        }
    }
    (listeners.len() == wishes.endpoints.len()).then_some(listeners)
}

fn status(listeners: &[Listener], version: &str) -> InjectionStatus {
    InjectionStatus {
        version: version.to_owned(),
        endpoints: listeners
            .iter()
            .map(|listener| InjectedEndpoint {
                name: listener.name.clone(),
                port: listener.port,
                hash: listener.hash.clone(),
            })
            .collect(),
    }
}

fn has_prometheus(pod: &Value) -> bool {
    let annotations = pod.pointer("/metadata/annotations");
    prometheus::ALL
        .iter()
        .any(|key| annotations.is_some_and(|annotations| annotations.get(key).is_some()))
}

fn patch(pod: &Value, plan: &Plan) -> Patch {
    let mut patch = Patch::default();
    patch.add_fields(
        pod,
        &["metadata", "labels"],
        vec![(LABEL_INJECTED, json!(LABEL_INJECTED_VALUE))],
    );
    let mut annotations = vec![(Annotation::Status.key(), json!(plan.status.to_annotation()))];
    if plan.scraped {
        annotations.push((prometheus::SCRAPE, json!("true")));
        annotations.push((prometheus::PORT, json!(plan.admin_port.to_string())));
        annotations.push((prometheus::PATH, json!(admin_path::METRICS)));
    }
    patch.add_fields(pod, &["metadata", "annotations"], annotations);
    for environment in &plan.environments {
        let index = environment.index.to_string();
        patch.prepend(
            pod,
            &["spec", environment.list, &index, "env"],
            environment.variables.clone(),
        );
    }
    let volumes = plan
        .volumes
        .iter()
        .map(|volume| volume.value.clone())
        .collect();
    patch.append(pod, &["spec", "volumes"], volumes);
    // Last, because it moves every other init container.
    patch.prepend(
        pod,
        &["spec", "initContainers"],
        vec![container::container(plan)],
    );
    patch
}

#[cfg(test)]
mod tests;
