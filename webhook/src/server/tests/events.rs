//! Warnings that nobody but the owner's events tells.

use std::convert::Infallible;

use super::*;

/// An API server that answers nobody.
fn hanging() -> kube::Client {
    let service = tower::service_fn(|_: Request<kube::client::Body>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    kube::Client::new(service, "default")
}

/// An API server that takes everything.
fn willing() -> kube::Client {
    let service = tower::service_fn(|_: Request<kube::client::Body>| async {
        let body =
            json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}});
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body.to_string()))))
    });
    kube::Client::new(service, "default")
}

/// A pod of a ReplicaSet that is warned of its short token.
fn warned(uid: &str, owner: &str, dry_run: bool) -> String {
    let mut review = review(uid);
    review["request"]["dryRun"] = json!(dry_run);
    let metadata = &mut review["request"]["object"]["metadata"];
    metadata["annotations"]["dataflow-sidecar.io/token-expiration-seconds"] = json!("700");
    metadata["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true,
    }]);
    review.to_string()
}

async fn send(running: &Running, body: String) {
    let request = post("/mutate/pods", body);
    let response = running.http1().await.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn warnings_of_a_controllers_pod_become_an_event_and_those_of_a_dry_run_do_not() {
    let store = Store::of_resources([&endpoint()], "factory");
    let running = start_telling(store, patient(), |metrics| {
        Events::to_cluster(willing(), "webhook-0".to_owned(), metrics)
    })
    .await;
    send(&running, warned("u-1", "dry", true)).await;
    send(&running, review("u-2").to_string()).await;
    send(&running, warned("u-3", "wet", false)).await;
    // Events are sent in their order, so one of the first two would be counted by now.
    running
        .until_metric(r#"dataflow_webhook_events_total{result="good"} 1"#)
        .await;
    send(&running, warned("u-4", "wet", false)).await;
    running
        .until_metric(r#"dataflow_webhook_events_total{result="repeated"} 1"#)
        .await;
    assert!(running.metric(r#"dataflow_webhook_events_total{result="good"} 1"#));
}

#[tokio::test]
async fn no_answer_waits_for_an_event() {
    let store = Store::of_resources([&endpoint()], "factory");
    let running = start_telling(store, patient(), |metrics| {
        Events::to_cluster(hanging(), "webhook-0".to_owned(), metrics)
    })
    .await;
    let mut sender = running.http1().await;
    // One is being sent, the queue is full, and more come.
    for index in 0..300 {
        let request = post("/mutate/pods", warned("u", &format!("rs-{index}"), false));
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        body(response).await;
    }
    assert!(!running.metric(r#"dataflow_webhook_events_total{result="dropped"} 0"#));
}
