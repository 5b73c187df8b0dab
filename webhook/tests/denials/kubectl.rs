//! What kubectl prints of an answer, as seen with kubectl 1.32 against a cluster of 1.34.

use serde_json::Value;

/// The name under which the webhook's entry for a kind is registered.
fn entry(kind: &str) -> &'static str {
    match kind {
        "Pod" => "pods.dataflow-sidecar.io",
        "DataflowEndpoint" => "explain.dataflowendpoints.dataflow-sidecar.io",
        _ => "workloads.dataflow-sidecar.io",
    }
}

/// Warnings, and the causes as a list: what `kubectl apply` of one object prints.
pub(crate) fn apply(response: &Value) -> String {
    let details = &response["status"]["details"];
    let mut causes: Vec<String> = Vec::new();
    for cause in details["causes"].as_array().unwrap() {
        let cause = format!("{}: {}", text(&cause["field"]), text(&cause["message"]));
        assert!(!causes.contains(&cause), "kubectl prints it once: {cause}");
        causes.push(cause);
    }
    let head = format!(
        "The {} {:?} is invalid:",
        text(&details["kind"]),
        text(&details["name"])
    );
    let list = match causes.as_slice() {
        [only] => format!("{head} {only}\n"),
        several => {
            let items: Vec<String> = several.iter().map(|cause| format!("* {cause}\n")).collect();
            format!("{head}\n{}", items.concat())
        }
    };
    warnings(response) + &list
}

/// Of one of several objects: kubectl prints the message then, and not the causes.
pub(crate) fn apply_several(response: &Value) -> String {
    format!(
        "{}Error from server (Invalid): error when creating \"app.yaml\": {}\n",
        warnings(response),
        message(response)
    )
}

/// The event that a ReplicaSet or another controller writes when it may not make its pod.
pub(crate) fn event(response: &Value) -> String {
    format!(
        "Warning  FailedCreate  replicaset-controller  Error creating: {}\n",
        message(response)
    )
}

fn message(response: &Value) -> String {
    let status = &response["status"];
    let kind = text(&status["details"]["kind"]);
    format!(
        "admission webhook {:?} denied the request: {}",
        entry(kind),
        text(&status["message"])
    )
}

fn warnings(response: &Value) -> String {
    let warnings = response["warnings"].as_array();
    warnings
        .into_iter()
        .flatten()
        .map(|warning| format!("Warning: {}\n", text(warning)))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
