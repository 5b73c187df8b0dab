//! The endpoints that a pod names, as they were found.

use std::collections::BTreeMap;
use std::sync::Arc;

use endpoint::contract::{Annotation, EndpointPort};
use endpoint::{Identity, Settings, Violation, Warning, identify, suggest};
use serde_json::Value;

use super::fault::{FAULT_CHARS_MAX, Fault, FaultKind};
use crate::text;
use crate::validate::Rules;

/// As many near or existing names as help and still fit into a line.
const NAMES_SHOWN_MAX: usize = 5;
/// Room for what stands around the violations of an endpoint.
const AROUND_CHARS: usize = 200;

/// An endpoint, checked once when it arrived.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// One that the sidecar can run.
    Good {
        /// Its settings.
        settings: Box<Settings>,
        /// What its owner was told when it was applied.
        warnings: Vec<Warning>,
    },
    /// One that breaks a rule.
    Bad(Vec<Violation>),
    /// One of another product, with its `endpointType`.
    Foreign(String),
}

/// What looking for an endpoint brought.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is there.
    Found(Arc<Known>),
    /// It is not there; these are.
    Missing {
        /// Names of the endpoints of the namespace.
        names: Vec<String>,
    },
    /// Nobody can say: what went wrong.
    Failed(String),
}

/// The answers for all endpoints that an object names.
pub type Answers = BTreeMap<String, Answer>;

impl Known {
    /// Checks a resource by the rules of the definition that it came by.
    pub fn check(resource: &Value, rules: Rules) -> Known {
        match identify(resource) {
            Identity::Foreign(endpoint_type) => Known::Foreign(endpoint_type),
            Identity::Mqtt | Identity::Other => match rules.parse(resource) {
                Ok((settings, warnings)) => Known::Good {
                    settings: Box::new(settings),
                    warnings,
                },
                Err(violations) => Known::Bad(violations),
            },
        }
    }
}

/// The settings of the endpoint that a pod of this namespace asks for.
///
/// # Errors
/// Why the sidecar cannot use it, and what to write.
pub fn settings<'a>(
    asked: &EndpointPort,
    namespace: &str,
    answers: &'a Answers,
) -> Result<&'a Settings, Fault> {
    let name = &asked.name;
    let (kind, message) = match answers.get(name) {
        Some(Answer::Found(known)) => match &**known {
            Known::Good { settings, .. } => return Ok(settings),
            Known::Bad(violations) => (
                FaultKind::InvalidEndpoint,
                invalid(name, namespace, violations),
            ),
            Known::Foreign(endpoint_type) => (
                FaultKind::WrongType,
                format!(
                    "endpoint {name:?} in namespace {namespace:?} is of type {endpoint_type}, and the sidecar speaks MQTT only: name an endpoint with endpointType: Mqtt"
                ),
            ),
        },
        Some(Answer::Failed(why)) => (
            FaultKind::LookupFailed,
            format!(
                "whether endpoint {name:?} exists in namespace {namespace:?} could not be found out ({why}): try again"
            ),
        ),
        Some(Answer::Missing { names }) => {
            (FaultKind::UnknownEndpoint, unknown(name, namespace, names))
        }
        None => (FaultKind::UnknownEndpoint, unknown(name, namespace, &[])),
    };
    Err(Fault::annotation(Annotation::Endpoint, kind, message))
}

fn unknown(name: &str, namespace: &str, names: &[String]) -> String {
    let here = format!(
        "there is no DataflowEndpoint {name:?} in namespace {namespace:?}, and the pod's own namespace is the only one searched"
    );
    let near = suggest::nearest_all(name, names.iter().map(String::as_str), NAMES_SHOWN_MAX);
    if !near.is_empty() {
        return format!(
            "{here}: write {}, or apply the endpoint first",
            text::quoted_list(&near, "or")
        );
    }
    let mut there: Vec<&str> = names.iter().map(String::as_str).collect();
    there.sort_unstable();
    let more = there.len().saturating_sub(NAMES_SHOWN_MAX);
    there.truncate(NAMES_SHOWN_MAX);
    match (there.is_empty(), more) {
        (true, _) => format!("{here}; it has none: apply one first"),
        (false, 0) => format!(
            "{here}: apply it first, or write {}",
            text::quoted_list(&there, "or")
        ),
        (false, more) => format!(
            "{here}: apply it first, or write another, for example {} ({more} more)",
            text::quoted_list(&there, "or")
        ),
    }
}

fn invalid(name: &str, namespace: &str, violations: &[Violation]) -> String {
    let mut message =
        format!("endpoint {name:?} in namespace {namespace:?} breaks a rule: mend the endpoint: ");
    for (index, violation) in violations.iter().enumerate() {
        let violation = violation.to_string();
        let full =
            message.chars().count() + violation.chars().count() > FAULT_CHARS_MAX - AROUND_CHARS;
        if full && index > 0 {
            message.push_str(&format!("; and {} more", violations.len() - index));
            break;
        }
        if index > 0 {
            message.push_str("; ");
        }
        message.push_str(&violation);
    }
    message
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use endpoint::contract::EndpointPort;
    use serde_json::{Value, json};

    use super::{Answer, Answers, Known, settings};
    use crate::validate::Rules;

    fn resource(endpoint_type: &str, mqtt: Value) -> Value {
        json!({
            "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
            "metadata": {"name": "default", "namespace": "factory"},
            "spec": {"endpointType": endpoint_type, "mqttSettings": mqtt},
        })
    }

    fn asked(answer: Answer) -> Result<String, String> {
        let answers = Answers::from([("default".to_owned(), answer)]);
        let port = EndpointPort {
            name: "default".to_owned(),
            port: 1883,
        };
        settings(&port, "factory", &answers)
            .map(|settings| settings.name.clone())
            .map_err(|fault| fault.to_string())
    }

    fn missing(names: &[&str]) -> Answer {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Answer::Missing { names }
    }

    #[test]
    fn a_good_endpoint_has_settings() {
        let good = resource(
            "Mqtt",
            json!({"authentication": {"method": "ServiceAccountToken"}}),
        );
        assert_eq!(
            asked(Answer::Found(Arc::new(Known::check(&good, Rules::Deny)))),
            Ok("default".to_owned())
        );
    }

    #[test]
    fn an_endpoint_that_cannot_be_used_is_told_why() {
        let bad = resource(
            "Mqtt",
            json!({"host": "broker", "qos": 7, "authentication": {"method": "x509"}}),
        );
        let foreign = resource("Kafka", json!({}));
        for (answer, wanted) in [
            (
                missing(&["defualt", "cloud"]),
                "write \"defualt\", or apply the endpoint first",
            ),
            (
                missing(&["cloud", "archive"]),
                "apply it first, or write \"archive\" or \"cloud\"",
            ),
            (
                missing(&["c1", "c2", "c3", "c4", "c5", "c6", "c7"]),
                "(2 more)",
            ),
            (missing(&[]), "it has none: apply one first"),
            (
                Answer::Failed("no answer within 1 s".to_owned()),
                "(no answer within 1 s): try again",
            ),
            (
                Answer::Found(Arc::new(Known::check(&bad, Rules::Deny))),
                "mend the endpoint: spec.mqttSettings.",
            ),
            (
                Answer::Found(Arc::new(Known::check(&foreign, Rules::Deny))),
                "is of type Kafka",
            ),
        ] {
            let fault = asked(answer).unwrap_err();
            assert!(
                fault.starts_with("dataflow-sidecar.io/endpoint: "),
                "{fault}"
            );
            assert!(fault.contains(wanted), "{fault}");
        }
    }

    #[test]
    fn with_a_foreign_definition_unknown_fields_hinder_nobody() {
        let more = resource(
            "Mqtt",
            json!({"authentication": {"method": "ServiceAccountToken"}, "ofAnotherProduct": 1}),
        );
        let known = |rules| Answer::Found(Arc::new(Known::check(&more, rules)));
        assert_eq!(asked(known(Rules::Warn)), Ok("default".to_owned()));
        let fault = asked(known(Rules::Deny)).unwrap_err();
        assert!(fault.contains("ofAnotherProduct"), "{fault}");
    }

    #[test]
    fn many_violations_are_counted() {
        let mut unknown = serde_json::Map::new();
        for index in 0..40 {
            unknown.insert(format!("unknownFieldNumber{index}"), json!(1));
        }
        unknown.insert("authentication".to_owned(), json!({"method": "Anonymous"}));
        let bad = resource("Mqtt", Value::Object(unknown));
        let fault = asked(Answer::Found(Arc::new(Known::check(&bad, Rules::Deny)))).unwrap_err();
        assert!(fault.chars().count() <= super::FAULT_CHARS_MAX);
        assert!(fault.contains("; and "), "{fault}");
        assert!(fault.ends_with(" more"), "{fault}");
    }
}
