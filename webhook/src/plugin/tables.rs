//! From what kubectl lists to what a person reads.

use endpoint::contract::{Annotation, CONTAINER, InjectionStatus};
use endpoint::status::{ACCEPTED, CURRENT};
use serde_json::Value;

/// Between two columns.
const GAP: usize = 3;
/// What is not said or not known.
const NOTHING: &str = "-";

/// Endpoints, pods, and what is wrong with them.
pub(super) fn of(endpoints: &Value, pods: &Value) -> String {
    let endpoints = items(endpoints);
    let pods = items(pods);
    let mut text = match endpoints.is_empty() {
        true => "There are no endpoints.\n".to_owned(),
        false => table(
            &[
                "NAMESPACE",
                "ENDPOINT",
                "HOST",
                "METHOD",
                "ACCEPTED",
                "CURRENT",
                "SIDECARS",
                "OUTDATED",
            ],
            endpoints.iter().map(endpoint).collect(),
        ),
    };
    text.push('\n');
    text += &match pods.is_empty() {
        true => "There are no pods with a sidecar.\n".to_owned(),
        false => table(
            &[
                "NAMESPACE",
                "POD",
                "ENDPOINTS",
                "VERSION",
                "SIDECAR",
                "RESTARTS",
                "SETTINGS",
            ],
            pods.iter().map(|object| pod(object, endpoints)).collect(),
        ),
    };
    let complaints: String = endpoints.iter().filter_map(complaint).collect();
    if !complaints.is_empty() {
        text.push('\n');
        text += &complaints;
    }
    text
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

fn endpoint(object: &Value) -> Vec<String> {
    let mqtt = &object["spec"]["mqttSettings"];
    let status = &object["status"];
    let condition =
        |name| text(condition(object, name).map_or(&Value::Null, |found| &found["status"]));
    vec![
        text(&object["metadata"]["namespace"]),
        text(&object["metadata"]["name"]),
        text(&mqtt["host"]),
        text(&mqtt["authentication"]["method"]),
        condition(ACCEPTED),
        condition(CURRENT),
        text(&status["sidecars"]),
        text(&status["outdatedSidecars"]),
    ]
}

fn pod(object: &Value, endpoints: &[Value]) -> Vec<String> {
    let metadata = &object["metadata"];
    let injected = metadata["annotations"][Annotation::Status.key()].as_str();
    let injected = injected.and_then(|text| InjectionStatus::parse(text).ok());
    let (ports, version) = match injected {
        Some(status) => {
            let ports: Vec<String> = status
                .endpoint_ports()
                .map(|port| port.to_string())
                .collect();
            (ports.join(","), status.version)
        }
        None => (NOTHING.to_owned(), NOTHING.to_owned()),
    };
    let (state, restarts) = sidecar(object);
    let is_outdated = endpoints.iter().any(|endpoint| {
        let outdated = endpoint["status"]["outdatedPods"].as_array();
        endpoint["metadata"]["namespace"] == metadata["namespace"]
            && outdated.is_some_and(|pods| pods.contains(&metadata["name"]))
    });
    vec![
        text(&metadata["namespace"]),
        text(&metadata["name"]),
        ports,
        version,
        state,
        restarts,
        if is_outdated {
            "restart the pod"
        } else {
            "current"
        }
        .to_owned(),
    ]
}

/// How the sidecar's container fares, and how often it began again.
fn sidecar(pod: &Value) -> (String, String) {
    let status = &pod["status"];
    let containers = status["initContainerStatuses"].as_array();
    let container = containers
        .into_iter()
        .flatten()
        .find(|container| container["name"] == CONTAINER);
    let Some(container) = container else {
        return (text(&status["phase"]), NOTHING.to_owned());
    };
    let state = &container["state"];
    let reason = ["waiting", "terminated"]
        .iter()
        .find_map(|kind| state[kind]["reason"].as_str());
    let state = match (reason, container["ready"].as_bool()) {
        (Some(reason), _) => reason,
        (None, Some(true)) => "ready",
        (None, _) => "unready",
    };
    (state.to_owned(), text(&container["restartCount"]))
}

/// Why an endpoint is not as it should be, in the words of its conditions.
fn complaint(object: &Value) -> Option<String> {
    let bad = [ACCEPTED, CURRENT]
        .iter()
        .filter_map(|name| condition(object, name))
        .find(|condition| condition["status"] == "False")?;
    Some(format!(
        "{}/{}: {}: {}\n",
        text(&object["metadata"]["namespace"]),
        text(&object["metadata"]["name"]),
        text(&bad["reason"]),
        text(&bad["message"]),
    ))
}

fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == name)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let heads = heads.iter().map(|&head| head.to_owned()).collect();
    let mut lines: Vec<Vec<String>> = vec![heads];
    lines.extend(rows);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..lines[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:<width$}{:GAP$}", ""))
            .collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::of;

    #[test]
    fn endpoints_and_pods_are_told_with_what_is_wrong() {
        let endpoints = json!({ "items": [
            {
                "metadata": { "namespace": "factory", "name": "default" },
                "spec": { "mqttSettings": { "host": "broker:8883", "authentication": { "method": "X509Certificate" } } },
                "status": {
                    "sidecars": 2, "outdatedSidecars": 1, "outdatedPods": ["press-1"],
                    "conditions": [
                        { "type": "Accepted", "status": "True" },
                        { "type": "Current", "status": "False", "reason": "RestartNeeded", "message": "restart press-1" },
                    ],
                },
            },
            { "metadata": { "namespace": "lab", "name": "new" }, "spec": { "mqttSettings": { "authentication": { "method": "Anonymous" } } } },
        ] });
        let status =
            r#"{"endpoints":[{"hash":"h","name":"default","port":1883}],"version":"0.1.0"}"#;
        let pod = |name: &str, state: serde_json::Value, ready: bool| {
            json!({
                "metadata": { "namespace": "factory", "name": name, "annotations": { "dataflow-sidecar.io/status": status } },
                "status": { "phase": "Running", "initContainerStatuses": [
                    { "name": "other", "restartCount": 7 },
                    { "name": "dataflow-sidecar", "ready": ready, "restartCount": 3, "state": state },
                ] },
            })
        };
        let pods = json!({ "items": [
            pod("press-1", json!({ "running": {} }), true),
            pod("press-2", json!({ "waiting": { "reason": "CrashLoopBackOff" } }), false),
            { "metadata": { "namespace": "lab", "name": "p" }, "status": { "phase": "Pending" } },
        ] });
        assert_eq!(
            of(&endpoints, &pods),
            "\
NAMESPACE   ENDPOINT   HOST          METHOD            ACCEPTED   CURRENT   SIDECARS   OUTDATED
factory     default    broker:8883   X509Certificate   True       False     2          1
lab         new        -             Anonymous         -          -         -          -

NAMESPACE   POD       ENDPOINTS      VERSION   SIDECAR            RESTARTS   SETTINGS
factory     press-1   default:1883   0.1.0     ready              3          restart the pod
factory     press-2   default:1883   0.1.0     CrashLoopBackOff   3          current
lab         p         -              -         Pending            -          current

factory/default: RestartNeeded: restart press-1
"
        );
    }

    #[test]
    fn nothing_is_told_too() {
        assert_eq!(
            of(&json!({ "items": [] }), &json!({})),
            "There are no endpoints.\n\nThere are no pods with a sidecar.\n"
        );
    }
}
