//! The answer of an AdmissionReview.
//!
//! Types of our own, because the patch must be base64 text: the common ones write it as a list of numbers, which is
//! almost four times as long.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::verdict::{Denial, Verdict};

/// The one version that is spoken.
pub const API_VERSION: &str = "admission.k8s.io/v1";

/// The whole answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Body<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, &'a str>,
}

#[derive(Debug, Serialize)]
struct Status<'a> {
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    name: &'a str,
    group: &'a str,
    kind: &'a str,
    causes: Vec<Cause<'a>>,
}

#[derive(Debug, Serialize)]
struct Cause<'a> {
    reason: &'static str,
    field: &'a str,
    message: &'a str,
}

/// What the object is called in an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// Its API group.
    pub group: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Response<'a> {
    /// The answer to the review `uid` about this object.
    pub fn of(uid: &'a str, named: Named<'a>, verdict: &'a Verdict) -> Response<'a> {
        // A patch of a refused object would be of no use to anybody.
        let patch = verdict
            .patch
            .as_ref()
            .filter(|patch| !patch.is_empty() && verdict.denial.is_none())
            .map(|patch| STANDARD.encode(patch.to_json()));
        Response {
            api_version: API_VERSION,
            kind: "AdmissionReview",
            response: Body {
                uid,
                allowed: verdict.denial.is_none(),
                status: verdict.denial.as_ref().map(|denial| status(denial, named)),
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch,
                warnings: &verdict.warnings,
                audit_annotations: audit(verdict),
            },
        }
    }

    /// The answer as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a response of texts must be JSON")
    }
}

fn status<'a>(denial: &'a Denial, named: Named<'a>) -> Status<'a> {
    let causes: Vec<Cause<'a>> = denial
        .causes
        .iter()
        .map(|cause| Cause {
            reason: cause.reason,
            field: &cause.field,
            message: &cause.message,
        })
        .collect();
    Status {
        status: "Failure",
        code: denial.code,
        reason: denial.reason,
        message: &denial.message,
        // With details kubectl prints the causes as a list, as it does for the API server's own.
        details: (!causes.is_empty()).then_some(Details {
            name: named.name,
            group: named.group,
            kind: named.kind,
            causes,
        }),
    }
}

/// The API server puts the webhook's name before the keys.
fn audit(verdict: &Verdict) -> BTreeMap<&'static str, &str> {
    let mut audit = BTreeMap::from([("result", verdict.result.as_str())]);
    if verdict.reason != super::verdict::NO_REASON {
        audit.insert("reason", verdict.reason);
    }
    if let Some(endpoints) = &verdict.endpoints {
        audit.insert("endpoints", endpoints);
    }
    audit
}
