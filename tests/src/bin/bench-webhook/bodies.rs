//! The reviews that are asked.

use serde_json::{Value, json};

/// The namespace of everything.
pub(crate) const NAMESPACE: &str = "factory";
/// A pod that other webhooks and a careful author have written much into.
const LARGE_BYTES: usize = 100 * 1024;

/// A kind of review.
pub(crate) struct Asked {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: String,
    /// Of the reviews of a round, this part.
    pub(crate) share: f64,
    /// The label of the webhook's metrics.
    pub(crate) label: &'static str,
}

/// Every kind that is measured.
pub(crate) fn all() -> Vec<Asked> {
    vec![
        Asked {
            name: "small pod",
            path: "/mutate/pods",
            body: review("", "v1", "Pod", small_pod()),
            share: 1.0,
            label: "pods",
        },
        Asked {
            name: "pod of 100 KiB",
            path: "/mutate/pods",
            body: review("", "v1", "Pod", large_pod()),
            share: 0.1,
            label: "pods",
        },
        Asked {
            name: "Deployment",
            path: "/validate/workloads",
            body: review("apps", "v1", "Deployment", deployment()),
            share: 1.0,
            label: "workloads",
        },
        Asked {
            name: "endpoint",
            path: "/validate/endpoints",
            body: review(
                "connectivity.iotoperations.azure.com",
                "v1",
                "DataflowEndpoint",
                endpoint("new"),
            ),
            share: 1.0,
            label: "endpoints",
        },
    ]
}

/// An endpoint with what a plant writes.
pub(crate) fn endpoint(name: &str) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"endpointType": "Mqtt", "mqttSettings": {
            "host": "broker.example:8883",
            "authentication": {"method": "X509Certificate", "x509CertificateSettings": {"secretRef": "certificate"}},
            "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "plant-ca"},
            "keepAliveSeconds": 60, "maxInflightMessages": 100, "qos": 1, "retain": "Keep",
        }},
    })
}

fn review(group: &str, version: &str, kind: &str, object: Value) -> String {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": kind},
            "namespace": NAMESPACE, "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller", "groups": ["system:authenticated"]},
            "object": object, "oldObject": null, "dryRun": false,
        },
    })
    .to_string()
}

/// A pod as a ReplicaSet's controller makes it.
fn small_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "press-7f8d9c6b5-",
            "labels": {"app": "press", "pod-template-hash": "7f8d9c6b5"},
            "annotations": {"dataflow-sidecar.io/endpoint": "default"},
        },
        "spec": {
            "containers": [{
                "name": "app", "image": "registry.example/press:4",
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                "volumeMounts": [{"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}],
            }],
            "serviceAccountName": "default", "restartPolicy": "Always",
            "volumes": [{"name": "kube-api-access-x", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
        },
    })
}

fn large_pod() -> Value {
    let mut pod = small_pod();
    let mut index = 0;
    while pod.to_string().len() < LARGE_BYTES {
        let settings: Vec<Value> = (0..50)
            .map(|number| json!({"name": format!("SETTING_{index}_{number}"), "value": "a value of some forty characters, more or less"}))
            .collect();
        let container = json!({"name": format!("part-{index}"), "image": "registry.example/part:1", "env": settings});
        if let Some(containers) = pod["spec"]["containers"].as_array_mut() {
            containers.push(container);
        }
        index += 1;
    }
    pod
}

fn deployment() -> Value {
    let pod = small_pod();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "press"},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "press"}},
            "template": {"metadata": pod["metadata"], "spec": pod["spec"]},
        },
    })
}
