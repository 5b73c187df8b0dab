//! A second webhook that takes our container out again: the policy refuses the pod.

use e2e::app::App;
use e2e::broker::default_endpoint;
use e2e::kubectl::kubectl;
use e2e::story::Story;
use e2e::{IMAGE, restricted};
use serde_json::{Value, json};
use tests::certificates::Authority;

const NAME: &str = "hostile";

/// The program `e2e-hostile` behind a Service.
fn server(namespace: &str, authority: &Authority) -> Value {
    let server = authority.server_for(&[&format!("{NAME}.{namespace}.svc")]);
    let files = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME},
        "stringData": {"tls.crt": server.certificate, "tls.key": server.key},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME},
        "spec": {"selector": {"app": NAME}, "ports": [{"port": 443, "targetPort": 8443}]},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "labels": {"app": NAME}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": NAME, "image": IMAGE, "imagePullPolicy": "IfNotPresent",
                "command": ["/e2e-hostile", "/files"], "securityContext": restricted(),
                "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
                "volumeMounts": [{"name": "files", "mountPath": "/files"}],
            }],
            "volumes": [{"name": "files", "secret": {"secretName": NAME}}],
        },
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [files, service, pod]})
}

/// It is called after ours, and again after ours was called again.
fn configuration(namespace: &str, authority: &Authority) -> Value {
    let bundle = k8s_openapi::ByteString(authority.certificate().as_bytes().to_vec());
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": format!("zz-{namespace}")},
        "webhooks": [{
            "name": "hostile.e2e.dataflow-sidecar.io",
            "clientConfig": {"service": {"namespace": namespace, "name": NAME}, "caBundle": bundle},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "reinvocationPolicy": "IfNeeded", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        }],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_strips_the_sidecar_is_caught_by_the_policy() {
    Story::play("hostile", async |story: &Story| {
        let authority = Authority::new("hostile authority");
        story
            .must_apply(&server(&story.namespace, &authority))
            .await;
        story.ready_pod(NAME).await;
        story.must_apply(&default_endpoint()).await;
        let hostile = configuration(&story.namespace, &authority);
        story.must_apply(&hostile).await;
        let pod = App::new("oven", "default").pod();
        story
            .until("the pod is refused by the policy", async || {
                let answer = story.apply(&pod).await;
                let refused = !answer.good && answer.text.contains("dataflow-sidecar-present");
                // The API server may not know the hostile one yet.
                story
                    .kubectl(&["delete", "pod", "oven", "--ignore-not-found"])
                    .await;
                if refused { Ok(()) } else { Err(answer.text) }
            })
            .await;
        let name = format!("zz-{}", story.namespace);
        kubectl(&["delete", "mutatingwebhookconfiguration", &name], "").await;
    })
    .await;
}
