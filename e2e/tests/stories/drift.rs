//! What somebody changes behind the webhook's back, and what running pods lack: the controller's work.

use e2e::app::App;
use e2e::broker::{Broker, TRUST_BUNDLE, default_endpoint};
use e2e::story::Story;
use serde_json::json;

const CONFIG_MAP: &str = "dataflow-endpoint-default";

async fn content(story: &Story) -> String {
    story
        .field(&["configmap", CONFIG_MAP], ".data.endpoint\\.json")
        .await
}

/// Waits for the reason of a condition of the endpoint `default`.
async fn until_reason(story: &Story, condition: &str, reason: &str) {
    let path = format!(".status.conditions[?(@.type==\"{condition}\")].reason");
    story
        .until(&format!("{condition} is {reason}"), async || {
            let found = story.field(&["dataflowendpoint", "default"], &path).await;
            if found == reason { Ok(()) } else { Err(found) }
        })
        .await;
}

async fn until_content(story: &Story, wanted: &str) {
    story
        .until("the ConfigMap is as it was", async || {
            let found = content(story).await;
            if found == wanted { Ok(()) } else { Err(found) }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_that_is_edited_or_deleted_is_put_back() {
    Story::play("restored", async |story: &Story| {
        story.must_apply(&default_endpoint()).await;
        until_reason(story, "Accepted", "Valid").await;
        let good = content(story).await;
        assert!(good.contains("\"endpointType\": \"Mqtt\""), "{good}");
        let edit = json!({"data": {"endpoint.json": "{}"}}).to_string();
        let patch = [
            "patch",
            "configmap",
            CONFIG_MAP,
            "--type",
            "merge",
            "--patch",
            &edit,
        ];
        story.must(&patch).await;
        until_content(story, &good).await;
        story.must(&["delete", "configmap", CONFIG_MAP]).await;
        until_content(story, &good).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_of_somebody_else_is_left_alone() {
    Story::play("taken", async |story: &Story| {
        let theirs = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, "data": {"mine": "yes"},
        });
        story.must_apply(&theirs).await;
        story.must_apply(&default_endpoint()).await;
        until_reason(story, "Accepted", "NameTaken").await;
        let data = story.field(&["configmap", CONFIG_MAP], ".data").await;
        assert_eq!(data, r#"{"mine":"yes"}"#);
        story.must(&["delete", "configmap", CONFIG_MAP]).await;
        until_reason(story, "Accepted", "Valid").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_needs_a_restart_is_named_until_it_had_one() {
    Story::play("outdated", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        let app = App::new("oven", "default");
        story.must_apply(&app.deployment()).await;
        let pod = story.ready_pod("oven").await;
        until_reason(story, "Current", "UpToDate").await;
        // The same authority by another name, which the pod does not mount.
        let mut bundle = broker.trust_bundle(&[]);
        bundle["metadata"]["name"] = json!("renamed");
        story.must_apply(&bundle).await;
        let mut renamed = default_endpoint();
        renamed["spec"]["mqttSettings"]["tls"]["trustedCaCertificateConfigMapRef"] =
            json!("renamed");
        assert_ne!(TRUST_BUNDLE, "renamed");
        story.must_apply(&renamed).await;
        until_reason(story, "Current", "RestartNeeded").await;
        let endpoint = ["dataflowendpoint", "default"];
        let outdated = story.field(&endpoint, ".status.outdatedPods").await;
        assert_eq!(outdated, format!("[\"{pod}\"]"));
        story.acknowledged_more_than(&pod, 5).await;
        story.must(&["rollout", "restart", "deployment/oven"]).await;
        until_reason(story, "Current", "UpToDate").await;
        let pod = story.ready_pod("oven").await;
        story.acknowledged_more_than(&pod, 5).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_deleted_under_a_running_app_breaks_nothing_and_is_told() {
    Story::play("orphaned", async |story: &Story| {
        let _broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        story
            .must_apply(&App::new("oven", "default").deployment())
            .await;
        let pod = story.ready_pod("oven").await;
        let before = story.acknowledged_more_than(&pod, 5).await;
        // Its own garbage collector takes the ConfigMap along.
        story.must(&["delete", "dataflowendpoint", "default"]).await;
        story
            .until("the event", async || {
                let events = story.kubectl(&["get", "events"]).await.text;
                let told = events.contains("DeletedInUse");
                if told { Ok(()) } else { Err(events) }
            })
            .await;
        story
            .until("the ConfigMap is gone", async || {
                let answer = story.kubectl(&["get", "configmap", CONFIG_MAP]).await;
                if answer.good {
                    Err(answer.text)
                } else {
                    Ok(())
                }
            })
            .await;
        let answer = story.apply(&App::new("late", "default").pod()).await;
        answer.refused_with(&["there is no DataflowEndpoint \"default\""]);
        let count = before.acknowledged.len() + 20;
        let told = story.acknowledged_more_than(&pod, count).await;
        assert_eq!((told.connects, told.disconnects), (1, 0));
        // Applied again, it is as before.
        story.must_apply(&default_endpoint()).await;
        until_reason(story, "Current", "UpToDate").await;
    })
    .await;
}
