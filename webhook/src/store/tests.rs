use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::{Store, run_watch};
use crate::inject::endpoints::{Answer, Answers, Known};

fn endpoint(name: &str) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
        "metadata": {"name": name, "namespace": "factory", "resourceVersion": "5"},
        "spec": {"endpointType": "Mqtt", "mqttSettings": {"authentication": {"method": "ServiceAccountToken"}}},
    })
}

/// An API server that answers every request with what `respond` says, and remembers the paths asked for.
fn cluster<F>(respond: F) -> (Client, Arc<Mutex<Vec<String>>>)
where
    F: Fn(&str) -> (u16, String) + Clone + Send + 'static,
{
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        let (status, body) = respond(&uri);
        seen.lock().unwrap().push(uri);
        async move {
            if status == 0 {
                std::future::pending::<()>().await;
            }
            let response = Response::builder()
                .status(status)
                .body(Full::new(Bytes::from(body)));
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    (Client::new(service, "default"), asked)
}

fn not_found() -> (u16, String) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"});
    (404, status.to_string())
}

fn found(answers: &Answers, name: &str) -> bool {
    matches!(&answers[name], Answer::Found(known) if matches!(**known, Known::Good { .. }))
}

async fn ask(store: &Store, name: &str) -> Answers {
    store.answers("factory", &[name.to_owned()]).await
}

#[tokio::test]
async fn files_are_all_there_is() {
    let mut elsewhere = endpoint("far");
    elsewhere["metadata"]["namespace"] = json!("other");
    let mut nowhere = endpoint("near");
    nowhere["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("namespace");
    let store = Store::of_resources([&endpoint("default"), &elsewhere, &nowhere], "factory");
    assert_eq!(store.len(), 3);
    assert!(store.is_synced());
    assert!(found(&ask(&store, "default").await, "default"));
    assert!(found(&ask(&store, "near").await, "near"));
    let answers = ask(&store, "far").await;
    assert!(
        matches!(&answers["far"], Answer::Missing { names } if names == &["default", "near"]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn an_endpoint_the_cache_does_not_know_is_asked_for_once() {
    let (client, asked) = cluster(|uri| {
        if uri.ends_with("/fresh") {
            (200, endpoint("fresh").to_string())
        } else {
            not_found()
        }
    });
    let store = Store::of_cluster(client);
    assert!(found(&ask(&store, "fresh").await, "fresh"));
    assert!(matches!(
        ask(&store, "absent").await["absent"],
        Answer::Missing { .. }
    ));
    let prefix =
        "/apis/connectivity.iotoperations.azure.com/v1/namespaces/factory/dataflowendpoints";
    assert_eq!(
        *asked.lock().unwrap(),
        [format!("{prefix}/fresh"), format!("{prefix}/absent")]
    );
}

#[tokio::test]
async fn a_cluster_that_fails_is_no_missing_endpoint() {
    let (client, _) = cluster(|_| (500, "{}".to_owned()));
    let answers = ask(&Store::of_cluster(client), "default").await;
    assert!(
        matches!(answers["default"], Answer::Failed(_)),
        "{answers:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_does_not_answer_is_waited_for_a_second() {
    let (client, _) = cluster(|_| (0, String::new()));
    let store = Store::of_cluster(client);
    let start = tokio::time::Instant::now();
    let names = ["a".to_owned(), "b".to_owned()];
    let answers = store.answers("factory", &names).await;
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    for name in &names {
        assert!(
            matches!(&answers[name], Answer::Failed(why) if why.contains("within 1 s")),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn the_watch_fills_the_store() {
    let watches = Arc::new(AtomicUsize::new(0));
    let (client, _) = cluster(move |uri| {
        if uri.contains("watch=true") {
            // One watch brings the changes, the next one stays open.
            if watches.fetch_add(1, Ordering::Relaxed) > 0 {
                return (0, String::new());
            }
            let mut changed = endpoint("changed");
            changed["spec"]["mqttSettings"]["qos"] = json!(7);
            changed["metadata"]["resourceVersion"] = json!("7");
            let events = [
                json!({"type": "ADDED", "object": endpoint("added")}),
                json!({"type": "DELETED", "object": endpoint("deleted")}),
                json!({"type": "MODIFIED", "object": changed}),
            ];
            let lines: Vec<String> = events.iter().map(Value::to_string).collect();
            (200, lines.join("\n") + "\n")
        } else if uri.contains("/namespaces/") {
            not_found()
        } else {
            let mut items = ["deleted", "changed", "kept"].map(endpoint);
            for item in &mut items {
                // As in a real list, where only the list says what its items are.
                item.as_object_mut()
                    .unwrap()
                    .retain(|key, _| key == "metadata" || key == "spec");
            }
            let list = json!({
                "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpointList",
                "metadata": {"resourceVersion": "6"}, "items": items,
            });
            (200, list.to_string())
        }
    });
    let store = Store::of_cluster(client.clone());
    assert!(!store.is_synced());
    let watch = tokio::spawn(run_watch(store.clone(), client, |_| {}));
    let names = ["added", "changed", "deleted", "kept"].map(str::to_owned);
    let settled = async {
        loop {
            let answers = store.cached("factory", &names);
            let bad = matches!(&answers["changed"], Answer::Found(known) if matches!(**known, Known::Bad(_)));
            let deleted = matches!(answers["deleted"], Answer::Missing { .. });
            if found(&answers, "added") && found(&answers, "kept") && bad && deleted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), settled)
        .await
        .expect("the store must settle");
    assert!(store.is_synced());
    assert_eq!(store.len(), 3);
    watch.abort();
}

#[tokio::test]
async fn without_the_api_server_answers_come_from_what_is_known() {
    let away = Arc::new(AtomicUsize::new(0));
    let gone = Arc::clone(&away);
    let (client, asked) = cluster(move |uri| {
        if gone.load(Ordering::Relaxed) > 0 {
            (503, "away".to_owned())
        } else if uri.contains("watch=true") {
            // The watch that was open breaks off when everything is known.
            gone.store(1, Ordering::Relaxed);
            (200, String::new())
        } else {
            let list = json!({
                "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpointList",
                "metadata": {"resourceVersion": "6"}, "items": [endpoint("default")],
            });
            (200, list.to_string())
        }
    });
    let store = Store::of_cluster(client.clone());
    let watch = tokio::spawn(run_watch(store.clone(), client, |_| {}));
    let refused = async {
        // The list, the watch, and tries after it that fail.
        while asked.lock().unwrap().len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused)
        .await
        .expect("the watch must be tried again");
    assert!(store.is_synced());
    assert!(found(&ask(&store, "default").await, "default"));
    let unknown = ask(&store, "other").await;
    assert!(matches!(unknown["other"], Answer::Failed(_)), "{unknown:?}");
    watch.abort();
}
