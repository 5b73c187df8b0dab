//! The CustomResourceDefinition: the schema of the types in [`crate::spec`], and rules between fields in CEL.
//!
//! Both hold while the webhook is away. Once released they are frozen: a later rule is the webhook's, which refuses only
//! what a change introduces.

use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::limits::NAME_CHARS_MAX;
use crate::patterns;
use crate::resource::VERSIONS;
use crate::spec::DataflowEndpoint;

mod rules;

use rules::Rule;

/// `helm uninstall` leaves the CRD, and with it every endpoint of the cluster, in place.
const KEEP: (&str, &str) = ("helm.sh/resource-policy", "keep");

/// The CRD as JSON: the same value at every call, object keys in the order of the alphabet.
pub fn crd() -> Value {
    // Only types of our own are serialised: none has a key that is no string.
    let mut crd = serde_json::to_value(DataflowEndpoint::crd()).unwrap_or_default();
    let mut version = crd["spec"]["versions"][0].take();
    finish_schema(&mut version["schema"]["openAPIV3Schema"]);
    version["additionalPrinterColumns"] = columns();
    let versions: Vec<Value> = VERSIONS
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let mut version = version.clone();
            version["name"] = json!(name);
            version["served"] = json!(true);
            version["storage"] = json!(index == 0);
            version
        })
        .collect();
    crd["spec"]["versions"] = Value::Array(versions);
    crd["spec"]["conversion"] = json!({ "strategy": "None" });
    crd["metadata"]["annotations"] = json!({ KEEP.0: KEEP.1 });
    sorted(&crd)
}

fn columns() -> Value {
    let column = |name: &str, kind: &str, path: &str, description: &str| json!({ "name": name, "type": kind, "jsonPath": path, "description": description });
    json!([
        column(
            "Host",
            "string",
            ".spec.mqttSettings.host",
            "The broker; empty: aio-broker:18883"
        ),
        column(
            "Authentication",
            "string",
            ".spec.mqttSettings.authentication.method",
            "How the sidecar proves who it is"
        ),
        column(
            "TLS",
            "string",
            ".spec.mqttSettings.tls.mode",
            "Whether TLS is used; empty: Enabled"
        ),
        column(
            "Accepted",
            "string",
            ".status.conditions[?(@.type==\"Accepted\")].status",
            "Whether the endpoint keeps every rule"
        ),
        column(
            "Sidecars",
            "integer",
            ".status.sidecars",
            "Running pods with a sidecar for it"
        ),
        column(
            "Age",
            "date",
            ".metadata.creationTimestamp",
            "Time since it was made"
        ),
    ])
}

/// What the types cannot say: the name's shape and the rules between fields.
fn finish_schema(schema: &mut Value) {
    tidy(schema);
    // No description of `metadata` itself: the API server has its own, and refuses a CRD that brings one.
    schema["properties"]["metadata"] = json!({
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "description": "The name by which the annotation of a pod asks for the endpoint: lower-case letters, digits and '-'.",
                "maxLength": NAME_CHARS_MAX,
                "pattern": patterns::LABEL,
            },
        },
    });
    node_at(schema, "status")["description"] =
        json!("What the controller found out about the endpoint.");
    node_at(schema, "status.outdatedPods")["items"]["description"] = json!("The name of a pod.");
    node_at(schema, "spec.mqttSettings.CloudEventAttributes")["description"] =
        json!("Another spelling of cloudEventAttributes; where both are set they must be equal.");
    for (path, rules) in rules::all() {
        node_at(schema, path)["x-kubernetes-validations"] =
            rules.iter().map(Rule::to_value).collect();
    }
}

/// The schema of the field at a path such as `spec.mqttSettings`.
fn node_at<'a>(schema: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.')
        .fold(schema, |node, field| &mut node["properties"][field])
}

/// Takes out what the generator puts in for other readers than Kubernetes.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            // Without `nullable` the API server drops a null, as if the field were absent; with it the null would be
            // stored and `has()` would be true.
            map.remove("nullable");
            // The line breaks of the source text.
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        // Limits are floats in the Kubernetes type, but read better without their `.0`.
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|float| float.fract() == 0.0) {
                *schema = json!(whole as i64);
            }
        }
        _ => {}
    }
}

/// The same value with the keys of every object in order, whatever map `serde_json` was built with.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.clone(), sorted(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
