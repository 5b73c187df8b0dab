//! What a review comes to, whatever kind of object it is about.

use endpoint::Violation;

use crate::inject::fault::Fault;
use crate::inject::{Decision, Outcome};
use crate::patch::Patch;
use crate::{text, validate, workload};

/// The label `reason` of a review that needs none.
pub const NO_REASON: &str = "none";
/// HTTP 422: the object cannot be accepted as it is.
const UNPROCESSABLE: u16 = 422;
/// HTTP 400: the question cannot be understood.
const BAD_REQUEST: u16 = 400;

/// What a review comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What was done, also a metric's label.
    pub result: ReviewResult,
    /// Why, from a closed set of words: also a metric's label.
    pub reason: &'static str,
    /// Set where the object is refused.
    pub denial: Option<Denial>,
    /// How the object is changed.
    pub patch: Option<Patch>,
    /// What the client is told.
    pub warnings: Vec<String>,
    /// The endpoints that a pod was injected for.
    pub endpoints: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewResult {
    /// The sidecar was added.
    Injected,
    /// The sidecar was there.
    Again,
    /// The object is none of ours.
    Untouched,
    /// The object was checked and is good.
    Allowed,
    /// The object is refused.
    Denied,
    /// The question could not be read.
    Failed,
}

/// Why an object is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// HTTP status.
    pub code: u16,
    /// Its name in Kubernetes.
    pub reason: &'static str,
    /// Everything, for clients that show nothing else.
    pub message: String,
    /// One for each fault.
    pub causes: Vec<Cause>,
}

/// One fault of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// Its class in the words of Kubernetes.
    pub reason: &'static str,
    /// Path of the field.
    pub field: String,
    /// What is wrong, and what to write.
    pub message: String,
}

impl ReviewResult {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            ReviewResult::Injected => "injected",
            ReviewResult::Again => "again",
            ReviewResult::Untouched => "untouched",
            ReviewResult::Allowed => "allowed",
            ReviewResult::Denied => "denied",
            ReviewResult::Failed => "failed",
        }
    }
}

impl Verdict {
    /// An object that this program has nothing to say about.
    pub fn untouched(reason: &'static str) -> Verdict {
        Verdict {
            result: ReviewResult::Untouched,
            reason,
            denial: None,
            patch: None,
            warnings: Vec::new(),
            endpoints: None,
        }
    }

    /// A question that cannot be read.
    pub fn unreadable(message: String) -> Verdict {
        Verdict {
            result: ReviewResult::Failed,
            reason: "unreadable",
            denial: Some(Denial {
                code: BAD_REQUEST,
                reason: "BadRequest",
                message,
                causes: Vec::new(),
            }),
            ..Verdict::untouched(NO_REASON)
        }
    }

    /// What was decided on a pod.
    pub fn of_pod(decision: Decision) -> Verdict {
        let warnings = text::warnings(decision.warnings);
        match decision.outcome {
            Outcome::NotAnnotated => Verdict::untouched("not_annotated"),
            Outcome::OptedOut => Verdict::untouched("opted_out"),
            Outcome::Injected { plan, patch } => Verdict {
                result: ReviewResult::Injected,
                patch: Some(patch),
                warnings,
                endpoints: Some(endpoints(&plan)),
                ..Verdict::untouched(NO_REASON)
            },
            Outcome::Again { plan } => Verdict {
                result: ReviewResult::Again,
                warnings,
                endpoints: Some(endpoints(&plan)),
                ..Verdict::untouched(NO_REASON)
            },
            Outcome::Denied(faults) => denied_by_faults(&faults, "", warnings),
        }
    }

    /// What was found in an endpoint.
    pub fn of_endpoint(findings: validate::Findings) -> Verdict {
        let validate::Findings {
            violations,
            warnings,
        } = findings;
        let warnings = text::warnings(warnings);
        if violations.is_empty() {
            return allowed(warnings);
        }
        Verdict {
            result: ReviewResult::Denied,
            reason: "invalid_endpoint",
            denial: Some(Denial {
                code: UNPROCESSABLE,
                reason: "Invalid",
                message: text::denial(&violations),
                causes: violations.into_iter().map(cause_of_violation).collect(),
            }),
            warnings,
            ..Verdict::untouched(NO_REASON)
        }
    }

    /// What was found in a workload whose template is at `template_path`.
    pub fn of_workload(findings: workload::Findings, template_path: &str) -> Verdict {
        let warnings = text::warnings(findings.warnings);
        if findings.faults.is_empty() {
            return allowed(warnings);
        }
        denied_by_faults(&findings.faults, template_path, warnings)
    }
}

fn endpoints(plan: &crate::inject::Plan) -> String {
    let endpoints: Vec<String> = plan
        .status
        .endpoint_ports()
        .map(|endpoint| endpoint.to_string())
        .collect();
    endpoints.join(",")
}

fn allowed(warnings: Vec<String>) -> Verdict {
    Verdict {
        result: ReviewResult::Allowed,
        warnings,
        ..Verdict::untouched(NO_REASON)
    }
}

fn denied_by_faults(faults: &[Fault], prefix: &str, warnings: Vec<String>) -> Verdict {
    Verdict {
        result: ReviewResult::Denied,
        reason: faults
            .first()
            .map_or(NO_REASON, |fault| fault.kind.as_str()),
        denial: Some(Denial {
            code: UNPROCESSABLE,
            reason: "Invalid",
            message: text::denial(faults),
            causes: faults
                .iter()
                .map(|fault| Cause {
                    reason: fault.kind.reason().as_str(),
                    field: fault.place.path(prefix),
                    message: fault.message.clone(),
                })
                .collect(),
        }),
        warnings,
        ..Verdict::untouched(NO_REASON)
    }
}

fn cause_of_violation(violation: Violation) -> Cause {
    Cause {
        reason: violation.reason.as_str(),
        field: violation.field,
        message: violation.message,
    }
}
