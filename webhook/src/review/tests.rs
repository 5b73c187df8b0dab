//! Reviews in memory: what the API server sends, and what it gets back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answered, Reviewer};
use crate::inject::Installation;
use crate::store::Store;
use crate::validate::Rules;

fn endpoint(mqtt: Value) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
        "metadata": {"name": "default", "namespace": "factory"},
        "spec": {"endpointType": "Mqtt", "mqttSettings": mqtt},
    })
}

fn good() -> Value {
    endpoint(json!({"authentication": {"method": "ServiceAccountToken"}}))
}

fn reviewer() -> Reviewer {
    Reviewer {
        store: Store::of_resources([&good()], "factory"),
        installation: Installation {
            image: "dataflow-sidecar:test".to_owned(),
            version: "0.0.0".to_owned(),
        },
        rules: Rules::Deny,
        excluded: vec!["kube-system".to_owned()],
    }
}

fn pod(annotations: Value) -> Value {
    // As a ReplicaSet makes it: neither name nor namespace.
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "app-5d8f-", "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    })
}

fn review(group: &str, kind: &str, operation: &str, object: Value, old: Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": "v1", "kind": kind}, "namespace": "factory", "operation": operation,
            "object": object, "oldObject": old, "dryRun": false,
        },
    })
}

async fn answer(review: &Value) -> (Value, Answered) {
    let answered = reviewer().answer(review.to_string().as_bytes()).await;
    let body: Value = serde_json::from_slice(answered.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(body["kind"], "AdmissionReview");
    assert_eq!(body["response"]["uid"], review["request"]["uid"]);
    (body["response"].clone(), answered)
}

fn labels(answered: &Answered) -> (&'static str, &'static str) {
    (answered.verdict.result.as_str(), answered.verdict.reason)
}

#[tokio::test]
async fn a_pod_is_patched() {
    let pod = pod(json!({"dataflow-sidecar.io/endpoint": "default"}));
    let (response, answered) = answer(&review("", "Pod", "CREATE", pod.clone(), Value::Null)).await;
    assert_eq!(labels(&answered), ("injected", "none"));
    assert_eq!(
        (&response["allowed"], &response["patchType"]),
        (&json!(true), &json!("JSONPatch"))
    );
    assert_eq!(
        response["auditAnnotations"],
        json!({"result": "injected", "endpoints": "default:1883"})
    );
    assert!(response.get("status").is_none() && response.get("warnings").is_none());
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut patched = pod;
    json_patch::patch(&mut patched, &patch).unwrap();
    assert_eq!(
        patched["spec"]["initContainers"][0]["name"],
        "dataflow-sidecar"
    );

    let (response, answered) = answer(&review("", "Pod", "CREATE", patched, Value::Null)).await;
    assert_eq!(labels(&answered), ("again", "none"));
    assert!(response.get("patch").is_none() && response.get("patchType").is_none());
}

#[tokio::test]
async fn a_refused_pod_is_told_everything_twice() {
    let pod = pod(
        json!({"dataflow-sidecar.io/endpoint": "defualt", "dataflow-sidecar.io/log-level": "loud"}),
    );
    let (response, answered) = answer(&review("", "Pod", "CREATE", pod, Value::Null)).await;
    assert_eq!(labels(&answered), ("denied", "bad_annotation"));
    assert_eq!(response["allowed"], false);
    let status = &response["status"];
    assert_eq!(
        (&status["code"], &status["reason"], &status["status"]),
        (&json!(422), &json!("Invalid"), &json!("Failure"))
    );
    let message = status["message"].as_str().unwrap();
    assert!(
        message.starts_with("dataflow-sidecar.io/log-level: \"loud\" is not valid"),
        "{message}"
    );
    assert!(
        message
            .contains("\ndataflow-sidecar.io/endpoint: there is no DataflowEndpoint \"defualt\""),
        "{message}"
    );
    assert!(message.contains("write \"default\""), "{message}");
    let details = &status["details"];
    assert_eq!(
        (&details["kind"], &details["name"]),
        (&json!("Pod"), &json!("app-5d8f-"))
    );
    assert_eq!(details["causes"].as_array().unwrap().len(), 2);
    assert_eq!(
        details["causes"][1]["field"],
        "metadata.annotations[dataflow-sidecar.io/endpoint]"
    );
    assert_eq!(details["causes"][1]["reason"], "FieldValueInvalid");
    assert!(response.get("patch").is_none());
}

#[tokio::test]
async fn what_is_not_ours_passes() {
    for (group, kind, operation, object, reason) in [
        ("", "Pod", "CREATE", pod(json!({})), "not_annotated"),
        (
            "",
            "Pod",
            "CREATE",
            pod(json!({"dataflow-sidecar.io/inject": "false"})),
            "opted_out",
        ),
        (
            "",
            "Pod",
            "UPDATE",
            pod(json!({"dataflow-sidecar.io/endpoint": ""})),
            "not_ours",
        ),
        (
            "connectivity.iotoperations.azure.com",
            "DataflowEndpoint",
            "DELETE",
            Value::Null,
            "not_ours",
        ),
        ("", "ConfigMap", "CREATE", json!({}), "not_ours"),
        ("batch.volcano.sh", "Job", "CREATE", json!({}), "not_ours"),
    ] {
        let (response, answered) =
            answer(&review(group, kind, operation, object, Value::Null)).await;
        assert_eq!(
            labels(&answered),
            ("untouched", reason),
            "{kind} {operation}"
        );
        assert_eq!(response["allowed"], true);
        assert!(response.get("patch").is_none());
    }
}

#[tokio::test]
async fn an_endpoint_is_refused_as_the_api_server_refuses() {
    let group = "connectivity.iotoperations.azure.com";
    let bad = endpoint(
        json!({"host": "broker", "qos": 7, "authentication": {"method": "ServiceAccountToken"}}),
    );
    let (response, answered) = answer(&review(
        group,
        "DataflowEndpoint",
        "CREATE",
        bad.clone(),
        Value::Null,
    ))
    .await;
    assert_eq!(labels(&answered), ("denied", "invalid_endpoint"));
    let status = &response["status"];
    assert_eq!(
        (&status["code"], &status["reason"]),
        (&json!(422), &json!("Invalid"))
    );
    let causes = status["details"]["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 2);
    for cause in causes {
        let line = format!(
            "{}: {}",
            cause["field"].as_str().unwrap(),
            cause["message"].as_str().unwrap()
        );
        assert!(
            status["message"]
                .as_str()
                .unwrap()
                .lines()
                .any(|l| l == line),
            "{line}"
        );
    }
    // What was there before is no reason to refuse a change.
    let (response, answered) = answer(&review(
        group,
        "DataflowEndpoint",
        "UPDATE",
        bad.clone(),
        bad,
    ))
    .await;
    assert_eq!(labels(&answered), ("allowed", "none"));
    assert_eq!(response["warnings"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_workload_is_checked_where_it_is_applied() {
    let deployment = |annotations: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"},
            "spec": {"template": {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "app"}]}}},
        })
    };
    let missing = deployment(json!({"dataflow-sidecar.io/endpoint": "later"}));
    let (response, answered) = answer(&review(
        "apps",
        "Deployment",
        "CREATE",
        missing,
        Value::Null,
    ))
    .await;
    assert_eq!(labels(&answered), ("allowed", "none"));
    assert!(
        response["warnings"][0]
            .as_str()
            .unwrap()
            .contains("\"later\""),
        "{response}"
    );
    let bad = deployment(json!({"dataflow-sidecar.io/endpont": "default"}));
    let (response, answered) =
        answer(&review("apps", "Deployment", "CREATE", bad, Value::Null)).await;
    assert_eq!(labels(&answered), ("denied", "bad_annotation"));
    assert_eq!(
        response["status"]["details"]["causes"][0]["field"],
        "spec.template.metadata.annotations[dataflow-sidecar.io/endpont]"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_with_its_uid() {
    let answered = reviewer()
        .answer(br#"{"apiVersion":"admission.k8s.io/v1","request":{"uid":"u-7","obj"#)
        .await;
    assert_eq!(labels(&answered), ("failed", "unreadable"));
    let body: Value = serde_json::from_slice(answered.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["response"]["uid"], "u-7");
    assert_eq!(body["response"]["allowed"], false);
    assert_eq!(body["response"]["status"]["code"], 400);
    let nameless = reviewer().answer(b"nonsense").await;
    assert_eq!(
        (labels(&nameless), nameless.body),
        (("failed", "unreadable"), None)
    );
}
