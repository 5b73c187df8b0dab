//! The parts that no golden case shows: what is compared on a second review, and what a patch looks like.

use std::sync::Arc;

use serde_json::{Value, json};

use super::endpoints::{Answer, Answers, Known};
use super::{Installation, Outcome, Subject, inject};

fn installation() -> Installation {
    Installation {
        image: "dataflow-sidecar:test".to_owned(),
        version: "0.0.0".to_owned(),
    }
}

fn answers(authentication: Value) -> Answers {
    let resource = json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
        "metadata": {"name": "default", "namespace": "factory"},
        "spec": {"endpointType": "Mqtt", "mqttSettings": {"authentication": authentication}},
    });
    Answers::from([(
        "default".to_owned(),
        Answer::Found(Arc::new(Known::check(
            &resource,
            crate::validate::Rules::Deny,
        ))),
    )])
}

fn service_account() -> Answers {
    answers(json!({"method": "ServiceAccountToken"}))
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "app", "annotations": {"dataflow-sidecar.io/endpoint": "default"}},
        "spec": {
            "containers": [{"name": "app", "image": "app", "fieldOfALaterVersion": {"kept": true}}],
            "initContainers": [{"name": "init", "image": "init"}],
        },
    })
}

fn decide(pod: &Value, answers: &Answers) -> super::Decision {
    inject(
        Subject {
            pod,
            namespace: "factory",
            answers,
        },
        &installation(),
    )
}

fn injected() -> Value {
    let mut pod = pod();
    match decide(&pod, &service_account()).outcome {
        Outcome::Injected { patch, .. } => patch.apply(&mut pod).unwrap(),
        other => panic!("{other:?}"),
    }
    pod
}

/// Decides on the injected pod after a change to it.
fn after(change: impl FnOnce(&mut Value), answers: &Answers) -> (Outcome, Vec<String>) {
    let mut pod = injected();
    change(&mut pod);
    let decision = decide(&pod, answers);
    (decision.outcome, decision.warnings)
}

fn denied(outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Denied(faults) => faults.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_patch_adds_and_touches_nothing_else() {
    let pod = pod();
    let Outcome::Injected { patch, .. } = decide(&pod, &service_account()).outcome else {
        panic!("must be injected");
    };
    let paths: Vec<String> = patch
        .operations()
        .iter()
        .map(|operation| operation.path().to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "/metadata/labels",
            "/metadata/annotations/dataflow-sidecar.io~1status",
            "/metadata/annotations/prometheus.io~1scrape",
            "/metadata/annotations/prometheus.io~1port",
            "/metadata/annotations/prometheus.io~1path",
            "/spec/containers/0/env",
            "/spec/initContainers/0/env",
            "/spec/volumes",
            "/spec/initContainers/0",
        ]
    );
    assert!(patch.to_json().starts_with(r#"[{"op":"add","path":"#));
    assert_eq!(
        injected()["spec"]["containers"][0]["fieldOfALaterVersion"],
        json!({"kept": true})
    );
    assert_eq!(
        injected()["spec"]["initContainers"][0]["name"],
        "dataflow-sidecar"
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let patch = || match decide(&pod(), &service_account()).outcome {
        Outcome::Injected { patch, .. } => patch.to_json(),
        other => panic!("{other:?}"),
    };
    assert_eq!(patch(), patch());
}

#[test]
fn an_injected_pod_is_left_as_it_is() {
    let (outcome, warnings) = after(|_| {}, &service_account());
    assert!(matches!(outcome, Outcome::Again { .. }), "{outcome:?}");
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn what_others_do_to_an_injected_pod_stays() {
    let (outcome, warnings) = after(
        |pod| {
            let spec = &mut pod["spec"];
            let sidecar = &mut spec["initContainers"][0];
            sidecar["image"] = json!("mirror.example/dataflow-sidecar:test");
            sidecar["imagePullPolicy"] = json!("IfNotPresent");
            sidecar["env"]
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "PROXY", "value": "x"}));
            sidecar["env"][3]["valueFrom"]["fieldRef"]["apiVersion"] = json!("v1");
            sidecar["volumeMounts"]
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "x", "mountPath": "/x"}));
            let volumes = spec["volumes"].as_array_mut().unwrap();
            volumes[0]["configMap"]["defaultMode"] = json!(420);
            volumes.push(json!({"name": "x", "emptyDir": {}}));
            let containers = spec["initContainers"].as_array_mut().unwrap();
            containers.insert(0, json!({"name": "first"}));
            spec["containers"]
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "late"}));
            pod["metadata"]["labels"] = json!({});
        },
        &service_account(),
    );
    assert!(matches!(outcome, Outcome::Again { .. }), "{outcome:?}");
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn what_the_sidecar_needs_must_stay() {
    let sidecar = "/spec/initContainers/0";
    for (pointer, value, wanted) in [
        (
            "restartPolicy",
            Value::Null,
            "spec.initContainers[0].restartPolicy: is \"\"",
        ),
        (
            "args",
            json!(["run", "--listen", "x"]),
            "spec.initContainers[0].args: ",
        ),
        ("command", json!(["sh"]), "spec.initContainers[0].args: "),
        (
            "env",
            json!([]),
            "spec.initContainers[0].env[DATAFLOW_SIDECAR_LISTEN]: ",
        ),
        (
            "volumeMounts",
            json!([]),
            "spec.initContainers[0].volumeMounts[dataflow-sidecar-0-config]: ",
        ),
    ] {
        let (outcome, _) = after(
            |pod| pod.pointer_mut(sidecar).unwrap()[pointer] = value,
            &service_account(),
        );
        let faults = denied(outcome);
        assert!(faults[0].starts_with(wanted), "{pointer}: {faults:?}");
    }
    let (outcome, _) = after(
        |pod| {
            pod["spec"]["volumes"][1]["projected"]["sources"][0]["serviceAccountToken"]["audience"] =
                json!("other")
        },
        &service_account(),
    );
    assert!(
        denied(outcome)[0]
            .starts_with("spec.volumes[dataflow-sidecar-0-token]: must be as injected")
    );
}

#[test]
fn a_changed_endpoint_annotation_is_refused() {
    for value in ["default:1999", "default,other", "other"] {
        let (outcome, _) = after(
            |pod| pod["metadata"]["annotations"]["dataflow-sidecar.io/endpoint"] = json!(value),
            &service_account(),
        );
        let faults = denied(outcome);
        let wanted = "dataflow-sidecar.io/endpoint: the sidecar was injected for default:1883";
        assert!(
            faults.iter().any(|fault| fault.starts_with(wanted)),
            "{value}: {faults:?}"
        );
    }
    let (outcome, _) = after(
        |pod| {
            pod["metadata"]["annotations"]
                .as_object_mut()
                .unwrap()
                .remove("dataflow-sidecar.io/endpoint");
        },
        &service_account(),
    );
    assert!(denied(outcome)[0].starts_with("dataflow-sidecar.io/endpoint: is missing"));
}

#[test]
fn an_endpoint_that_changed_since_is_warned_of() {
    let (outcome, warnings) = after(
        |_| {},
        &answers(
            json!({"method": "X509Certificate", "x509CertificateSettings": {"secretRef": "cert"}}),
        ),
    );
    assert!(matches!(outcome, Outcome::Again { .. }), "{outcome:?}");
    assert_eq!(
        warnings,
        [
            "endpoint default changed since the sidecar was injected: inject again, it runs with the old settings"
        ]
    );
}

#[test]
fn annotations_that_only_tune_are_warned_of() {
    let (outcome, warnings) = after(
        |pod| pod["metadata"]["annotations"]["dataflow-sidecar.io/log-level"] = json!("debug"),
        &service_account(),
    );
    assert!(matches!(outcome, Outcome::Again { .. }), "{outcome:?}");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("DATAFLOW_SIDECAR_LOG"), "{warnings:?}");
}

#[test]
fn a_status_alone_or_a_container_alone_is_no_injection() {
    let (outcome, _) = after(
        |pod| pod["metadata"]["annotations"]["dataflow-sidecar.io/status"] = json!("edited"),
        &service_account(),
    );
    let faults = denied(outcome);
    assert!(
        faults[0].starts_with("spec.initContainers[0].name: a container is already named"),
        "{faults:?}"
    );
    let mut pod = pod();
    pod["metadata"]["annotations"]["dataflow-sidecar.io/status"] = json!("stale");
    let Outcome::Injected { patch, .. } = decide(&pod, &service_account()).outcome else {
        panic!("must be injected");
    };
    patch.apply(&mut pod).unwrap();
    assert_ne!(
        pod["metadata"]["annotations"]["dataflow-sidecar.io/status"],
        "stale"
    );
}

#[test]
fn all_faults_come_at_once() {
    let mut pod = pod();
    pod["metadata"]["annotations"]["dataflow-sidecar.io/endpoint"] = json!("defualt");
    pod["metadata"]["annotations"]["dataflow-sidecar.io/log-level"] = json!("loud");
    pod["metadata"]["annotations"]["dataflow-sidecar.io/cpu-request"] = json!("2");
    pod["metadata"]["annotations"]["dataflow-sidecar.io/cpu-limit"] = json!("1");
    pod["spec"]["hostNetwork"] = json!(true);
    pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 1883}]);
    pod["spec"]["volumes"] = json!([{"name": "dataflow-sidecar-0-ca"}]);
    let faults = denied(decide(&pod, &Answers::new()).outcome);
    let keys: Vec<&str> = faults
        .iter()
        .map(|fault| fault.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "dataflow-sidecar.io/log-level",
            "dataflow-sidecar.io/endpoint",
            "dataflow-sidecar.io/endpoint",
            "dataflow-sidecar.io/cpu-request",
            "spec.hostNetwork",
            "spec.volumes[0].name",
        ]
    );
}

/// A type that lost nothing of a value knows every field of it.
fn known<T: serde::Serialize + serde::de::DeserializeOwned>(value: &Value) {
    let typed: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(&serde_json::to_value(typed).unwrap(), value);
}

#[test]
fn what_is_added_is_known_to_kubernetes() {
    let mut pod = pod();
    pod["metadata"]["annotations"]["dataflow-sidecar.io/cpu-limit"] = json!("1");
    let x509 =
        json!({"method": "X509Certificate", "x509CertificateSettings": {"secretRef": "cert"}});
    for answers in [service_account(), answers(x509)] {
        let mut pod = pod.clone();
        match decide(&pod, &answers).outcome {
            Outcome::Injected { patch, .. } => patch.apply(&mut pod).unwrap(),
            other => panic!("{other:?}"),
        }
        known::<k8s_openapi::api::core::v1::Container>(&pod["spec"]["initContainers"][0]);
        for volume in pod["spec"]["volumes"].as_array().unwrap() {
            known::<k8s_openapi::api::core::v1::Volume>(volume);
        }
        for variable in pod["spec"]["containers"][0]["env"].as_array().unwrap() {
            known::<k8s_openapi::api::core::v1::EnvVar>(variable);
        }
    }
}
