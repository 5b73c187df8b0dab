//! What each annotation of a pod did.

use endpoint::contract::Annotation;
use serde_json::Value;

use super::{Page, readiness};
use crate::inject::Plan;
use crate::inject::annotations::ours;
use crate::inject::fault::{Fault, Place};

/// What became of the pod.
pub(super) enum Fate<'a> {
    /// It gets a sidecar.
    Injected(&'a Plan),
    /// It has one.
    Again(&'a Plan),
    /// It wants none.
    OptedOut,
    /// It is refused.
    Refused(&'a [Fault]),
}

/// A line for each annotation of ours.
pub(super) fn lines(page: &mut Page, pod: &Value, fate: &Fate<'_>) {
    let ours = ours(pod);
    if ours.is_empty() {
        return;
    }
    page.head("What each annotation did");
    for (key, value) in ours {
        page.line(&format!("{key}: {value}: {}", done(key, fate)));
    }
}

fn done(key: &str, fate: &Fate<'_>) -> String {
    let annotation = Annotation::parse(key);
    match (fate, annotation) {
        (Fate::Injected(plan), Some(annotation)) => effect(annotation, plan),
        (Fate::Again(_), Some(Annotation::Status)) => {
            "says how the sidecar was injected".to_owned()
        }
        (Fate::Again(plan), Some(Annotation::Endpoint)) => format!(
            "{}, since it was injected",
            effect(Annotation::Endpoint, plan)
        ),
        // What it says now may not be what it said then.
        (Fate::Again(_), Some(_)) => {
            "nothing now: it is read when a sidecar is injected".to_owned()
        }
        (Fate::OptedOut, Some(Annotation::Inject)) => "keeps the sidecar away".to_owned(),
        (Fate::OptedOut, _) => format!("nothing: {} is \"false\"", Annotation::Inject),
        (Fate::Refused(faults), _) if faults.iter().any(|fault| is_of(fault, key)) => {
            "is refused, as said above".to_owned()
        }
        (Fate::Refused(_), _) => "nothing, as long as the pod is refused".to_owned(),
        // An unknown key is refused.
        (Fate::Injected(_) | Fate::Again(_), None) => "nothing".to_owned(),
    }
}

fn is_of(fault: &Fault, key: &str) -> bool {
    matches!(&fault.place, Place::Annotation(place) if place == key)
}

fn effect(annotation: Annotation, plan: &Plan) -> String {
    let resources = &plan.resources;
    let amount = |what: &str, amount: &Option<String>| {
        format!("{what} is {}", amount.as_deref().unwrap_or("none"))
    };
    match annotation {
        Annotation::Endpoint => {
            let ports: Vec<String> = plan
                .status
                .endpoint_ports()
                .map(|endpoint| endpoint.to_string())
                .collect();
            format!("the sidecar listens for {}", ports.join(", "))
        }
        Annotation::Inject => "nothing: \"true\" is the default".to_owned(),
        Annotation::LogLevel => format!("the sidecar logs at level {}", plan.log_level.as_str()),
        Annotation::CpuRequest => amount("the CPU request", &resources.cpu.request),
        Annotation::CpuLimit => amount("the CPU limit", &resources.cpu.limit),
        Annotation::MemoryRequest => amount("the memory request", &resources.memory.request),
        Annotation::MemoryLimit => amount("the memory limit", &resources.memory.limit),
        Annotation::Image => format!("the image is {}", plan.image),
        Annotation::MetricsPort => format!("the admin server listens on port {}", plan.admin_port),
        Annotation::TokenExpirationSeconds => token_effect(plan),
        Annotation::Readiness => readiness(plan.readiness).to_owned(),
        Annotation::AppEnv if plan.environments.is_empty() => {
            "the app's environment stays as it is".to_owned()
        }
        Annotation::AppEnv => "nothing: \"true\" is the default".to_owned(),
        Annotation::Status => "written again: it was left without its container".to_owned(),
    }
}

fn token_effect(plan: &Plan) -> String {
    if plan
        .listeners
        .iter()
        .any(|listener| listener.settings.needs_token().is_some())
    {
        "service account tokens live so many seconds".to_owned()
    } else {
        "nothing: no endpoint takes a service account token".to_owned()
    }
}
