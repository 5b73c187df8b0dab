//! `validate`: what the API server would be told about the objects of files.

use super::files::Text;
use super::objects::{Object, Role};
use super::{Exit, Notes, Options, Report, manifests, store};
use crate::inject::annotations::{endpoint_names, ours};
use crate::inject::fault::{Fault, FaultKind};
use crate::inject::{Outcome, Subject, inject};
use crate::store::Store;
use crate::validate::Rules;
use crate::workload::{self, Applied, Workload};

/// What was found in one object: complaints and warnings, without file and title.
#[derive(Default)]
struct Found {
    complaints: Vec<String>,
    warnings: Vec<String>,
}

/// Checks endpoints, and the annotations of pods and workloads.
pub fn validate(texts: &[Text], options: &Options) -> Report {
    let mut notes = Notes::new();
    let manifests = manifests(texts, &mut notes);
    let store = store(&manifests, options);
    for manifest in &manifests {
        let file = &manifest.file;
        let mut checked = 0;
        for object in manifest.objects() {
            let Some(found) = check(&object, &store, options) else {
                continue;
            };
            checked += 1;
            let title = object.title();
            for warning in found.warnings {
                notes.line(format!("{file}: {title}: warning: {warning}"));
            }
            for complaint in found.complaints {
                notes.fail(Exit::Failed, format!("{file}: {title}: {complaint}"));
            }
        }
        if checked == 0 {
            notes.line(format!(
                "{file}: warning: holds no DataflowEndpoint, and no pod or workload with our annotations"
            ));
        }
    }
    notes.report(String::new())
}

/// `None` for an object that this program has nothing to say about.
fn check(object: &Object<'_>, store: &Store, options: &Options) -> Option<Found> {
    match object.role {
        Role::Endpoint => Some(endpoint(object)),
        Role::Pod => (!ours(&object.value).is_empty()).then(|| pod(object, store, options)),
        Role::Workload(workload) => {
            let annotated = !ours(&object.value).is_empty()
                || object.pod().is_some_and(|pod| !ours(pod).is_empty());
            annotated.then(|| applied(object, workload, store, options))
        }
        Role::Other => None,
    }
}

fn endpoint(object: &Object<'_>) -> Found {
    let findings = crate::validate::validate(&object.value, None, Rules::Deny);
    Found {
        complaints: findings
            .violations
            .iter()
            .map(ToString::to_string)
            .collect(),
        warnings: findings.warnings,
    }
}

fn pod(object: &Object<'_>, store: &Store, options: &Options) -> Found {
    let namespace = object.namespace(&options.namespace);
    let answers = store.cached(namespace, &endpoint_names(&object.value));
    let subject = Subject {
        pod: &object.value,
        namespace,
        answers: &answers,
    };
    let decision = inject(subject, &options.installation);
    let mut found = Found {
        complaints: Vec::new(),
        warnings: decision.warnings,
    };
    if let Outcome::Denied(faults) = decision.outcome {
        for fault in faults {
            // The files need not hold the endpoint: the cluster may.
            if fault.kind == FaultKind::UnknownEndpoint {
                found.warnings.push(fault.to_string());
            } else {
                found.complaints.push(complaint(&fault, ""));
            }
        }
    }
    found
}

fn applied(object: &Object<'_>, workload: Workload, store: &Store, options: &Options) -> Found {
    let namespace = object.namespace(&options.namespace);
    let names = object.pod().map(endpoint_names).unwrap_or_default();
    let answers = store.cached(namespace, &names);
    let applied = Applied {
        workload,
        new: &object.value,
        old: None,
        namespace,
        answers: &answers,
        excluded: false,
    };
    let findings = workload::check(applied, &options.installation);
    Found {
        complaints: findings
            .faults
            .iter()
            .map(|fault| complaint(fault, workload.template_path()))
            .collect(),
        warnings: findings.warnings,
    }
}

fn complaint(fault: &Fault, prefix: &str) -> String {
    format!("{}: {}", fault.place.path(prefix), fault.message)
}
