//! The question of an AdmissionReview.

use serde_json::Value;

use crate::workload::Workload;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The review's id, which the answer must repeat.
    pub uid: String,
    /// What the object is.
    pub kind: Kind,
    /// Its API group, for the answer.
    pub group: String,
    /// Its kind as the API server calls it.
    pub kind_name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name, or what its name will begin with.
    pub name: String,
    /// What is done with it.
    pub operation: Operation,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The object.
    pub object: Value,
    /// What an update replaces.
    pub old_object: Option<Value>,
}

/// The controller that made an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Group and version of its kind.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name, in the object's namespace.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Owner {
    /// The owner that controls an object, if one does.
    pub fn of(object: &Value) -> Option<Owner> {
        let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
        let owner = owners.iter().find(|owner| owner["controller"] == true)?;
        Some(Owner {
            api_version: text(owner, "/apiVersion"),
            kind: text(owner, "/kind"),
            name: text(owner, "/name"),
            uid: text(owner, "/uid"),
        })
    }
}

/// The kinds of objects that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pod.
    Pod,
    /// A DataflowEndpoint.
    Endpoint,
    /// A workload with a pod template.
    Workload(Workload),
    /// Anything else, or a subresource.
    Other,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Create,
    /// It is changed.
    Update,
    /// Anything else.
    Other,
}

/// Why a body is no question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the AdmissionReview cannot be read: {problem}")]
pub struct Unreadable {
    /// The id, where it could be found, so that the answer can still be given.
    pub uid: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl Kind {
    /// The kind of this group and name.
    pub fn parse(group: &str, kind: &str) -> Kind {
        match (group, kind) {
            ("", "Pod") => Kind::Pod,
            (endpoint::resource::GROUP, endpoint::resource::KIND) => Kind::Endpoint,
            _ => Workload::parse(group, kind).map_or(Kind::Other, Kind::Workload),
        }
    }
}

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no AdmissionReview of version v1.
    pub fn parse(body: &[u8]) -> Result<Request, Unreadable> {
        let mut review: Value = serde_json::from_slice(body).map_err(|error| Unreadable {
            uid: uid_in(body),
            problem: error.to_string(),
        })?;
        let version = review
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let wrong_version = (version != super::response::API_VERSION).then(|| {
            format!(
                "apiVersion is {version:?}, and {} is spoken here",
                super::response::API_VERSION
            )
        });
        let request = review
            .get_mut("request")
            .map(Value::take)
            .unwrap_or_default();
        let uid = text(&request, "/uid");
        let problem = match wrong_version {
            Some(problem) => Some(problem),
            None if uid.is_empty() => Some("request.uid is missing".to_owned()),
            None => None,
        };
        match problem {
            None => Ok(Request::of(request)),
            Some(problem) => Err(Unreadable {
                uid: (!uid.is_empty()).then_some(uid),
                problem,
            }),
        }
    }

    fn of(mut request: Value) -> Request {
        let object = request
            .get_mut("object")
            .map(Value::take)
            .unwrap_or_default();
        let old_object = request
            .get_mut("oldObject")
            .map(Value::take)
            .filter(|old| !old.is_null());
        let (group, kind_name) = (text(&request, "/kind/group"), text(&request, "/kind/kind"));
        let subresource = !text(&request, "/subResource").is_empty();
        let kind = if subresource {
            Kind::Other
        } else {
            Kind::parse(&group, &kind_name)
        };
        Request {
            uid: text(&request, "/uid"),
            kind,
            group,
            kind_name,
            namespace: text(&request, "/namespace"),
            name: name(&request, &object),
            operation: match text(&request, "/operation").as_str() {
                "CREATE" => Operation::Create,
                "UPDATE" => Operation::Update,
                _ => Operation::Other,
            },
            dry_run: request.get("dryRun").and_then(Value::as_bool) == Some(true),
            object,
            old_object,
        }
    }
}

/// A pod of a controller has no name yet when it is reviewed.
fn name(request: &Value, object: &Value) -> String {
    [
        text(request, "/name"),
        text(object, "/metadata/name"),
        text(object, "/metadata/generateName"),
    ]
    .into_iter()
    .find(|name| !name.is_empty())
    .unwrap_or_default()
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Looks for the id in a body that is not JSON, for example because it was cut: the API server writes it first.
fn uid_in(body: &[u8]) -> Option<String> {
    /// As far as the id can be from the beginning: only `kind` and `apiVersion` stand before it.
    const SEARCHED_BYTES_MAX: usize = 1_024;
    /// A UUID has 36 characters; whatever is longer is no id to repeat.
    const UID_CHARS_MAX: usize = 64;
    let head = String::from_utf8_lossy(&body[..body.len().min(SEARCHED_BYTES_MAX)]);
    let rest = head.split_once("\"request\"")?.1.split_once("\"uid\"")?.1;
    let value = rest
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let uid = value.split_once('"')?.0;
    let good = (1..=UID_CHARS_MAX).contains(&uid.len())
        && uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    good.then(|| uid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Kind, Operation, Request};
    use crate::workload::Workload;
    use serde_json::json;

    fn parse(text: &str) -> Result<Request, super::Unreadable> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn a_request_is_read() {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u-1", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}, "namespace": "factory",
                "operation": "UPDATE", "dryRun": true, "object": {"metadata": {"name": "app"}}, "oldObject": {"a": 1},
            },
        });
        let request = parse(&review.to_string()).unwrap();
        assert_eq!(request.kind, Kind::Workload(Workload::Deployment));
        assert_eq!(
            (request.operation, request.dry_run),
            (Operation::Update, true)
        );
        assert_eq!(
            (request.uid.as_str(), request.name.as_str()),
            ("u-1", "app")
        );
        assert_eq!(request.old_object, Some(json!({"a": 1})));
    }

    #[test]
    fn a_subresource_is_nothing_of_ours() {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1",
            "request": {"uid": "u", "kind": {"group": "", "kind": "Pod"}, "subResource": "status", "operation": "UPDATE"},
        });
        assert_eq!(parse(&review.to_string()).unwrap().kind, Kind::Other);
    }

    #[test]
    fn the_uid_is_found_in_what_cannot_be_read() {
        for (body, wanted) in [
            (
                r#"{"apiVersion":"admission.k8s.io/v1","request":{"uid":"a-1","kind":{"#,
                Some("a-1"),
            ),
            (r#"{"request" : { "uid" : "b-2" , "#, Some("b-2")),
            (
                r#"{"apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"c-3"}}"#,
                Some("c-3"),
            ),
            (r#"{"apiVersion":"admission.k8s.io/v1","request":{}}"#, None),
            (r#"{"request":{"uid":"<script>"#, None),
            ("", None),
            ("[]", None),
            ("not json", None),
        ] {
            let error = parse(body).unwrap_err();
            assert_eq!(error.uid.as_deref(), wanted, "{body}");
        }
    }
}
