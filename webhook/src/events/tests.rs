use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Events, NOTE_BYTES_MAX, REMEMBERED_MAX, Sent, Told, WAITING_MAX};
use crate::controller::plan::known::Key;
use crate::metrics::Metrics;
use crate::review::request::Owner;
use crate::review::verdict::{Denial, ReviewResult, Verdict};
use crate::review::{About, Answered};

fn answered() -> Answered {
    Answered {
        body: None,
        verdict: Verdict {
            result: ReviewResult::Injected,
            warnings: vec!["first".to_owned(), "second".to_owned()],
            ..Verdict::untouched("none")
        },
        about: About {
            kind: "Pod".to_owned(),
            namespace: "factory".to_owned(),
            name: "app-".to_owned(),
            owner: Some(Owner {
                api_version: "apps/v1".to_owned(),
                kind: "ReplicaSet".to_owned(),
                name: "app-7d9".to_owned(),
                uid: "u-1".to_owned(),
            }),
            ..About::default()
        },
    }
}

/// Requests as they came: method with URI, and body.
type Requests = Arc<Mutex<Vec<(String, Value)>>>;

/// An API server that answers with this status, and what it was sent.
fn cluster(status: u16) -> (Client, Requests) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    let service = tower::service_fn(move |request: Request<Body>| {
        let record = Arc::clone(&record);
        async move {
            let asked = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let answer = if status == 200 {
                body.to_string()
            } else {
                json!({"kind": "Status", "code": status, "message": "no", "reason": "", "status": "Failure"})
                    .to_string()
            };
            record.lock().unwrap().push((asked, body));
            let response = Response::builder()
                .status(status)
                .body(Full::new(Bytes::from(answer)));
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    (Client::new(service, "default"), sent)
}

async fn until(metrics: &Metrics, line: &str) {
    let wait = async {
        while !String::from_utf8(metrics.text()).unwrap().contains(line) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(waited.is_ok(), "never counted: {line}");
}

#[test]
fn only_warnings_of_a_controllers_pod_are_told() {
    assert!(Told::warnings(&answered()).is_some());
    let mut by_a_person = answered();
    by_a_person.about.owner = None;
    let mut dry_run = answered();
    dry_run.about.dry_run = true;
    let mut quiet = answered();
    quiet.verdict.warnings.clear();
    let mut denied = answered();
    denied.verdict.denial = Some(Denial {
        code: 422,
        reason: "Invalid",
        message: String::new(),
        causes: Vec::new(),
    });
    for answered in [by_a_person, dry_run, quiet, denied] {
        assert_eq!(Told::warnings(&answered), None, "{answered:?}");
    }
}

#[test]
fn an_event_is_what_kubernetes_takes() {
    let told = Told::warnings(&answered()).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let mut object = told.object("webhook-0", time);
    let name = object["metadata"]["name"].take();
    let digits = name.as_str().unwrap().strip_prefix("app-7d9.").unwrap();
    assert!(digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let wanted = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"name": null, "namespace": "factory"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": "Warning", "reason": "SidecarWarning", "action": "Inject", "note": "first; second",
        "regarding": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-7d9", "namespace": "factory", "uid": "u-1"},
        "reportingController": "dataflow-webhook", "reportingInstance": "webhook-0",
    });
    assert_eq!(object, wanted);
}

#[test]
fn notes_and_names_have_kubernetes_length() {
    let mut long = answered();
    long.verdict.warnings = vec!["ä".repeat(120); 10];
    long.about.owner.as_mut().unwrap().name = "n".repeat(253);
    let object = Told::warnings(&long)
        .unwrap()
        .object("w", SystemTime::now());
    assert!(object["note"].as_str().unwrap().len() <= NOTE_BYTES_MAX);
    let name = object["metadata"]["name"].as_str().unwrap();
    assert!(name.is_ascii() && name.len() <= 253, "{name}");
}

#[test]
fn the_same_is_not_told_again_for_a_while() {
    let start = Instant::now();
    let mut sent = Sent::default();
    assert!(sent.is_new(1, start));
    assert!(!sent.is_new(1, start + Duration::from_secs(599)));
    assert!(sent.is_new(2, start + Duration::from_secs(599)));
    assert!(sent.is_new(1, start + Duration::from_secs(600)));
    for digest in 0..5_000 {
        sent.is_new(digest, start + Duration::from_secs(601));
    }
    assert_eq!(sent.digests.len(), REMEMBERED_MAX);
}

#[tokio::test(start_paused = true)]
async fn events_are_sent_once_each() {
    let (client, sent) = cluster(200);
    let metrics = Metrics::new();
    let events = Events::to_cluster(client, "webhook-0".to_owned(), metrics.clone());
    let key = Key::new("factory", "default");
    for _ in 0..3 {
        events.tell(Told::warnings(&answered()).unwrap());
    }
    events.tell(Told::endpoint_gone(&key, "u-2".to_owned(), 4));
    until(
        &metrics,
        r#"dataflow_webhook_events_total{result="good"} 2"#,
    )
    .await;
    until(
        &metrics,
        r#"dataflow_webhook_events_total{result="repeated"} 2"#,
    )
    .await;
    let sent = sent.lock().unwrap();
    assert_eq!(sent.len(), 2);
    assert_eq!(
        sent[0].0,
        "POST /apis/events.k8s.io/v1/namespaces/factory/events?"
    );
    assert!(
        sent[1].1["note"]
            .as_str()
            .unwrap()
            .contains("sidecars use it (4)")
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_there_is_as_good_as_sent_and_a_refused_one_is_counted() {
    for (status, result) in [(409, "good"), (403, "failed")] {
        let (client, _) = cluster(status);
        let metrics = Metrics::new();
        let events = Events::to_cluster(client, "webhook-0".to_owned(), metrics.clone());
        events.tell(Told::warnings(&answered()).unwrap());
        let line = format!("dataflow_webhook_events_total{{result=\"{result}\"}} 1");
        until(&metrics, &line).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_queue_cannot_hold_is_left_out_and_nobody_waits() {
    let (client, _) = cluster(200);
    let metrics = Metrics::new();
    let events = Events::to_cluster(client, "webhook-0".to_owned(), metrics.clone());
    // Nothing is awaited, so nothing is sent meanwhile.
    for sidecars in 0..WAITING_MAX + 5 {
        let key = Key::new("factory", "default");
        events.tell(Told::endpoint_gone(&key, "u-2".to_owned(), sidecars));
    }
    until(
        &metrics,
        r#"dataflow_webhook_events_total{result="dropped"} 5"#,
    )
    .await;
}
