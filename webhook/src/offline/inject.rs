//! `inject`: manifests in, the same manifests with sidecars out.

use serde_json::Value;

use super::files::Text;
use super::objects::{Manifest, Object, Role};
use super::{Exit, Notes, Options, Report, manifests, store};
use crate::inject::annotations::endpoint_names;
use crate::inject::{Outcome, Subject};
use crate::patch::Patch;
use crate::store::Store;
use crate::workload::misplaced;
use crate::yaml::{Document, Form, to_yaml};

/// A change of one object: which document, where there, and what.
struct Change {
    document: usize,
    pointer: String,
    patch: Patch,
}

/// Injects every pod and template that asks for it. Endpoints are taken from `endpoints` and from `texts` themselves.
/// Documents that are not changed come out as they were written.
pub fn inject(texts: &[Text], endpoints: &[Text], options: &Options) -> Report {
    let mut notes = Notes::new();
    let manifests_in = manifests(texts, &mut notes);
    let endpoint_manifests = manifests(endpoints, &mut notes);
    let store = store(manifests_in.iter().chain(&endpoint_manifests), options);
    let mut stdout = String::new();
    for mut manifest in manifests_in {
        let mut changes = Vec::new();
        for object in manifest.objects() {
            changes.extend(decide(&manifest.file, &object, &store, options, &mut notes));
        }
        for change in changes {
            apply(&mut manifest, &change, &mut notes);
        }
        for document in &manifest.documents {
            write(&mut stdout, document);
        }
    }
    // Half of the objects would be applied as if they were all.
    if notes.exit != Exit::Good {
        stdout.clear();
    }
    notes.report(stdout)
}

fn decide(
    file: &str,
    object: &Object<'_>,
    store: &Store,
    options: &Options,
    notes: &mut Notes,
) -> Option<Change> {
    let title = object.title();
    let (pointer, path) = object.pod_place()?;
    if let Role::Workload(workload) = object.role {
        for warning in misplaced(workload, &object.value) {
            notes.line(format!("{file}: {title}: warning: {warning}"));
        }
    }
    let pod = object.pod()?;
    let namespace = object.namespace(&options.namespace);
    let answers = store.cached(namespace, &endpoint_names(pod));
    let subject = Subject {
        pod,
        namespace,
        answers: &answers,
    };
    let decision = crate::inject::inject(subject, &options.installation);
    for warning in decision.warnings {
        notes.line(format!("{file}: {title}: warning: {warning}"));
    }
    match decision.outcome {
        Outcome::Injected { patch, .. } => Some(Change {
            document: object.document,
            pointer: format!("{}{pointer}", object.pointer),
            patch,
        }),
        Outcome::Denied(faults) => {
            for fault in faults {
                let place = fault.place.path(path);
                notes.fail(
                    Exit::Failed,
                    format!("{file}: {title}: {place}: {}", fault.message),
                );
            }
            None
        }
        Outcome::NotAnnotated | Outcome::OptedOut | Outcome::Again { .. } => None,
    }
}

fn apply(manifest: &mut Manifest, change: &Change, notes: &mut Notes) {
    let Some(document) = manifest.documents.get_mut(change.document) else {
        return;
    };
    let Some(pod) = document.value.pointer_mut(&change.pointer) else {
        return;
    };
    if let Err(error) = change.patch.apply(pod) {
        notes.fail(
            Exit::Failed,
            format!("{}: the patch does not fit: {error}", manifest.file),
        );
        return;
    }
    document.text = written(&document.value, document.form);
}

fn written(value: &Value, form: Form) -> String {
    match form {
        Form::Yaml => to_yaml(value),
        Form::Json => format!("{value:#}\n"),
    }
}

fn write(stdout: &mut String, document: &Document) {
    // A stream of JSON objects needs no separator, and not every reader of JSON knows one.
    if !stdout.is_empty() && document.form == Form::Yaml {
        stdout.push_str("---\n");
    }
    stdout.push_str(&document.text);
    if !document.text.ends_with('\n') {
        stdout.push('\n');
    }
}
