//! The controller against an API server in memory. The clock is paused: it moves on when everybody waits.

mod cluster;

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::Controller;
use super::plan::tests::{pod, resource};
use crate::events::Events;
use crate::metrics::Metrics;
use crate::store::{self, Store};
use crate::validate::Rules;
use cluster::Cluster;

const ENDPOINTS: &str = "dataflowendpoints";
const CONFIG_MAPS: &str = "configmaps";
const CONFIG_MAP: &str = "dataflow-endpoint-default";

/// Starts a replica.
fn start(cluster: &Cluster, rules: Rules) -> Metrics {
    let client = cluster.client();
    let metrics = Metrics::new();
    let events = Events::to_cluster(client.clone(), "webhook-0".to_owned(), metrics.clone());
    let controller = Controller::new(client.clone(), rules, events, metrics.clone());
    let store = Store::of_cluster_by(rules, client.clone());
    tokio::spawn(store::run_watch(store, client, controller.follow()));
    tokio::spawn(controller.run());
    metrics
}

/// Waits, by the paused clock, until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(1_200), wait)
        .await
        .is_err()
    {
        panic!("never came: {what}");
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn condition(cluster: &Cluster, type_: &str) -> Value {
    let endpoint = cluster.get(ENDPOINTS, "default").unwrap_or_default();
    let conditions = endpoint["status"]["conditions"].as_array();
    let mut found = conditions.into_iter().flatten();
    found
        .find(|condition| condition["type"] == type_)
        .cloned()
        .unwrap_or_default()
}

fn reason(cluster: &Cluster, type_: &str) -> String {
    condition(cluster, type_)["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn accepted(cluster: &Cluster) {
    until("an accepted endpoint", || {
        reason(cluster, "Accepted") == "Valid"
    })
    .await;
}

fn content(cluster: &Cluster) -> Value {
    let config_map = cluster.get(CONFIG_MAPS, CONFIG_MAP).unwrap_or_default();
    let text = config_map["data"]["endpoint.json"]
        .as_str()
        .unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

fn injected(name: &str, hash: &str) -> Value {
    let mut pod = pod(name, &[("default", hash)]);
    pod["metadata"]["labels"] = json!({"dataflow-sidecar.io/injected": "true"});
    pod
}

#[tokio::test(start_paused = true)]
async fn a_new_endpoint_gets_a_config_map_and_a_status() {
    let cluster = Cluster::default();
    cluster.put(ENDPOINTS, resource("default", json!({})));
    let metrics = start(&cluster, Rules::Deny);
    accepted(&cluster).await;

    let path = "/api/v1/namespaces/factory/configmaps";
    let looked = cluster.asked(&Method::GET, path);
    assert_eq!(looked.len(), 1);
    assert_eq!(
        looked[0].query,
        format!("fieldSelector=metadata.name%3D{CONFIG_MAP}")
    );
    assert!(
        looked[0].accept.contains("PartialObjectMetadataList"),
        "{looked:?}"
    );

    let applied = cluster.asked(&Method::PATCH, &format!("{path}/{CONFIG_MAP}"));
    assert_eq!(applied.len(), 1);
    assert_eq!(applied[0].query, "force=true&fieldManager=dataflow-webhook");
    assert_eq!(applied[0].content_type, "application/apply-patch+yaml");
    let metadata = &applied[0].body["metadata"];
    assert_eq!(
        metadata["labels"],
        json!({"app.kubernetes.io/managed-by": "dataflow-webhook"})
    );
    assert_eq!(metadata["ownerReferences"][0]["uid"], "uid-default");
    assert_eq!(content(&cluster)["spec"]["endpointType"], "Mqtt");

    let path = "/apis/connectivity.iotoperations.azure.com/v1/namespaces/factory/dataflowendpoints/default/status";
    let status = cluster.asked(&Method::PATCH, path);
    assert_eq!(status.len(), 1);
    assert_eq!(status[0].query, applied[0].query);
    assert_eq!(status[0].content_type, "application/apply-patch+yaml");
    assert_eq!(status[0].body["status"]["observedGeneration"], 1);
    assert!(status[0].body.get("spec").is_none());

    let text = String::from_utf8(metrics.text()).unwrap();
    for line in [
        r#"dataflow_webhook_applies_total{object="config_map",result="good"} 1"#,
        r#"dataflow_webhook_applies_total{object="status",result="good"} 1"#,
        "dataflow_webhook_unaccepted_endpoints 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_config_map_of_somebody_else_is_left_alone() {
    let cluster = Cluster::default();
    let theirs =
        json!({"metadata": {"name": CONFIG_MAP, "namespace": "factory"}, "data": {"mine": "yes"}});
    cluster.put(CONFIG_MAPS, theirs);
    cluster.put(ENDPOINTS, resource("default", json!({})));
    start(&cluster, Rules::Deny);
    until("the condition", || {
        reason(&cluster, "Accepted") == "NameTaken"
    })
    .await;
    assert_eq!(condition(&cluster, "Accepted")["status"], "False");
    pass(120).await;
    assert!(cluster.asked(&Method::PATCH, CONFIG_MAP).is_empty());
    assert_eq!(
        cluster.get(CONFIG_MAPS, CONFIG_MAP).unwrap()["data"],
        json!({"mine": "yes"})
    );
    cluster.delete(CONFIG_MAPS, CONFIG_MAP);
    accepted(&cluster).await;
    assert_eq!(content(&cluster)["metadata"]["name"], "default");
}

#[tokio::test(start_paused = true)]
async fn what_is_edited_or_deleted_by_hand_is_restored() {
    let cluster = Cluster::default();
    cluster.put(ENDPOINTS, resource("default", json!({})));
    start(&cluster, Rules::Deny);
    accepted(&cluster).await;
    let good = content(&cluster);
    let mut edited = cluster.get(CONFIG_MAPS, CONFIG_MAP).unwrap();
    edited["data"]["endpoint.json"] = json!("{}");
    cluster.put(CONFIG_MAPS, edited);
    assert_ne!(content(&cluster), good);
    until("the content", || content(&cluster) == good).await;
    cluster.delete(CONFIG_MAPS, CONFIG_MAP);
    until("the ConfigMap", || content(&cluster) == good).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_endpoint_is_carried_and_an_invalid_one_is_not() {
    let cluster = Cluster::default();
    cluster.put(ENDPOINTS, resource("default", json!({})));
    start(&cluster, Rules::Deny);
    accepted(&cluster).await;
    let change = |generation: u64, mqtt: Value| {
        let mut changed = cluster.get(ENDPOINTS, "default").unwrap();
        changed["spec"] = resource("default", mqtt)["spec"].take();
        changed["metadata"]["generation"] = json!(generation);
        cluster.put(ENDPOINTS, changed);
    };
    change(2, json!({"qos": 0}));
    until("the new settings", || {
        content(&cluster)["spec"]["mqttSettings"]["qos"] == 0
    })
    .await;
    change(3, json!({"qos": 7}));
    until("the violation", || {
        reason(&cluster, "Accepted") == "Invalid"
    })
    .await;
    let told = condition(&cluster, "Accepted");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("spec.mqttSettings.qos: 7"),
        "{told}"
    );
    assert_eq!(content(&cluster)["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn sidecars_that_need_a_restart_are_counted_by_their_metadata() {
    let cluster = Cluster::default();
    cluster.put(ENDPOINTS, resource("default", json!({})));
    cluster.put("pods", injected("old", "0000"));
    let metrics = start(&cluster, Rules::Deny);
    until("the condition", || {
        reason(&cluster, "Current") == "RestartNeeded"
    })
    .await;
    let watched = cluster.asked(&Method::GET, "/api/v1/pods");
    for asked in &watched {
        assert!(asked.accept.contains("PartialObjectMetadata"), "{asked:?}");
        assert!(
            asked
                .query
                .contains("labelSelector=dataflow-sidecar.io%2Finjected%3Dtrue"),
            "{asked:?}"
        );
        assert!(
            asked
                .query
                .contains("fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"),
            "{asked:?}"
        );
    }
    let status = cluster.get(ENDPOINTS, "default").unwrap()["status"].clone();
    assert_eq!(
        (&status["sidecars"], &status["outdatedSidecars"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(status["outdatedPods"], json!(["old"]));
    let text = String::from_utf8(metrics.text()).unwrap();
    assert!(
        text.contains("dataflow_webhook_outdated_sidecars 1"),
        "{text}"
    );
    cluster.delete("pods", "old");
    until("the condition", || {
        reason(&cluster, "Current") == "UpToDate"
    })
    .await;
    assert_eq!(
        cluster.get(ENDPOINTS, "default").unwrap()["status"]["sidecars"],
        0
    );
}

#[tokio::test(start_paused = true)]
async fn replicas_agree_and_then_write_nothing_more() {
    let cluster = Cluster::default();
    cluster.put(ENDPOINTS, resource("default", json!({})));
    cluster.put("pods", injected("old", "0000"));
    for _ in 0..3 {
        start(&cluster, Rules::Deny);
    }
    until("the condition", || {
        reason(&cluster, "Current") == "RestartNeeded"
    })
    .await;
    pass(600).await;
    let writes = || cluster.asked(&Method::PATCH, "").len();
    let before = writes();
    pass(3_600).await;
    assert_eq!(writes(), before);
    assert!(before <= 3 * 3, "{before} writes");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_comes_back_is_caught_up_with() {
    let cluster = Cluster::default();
    cluster.away(Some(503));
    start(&cluster, Rules::Deny);
    pass(60).await;
    cluster.put(ENDPOINTS, resource("default", json!({})));
    cluster.away(None);
    accepted(&cluster).await;
    cluster.away(Some(503));
    let mut changed = cluster.get(ENDPOINTS, "default").unwrap();
    changed["spec"]["mqttSettings"]["qos"] = json!(0);
    changed["metadata"]["generation"] = json!(2);
    cluster.put(ENDPOINTS, changed);
    pass(900).await;
    let tried = cluster.asked(&Method::PATCH, CONFIG_MAP).len();
    assert!(
        (2..20).contains(&tried),
        "{tried} tries in a quarter of an hour"
    );
    cluster.away(None);
    until("the new settings", || {
        content(&cluster)["spec"]["mqttSettings"]["qos"] == 0
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_a_foreign_definition_config_maps_are_written_and_statuses_are_not() {
    let cluster = Cluster::default();
    let mut foreign = resource("default", json!({"ofAnotherProduct": 1}));
    foreign["spec"]["hostType"] = json!("Remote");
    cluster.put(ENDPOINTS, foreign);
    start(&cluster, Rules::Warn);
    until("the ConfigMap", || {
        cluster.get(CONFIG_MAPS, CONFIG_MAP).is_some()
    })
    .await;
    endpoint::Settings::parse(&content(&cluster)).expect("the sidecar must be able to read it");
    pass(60).await;
    assert!(cluster.asked(&Method::PATCH, "/status").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_deleted_under_running_pods_is_told_of_once() {
    let cluster = Cluster::default();
    cluster.put(ENDPOINTS, resource("default", json!({})));
    cluster.put("pods", injected("p", "0000"));
    for _ in 0..2 {
        start(&cluster, Rules::Deny);
    }
    until("the condition", || {
        reason(&cluster, "Current") == "RestartNeeded"
    })
    .await;
    pass(60).await;
    cluster.delete(ENDPOINTS, "default");
    cluster.delete(CONFIG_MAPS, CONFIG_MAP);
    let path = "/apis/events.k8s.io/v1/namespaces/factory/events";
    until("both events", || {
        cluster.asked(&Method::POST, path).len() == 2
    })
    .await;
    let events = cluster.asked(&Method::POST, path);
    assert_eq!(events[0].body["regarding"]["uid"], "uid-default");
    assert_eq!(events[0].body["reason"], "DeletedInUse");
    assert_eq!(
        events[0].body["metadata"]["name"],
        events[1].body["metadata"]["name"]
    );
    pass(600).await;
    assert!(cluster.get(CONFIG_MAPS, CONFIG_MAP).is_none());
}

#[tokio::test(start_paused = true)]
async fn thousands_of_endpoints_are_written_few_at_a_time() {
    const COUNT: usize = 1_000;
    let cluster = Cluster::default();
    for index in 0..COUNT {
        cluster.put(ENDPOINTS, resource(&format!("e{index}"), json!({})));
    }
    start(&cluster, Rules::Deny);
    until("every status", || {
        cluster.asked(&Method::PATCH, "/status").len() == COUNT
    })
    .await;
    pass(60).await;
    let (asked, writing_max) = cluster.counts();
    assert_eq!(writing_max, super::WRITES_MAX);
    // A look, a ConfigMap and a status each, and the lists and watches.
    assert!(asked <= 3 * COUNT + 50, "{asked} requests");
}
