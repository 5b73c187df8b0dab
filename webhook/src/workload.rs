//! Workloads: what a person is told where they apply one, long before its pods are made.

use endpoint::contract::Annotation;
use serde_json::Value;

use crate::inject::annotations::{Asked, ours, read};
use crate::inject::endpoints::Answers;
use crate::inject::fault::{Fault, FaultKind, Place};
use crate::inject::{Installation, Outcome, Subject, inject};

/// The workloads whose templates are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// apps
    Deployment,
    /// apps
    StatefulSet,
    /// apps
    DaemonSet,
    /// apps
    ReplicaSet,
    /// batch
    Job,
    /// batch
    CronJob,
}

impl Workload {
    /// The workload of this group and kind.
    pub fn parse(group: &str, kind: &str) -> Option<Workload> {
        match (group, kind) {
            ("apps", "Deployment") => Some(Workload::Deployment),
            ("apps", "StatefulSet") => Some(Workload::StatefulSet),
            ("apps", "DaemonSet") => Some(Workload::DaemonSet),
            ("apps", "ReplicaSet") => Some(Workload::ReplicaSet),
            ("batch", "Job") => Some(Workload::Job),
            ("batch", "CronJob") => Some(Workload::CronJob),
            _ => None,
        }
    }

    /// Where its pod template is, as a JSON pointer.
    pub const fn template_pointer(self) -> &'static str {
        match self {
            Workload::CronJob => "/spec/jobTemplate/spec/template",
            _ => "/spec/template",
        }
    }

    /// Where its pod template is, as Kubernetes writes paths.
    pub const fn template_path(self) -> &'static str {
        match self {
            Workload::CronJob => "spec.jobTemplate.spec.template",
            _ => "spec.template",
        }
    }

    /// Its pod template.
    pub fn template(self, object: &Value) -> Option<&Value> {
        object.pointer(self.template_pointer())
    }
}

/// A workload to look at.
#[derive(Debug, Clone, Copy)]
pub struct Applied<'a> {
    /// Its kind.
    pub workload: Workload,
    /// The raw object.
    pub new: &'a Value,
    /// What an update replaces.
    pub old: Option<&'a Value>,
    /// Its namespace.
    pub namespace: &'a str,
    /// What was found for the endpoints that its template names.
    pub answers: &'a Answers,
    /// Whether the pods of its namespace never reach the webhook.
    pub excluded: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// What it is refused for; places are below the template.
    pub faults: Vec<Fault>,
    /// What its author is told beside that.
    pub warnings: Vec<String>,
}

/// Looks at a workload. Bad annotations are refused where a person writes them; everything else that will keep its
/// pods from starting is a warning, because it may be mended before they are made.
pub fn check(applied: Applied<'_>, installation: &Installation) -> Findings {
    let mut findings = Findings {
        faults: Vec::new(),
        warnings: misplaced(applied.workload, applied.new),
    };
    let Some(template) = applied.workload.template(applied.new) else {
        return findings;
    };
    let (asked, _) = read(template);
    if !matches!(asked, Asked::Sidecar(_)) {
        return findings;
    }
    if applied.excluded {
        findings.warnings.push(format!(
            "namespace {} is excluded from injection: the pods get no sidecar",
            applied.namespace
        ));
        return findings;
    }
    let subject = Subject {
        pod: template,
        namespace: applied.namespace,
        answers: applied.answers,
    };
    let decision = inject(subject, installation);
    findings.warnings.extend(decision.warnings);
    if let Outcome::Denied(faults) = decision.outcome {
        let unchanged = applied
            .old
            .is_some_and(|old| same_annotations(applied.workload, old, template));
        for fault in faults {
            if is_written_here(&fault) && !unchanged {
                findings.faults.push(fault);
            } else {
                findings.warnings.push(foretold(&fault, applied.namespace));
            }
        }
    }
    findings
}

/// Annotations of ours beside the template: they do nothing there.
pub fn misplaced(workload: Workload, object: &Value) -> Vec<String> {
    let path = workload.template_path();
    ours(object)
        .into_iter()
        .filter(|(key, _)| *key != Annotation::Status.key())
        .map(|(key, _)| {
            format!("{key} does nothing here: write it below {path}.metadata.annotations")
        })
        .collect()
}

fn same_annotations(workload: Workload, old: &Value, template: &Value) -> bool {
    workload
        .template(old)
        .is_some_and(|old| ours(old) == ours(template))
}

/// Whether a fault is one of what the annotations say, and not of what the cluster holds or the pod is like.
fn is_written_here(fault: &Fault) -> bool {
    let of_annotation = matches!(fault.place, Place::Annotation(_));
    match fault.kind {
        FaultKind::BadAnnotation | FaultKind::PortConflict | FaultKind::Changed => of_annotation,
        FaultKind::UnknownEndpoint
        | FaultKind::WrongType
        | FaultKind::InvalidEndpoint
        | FaultKind::LookupFailed
        | FaultKind::NameConflict
        | FaultKind::Unsupported => false,
    }
}

/// The fault that the pods will have, short enough for a warning.
fn foretold(fault: &Fault, namespace: &str) -> String {
    match fault.kind {
        FaultKind::UnknownEndpoint => {
            let name = fault.message.split('"').nth(1).unwrap_or_default();
            format!(
                "endpoint {name:?} is not in namespace {namespace} yet: pods are refused until it is"
            )
        }
        _ => format!("pods will be refused: {fault}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, Findings, Workload, check};
    use crate::inject::Installation;
    use crate::inject::endpoints::{Answer, Answers};
    use serde_json::{Value, json};

    fn installation() -> Installation {
        Installation {
            image: "dataflow-sidecar:test".to_owned(),
            version: "0.0.0".to_owned(),
        }
    }

    fn deployment(template_annotations: Value) -> Value {
        json!({
            "metadata": {"name": "app"},
            "spec": {"template": {
                "metadata": {"annotations": template_annotations},
                "spec": {"containers": [{"name": "app", "ports": [{"containerPort": 1883}]}]},
            }},
        })
    }

    fn found(new: &Value, old: Option<&Value>, excluded: bool) -> Findings {
        let answers = Answers::from([("default".to_owned(), Answer::Missing { names: vec![] })]);
        let applied = Applied {
            workload: Workload::Deployment,
            new,
            old,
            namespace: "factory",
            answers: &answers,
            excluded,
        };
        check(applied, &installation())
    }

    #[test]
    fn a_missing_endpoint_is_a_warning() {
        let findings = found(
            &deployment(json!({"dataflow-sidecar.io/endpoint": "default:1999"})),
            None,
            false,
        );
        assert!(findings.faults.is_empty());
        assert_eq!(
            findings.warnings,
            ["endpoint \"default\" is not in namespace factory yet: pods are refused until it is"]
        );
    }

    #[test]
    fn bad_values_are_refused() {
        for (annotations, wanted) in [
            (
                json!({"dataflow-sidecar.io/endpont": "default"}),
                "dataflow-sidecar.io/endpont: is unknown",
            ),
            (
                json!({"dataflow-sidecar.io/endpoint": "default:0"}),
                "dataflow-sidecar.io/endpoint: ",
            ),
            (
                json!({"dataflow-sidecar.io/endpoint": "default"}),
                "dataflow-sidecar.io/endpoint: endpoint \"default\" would listen on port 1883",
            ),
        ] {
            let findings = found(&deployment(annotations), None, false);
            assert_eq!(findings.faults.len(), 1, "{findings:?}");
            assert!(
                findings.faults[0].to_string().starts_with(wanted),
                "{findings:?}"
            );
        }
    }

    #[test]
    fn an_update_is_refused_only_if_our_annotations_changed() {
        let bad = deployment(
            json!({"dataflow-sidecar.io/endpoint": "default:1999", "dataflow-sidecar.io/log-level": "loud"}),
        );
        let mut scaled = bad.clone();
        scaled["spec"]["replicas"] = json!(3);
        let findings = found(&scaled, Some(&bad), false);
        assert!(findings.faults.is_empty());
        assert!(
            findings
                .warnings
                .iter()
                .any(|warning| warning.starts_with("pods will be refused: ")),
            "{findings:?}"
        );
        let good = deployment(json!({"dataflow-sidecar.io/endpoint": "default:1999"}));
        assert_eq!(found(&bad, Some(&good), false).faults.len(), 1);
    }

    #[test]
    fn what_only_the_pods_can_tell_is_a_warning() {
        let mut host = deployment(json!({"dataflow-sidecar.io/endpoint": "default:1999"}));
        host["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
        let findings = found(&host, None, false);
        assert!(findings.faults.is_empty());
        assert!(
            findings.warnings[1].starts_with("pods will be refused: spec.hostNetwork: "),
            "{findings:?}"
        );
    }

    #[test]
    fn an_annotation_beside_the_template_is_warned_of() {
        let mut misplaced = deployment(json!({}));
        misplaced["metadata"]["annotations"] = json!({"dataflow-sidecar.io/endpoint": "default"});
        let findings = found(&misplaced, None, false);
        assert!(findings.faults.is_empty());
        assert_eq!(
            findings.warnings,
            [
                "dataflow-sidecar.io/endpoint does nothing here: write it below spec.template.metadata.annotations"
            ]
        );
    }

    #[test]
    fn an_excluded_namespace_is_warned_of() {
        let asks = deployment(
            json!({"dataflow-sidecar.io/endpoint": "default", "dataflow-sidecar.io/log-level": "loud"}),
        );
        let findings = found(&asks, None, true);
        assert!(findings.faults.is_empty());
        assert_eq!(
            findings.warnings,
            ["namespace factory is excluded from injection: the pods get no sidecar"]
        );
        for quiet in [json!({}), json!({"dataflow-sidecar.io/inject": "false"})] {
            assert_eq!(found(&deployment(quiet), None, true), Findings::default());
        }
    }

    #[test]
    fn templates_are_found_in_every_kind() {
        let cron = json!({"spec": {"jobTemplate": {"spec": {"template": {"here": 1}}}}});
        assert_eq!(Workload::CronJob.template(&cron), Some(&json!({"here": 1})));
        assert_eq!(Workload::parse("batch", "CronJob"), Some(Workload::CronJob));
        assert_eq!(Workload::parse("batch.volcano.sh", "Job"), None);
    }
}
