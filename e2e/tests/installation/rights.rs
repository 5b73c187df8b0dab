//! What the webhook's service account may do, as the API server says it, and what it may not.

use e2e::story::Story;
use e2e::webhook;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

const ENDPOINTS: &str = "connectivity.iotoperations.azure.com";
const REGISTRATION: &str = "admissionregistration.k8s.io";

/// Verb, group, resource, subresource, namespace, name; an empty namespace is all of them.
type Question = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const MAY: [Question; 11] = [
    ("create", "", "configmaps", "", "factory", ""),
    ("watch", ENDPOINTS, "dataflowendpoints", "", "", ""),
    (
        "patch",
        ENDPOINTS,
        "dataflowendpoints",
        "status",
        "factory",
        "default",
    ),
    ("watch", "", "configmaps", "", "", ""),
    (
        "patch",
        "",
        "configmaps",
        "",
        "factory",
        "dataflow-endpoint-default",
    ),
    ("watch", "", "pods", "", "", ""),
    ("create", "events.k8s.io", "events", "", "factory", ""),
    (
        "patch",
        REGISTRATION,
        "mutatingwebhookconfigurations",
        "",
        "",
        webhook::NAME,
    ),
    (
        "patch",
        REGISTRATION,
        "validatingwebhookconfigurations",
        "",
        "",
        webhook::NAME,
    ),
    ("create", "", "secrets", "", webhook::NAMESPACE, ""),
    (
        "get",
        "",
        "secrets",
        "",
        webhook::NAMESPACE,
        "dataflow-webhook-ca",
    ),
];

const MAY_NOT: [Question; 24] = [
    ("get", "", "configmaps", "", "factory", "anything"),
    ("patch", "events.k8s.io", "events", "", "factory", ""),
    (
        "patch",
        ENDPOINTS,
        "dataflowendpoints",
        "",
        "factory",
        "default",
    ),
    ("get", "", "pods", "", "factory", "app"),
    ("get", "", "secrets", "", "factory", "press-4"),
    ("list", "", "secrets", "", "", ""),
    ("list", "", "secrets", "", webhook::NAMESPACE, ""),
    ("watch", "", "secrets", "", webhook::NAMESPACE, ""),
    ("get", "", "secrets", "", webhook::NAMESPACE, "another"),
    ("create", "", "secrets", "", "factory", ""),
    (
        "delete",
        "",
        "secrets",
        "",
        webhook::NAMESPACE,
        "dataflow-webhook-ca",
    ),
    (
        "create",
        "",
        "serviceaccounts",
        "token",
        "factory",
        "default",
    ),
    ("create", "", "pods", "", "factory", ""),
    ("patch", "", "pods", "", "factory", "oven"),
    ("delete", "", "pods", "", "factory", "oven"),
    ("create", "", "pods", "exec", "factory", "oven"),
    ("patch", "apps", "deployments", "", "factory", "oven"),
    (
        "delete",
        "",
        "configmaps",
        "",
        "factory",
        "dataflow-endpoint-default",
    ),
    (
        "patch",
        ENDPOINTS,
        "dataflowendpoints",
        "",
        "factory",
        "default",
    ),
    (
        "delete",
        ENDPOINTS,
        "dataflowendpoints",
        "",
        "factory",
        "default",
    ),
    (
        "patch",
        REGISTRATION,
        "mutatingwebhookconfigurations",
        "",
        "",
        "another",
    ),
    (
        "create",
        REGISTRATION,
        "mutatingwebhookconfigurations",
        "",
        "",
        "",
    ),
    (
        "patch",
        REGISTRATION,
        "validatingadmissionpolicies",
        "",
        "",
        "dataflow-webhook-own-objects",
    ),
    (
        "patch",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "",
        "",
        webhook::NAME,
    ),
];

async fn allowed(story: &Story, question: &Question) -> bool {
    let (verb, group, resource, subresource, namespace, name) = question;
    let review = json!({"metadata": {}, "spec": {
        "user": format!("system:serviceaccount:{}:{}", webhook::NAMESPACE, webhook::NAME),
        "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{}", webhook::NAMESPACE), "system:authenticated"],
        "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": subresource,
            "namespace": namespace, "name": name,
        },
    }});
    let review: SubjectAccessReview = serde_json::from_value(review).expect("a review");
    let api: Api<SubjectAccessReview> = Api::all(story.client.clone());
    let review = api
        .create(&PostParams::default(), &review)
        .await
        .expect("an answer");
    review.status.is_some_and(|status| status.allowed)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_account_may_do_its_work_and_nothing_else() {
    Story::play("rights", async |story: &Story| {
        let mut wrong = Vec::new();
        for (questions, wanted) in [(&MAY[..], true), (&MAY_NOT[..], false)] {
            for question in questions {
                if allowed(story, question).await != wanted {
                    wrong.push(format!(
                        "{question:?} must {}be allowed",
                        if wanted { "" } else { "not " }
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_lets_the_service_account_write_no_foreign_config_map() {
    Story::play("foreign", async |story: &Story| {
        let account = format!("system:serviceaccount:{}:{}", webhook::NAMESPACE, webhook::NAME);
        let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}});
        let manifest = config_map.to_string();
        let args = ["apply", "--server-side", "--force-conflicts", "--as", &account, "--filename", "-"];
        let args = [&["--namespace", &story.namespace], &args[..]].concat();
        e2e::kubectl::kubectl(&args, &manifest).await.refused_with(&["dataflow-webhook-own-objects"]);
    })
    .await;
}
