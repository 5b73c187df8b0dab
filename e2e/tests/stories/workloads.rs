//! Workloads as they are applied with kubectl: refused, warned, healed.

use e2e::app::App;
use e2e::broker::{Broker, default_endpoint};
use e2e::story::Story;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_in_an_annotation_is_refused_where_the_deployment_is_applied() {
    Story::play("typo", async |story: &Story| {
        story.must_apply(&default_endpoint()).await;
        let app = App::plain("oven").annotate("dataflow-sidecar.io/endpont", "default");
        let answer = story.apply(&app.deployment()).await;
        answer.refused_with(&[
            "dataflow-sidecar.io/endpont",
            "is unknown: write dataflow-sidecar.io/endpoint, or remove it",
        ]);
        let app = App::new("oven", "default").annotate("dataflow-sidecar.io/log-level", "loud");
        let answer = story.apply(&app.deployment()).await;
        answer.refused_with(&["dataflow-sidecar.io/log-level", "error, warn, info, debug"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_a_container_has_is_refused_with_a_free_one() {
    Story::play("port", async |story: &Story| {
        story.must_apply(&default_endpoint()).await;
        let mut list = App::new("oven", "default").deployment();
        list["items"][1]["spec"]["template"]["spec"]["containers"][0]["ports"] =
            json!([{"containerPort": 1883}]);
        let answer = story.apply(&list).await;
        answer.refused_with(&[
            "endpoint \"default\" would listen on port 1883, which container \"app\" declares",
            "write default:1884, or change that port",
        ]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_for_an_unknown_endpoint_is_refused_with_the_nearest_name() {
    Story::play("unknown", async |story: &Story| {
        story.must_apply(&default_endpoint()).await;
        let answer = story.apply(&App::new("oven", "defualt").pod()).await;
        answer.refused_with(&[
            "there is no DataflowEndpoint \"defualt\" in namespace",
            "write \"default\"",
        ]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_before_its_endpoint_is_warned_told_and_heals() {
    Story::play("before", async |story: &Story| {
        let _broker = Broker::start(story).await;
        let answer = story
            .must_apply(&App::new("oven", "default").deployment())
            .await;
        answer.says(&["Warning: ", "endpoint \"default\" is not in namespace"]);
        story
            .until("the ReplicaSet's event has our text", async || {
                let events = story.kubectl(&["get", "events"]).await.text;
                if events.contains("there is no DataflowEndpoint \"default\"") {
                    Ok(())
                } else {
                    Err(events)
                }
            })
            .await;
        story.must_apply(&default_endpoint()).await;
        let pod = story.ready_pod("oven").await;
        story.acknowledged_more_than(&pod, 10).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_demands_limits_takes_the_sidecar_of_an_app_that_has_them() {
    Story::play("quota", async |story: &Story| {
        let _broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        story
            .must_apply(&json!({
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "limits"},
                "spec": {"hard": {"limits.cpu": "2", "limits.memory": "1Gi"}},
            }))
            .await;
        let mut list = App::new("oven", "default").deployment();
        let container = &mut list["items"][1]["spec"]["template"]["spec"]["containers"][0];
        container["resources"]["limits"] = json!({"cpu": "100m", "memory": "64Mi"});
        story.must_apply(&list).await;
        let pod = story.ready_pod("oven").await;
        story.acknowledged_more_than(&pod, 5).await;
    })
    .await;
}
