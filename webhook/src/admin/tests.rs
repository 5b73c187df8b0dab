use std::sync::Arc;
use std::time::Duration;

use endpoint::contract::admin_path;
use http_body_util::BodyExt;
use hyper::Method;

use super::{Admin, PAGE, browser_page};
use crate::decisions::{Decision, Decisions};
use crate::metrics::Metrics;
use crate::review::verdict::Verdict;
use crate::review::{About, Answered};
use crate::server::certificates::Certificates;
use crate::server::route::Route;
use crate::shutdown::Shutdown;
use crate::store::Store;

/// Who comes by `kubectl port-forward`.
const LOCAL: &str = "127.0.0.1";

async fn admin(store: Store) -> Admin {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let metrics = Metrics::new();
    let certificates = Certificates::load(cert, key, metrics.clone())
        .await
        .unwrap();
    Admin {
        metrics,
        store,
        controller: None,
        decisions: Decisions::default(),
        certificates: Arc::new(certificates),
        shutdown: Shutdown::on_signal().unwrap(),
    }
}

async fn get(admin: &Admin, path: &str) -> (u16, String) {
    get_from(admin, path, LOCAL).await
}

async fn get_from(admin: &Admin, path: &str, peer: &str) -> (u16, String) {
    let response = admin.answer(&Method::GET, path, peer.parse().unwrap());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn it_is_ready_once_the_endpoints_are_listed() {
    let silent = tower::service_fn(|_: hyper::Request<kube::client::Body>| {
        std::future::pending::<
            Result<hyper::Response<http_body_util::Full<bytes::Bytes>>, std::convert::Infallible>,
        >()
    });
    let unsynced = admin(Store::of_cluster(kube::Client::new(silent, "default"))).await;
    let (status, why) = get(&unsynced, admin_path::READYZ).await;
    assert_eq!(
        (status, why.as_str()),
        (503, "endpoints are not listed yet\n")
    );
    assert_eq!(get(&unsynced, admin_path::LIVEZ).await.0, 200);
    let synced = admin(Store::of_resources([], "default")).await;
    assert_eq!(get(&synced, admin_path::READYZ).await.0, 200);
}

#[tokio::test]
async fn the_status_names_what_is_served() {
    let admin = admin(Store::of_resources([], "default")).await;
    let (_, status) = get(&admin, admin_path::STATUS).await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["ready"], true);
    assert_eq!(status["endpoints"], 0);
    assert!(
        status["certificateExpiryTimestampSeconds"]
            .as_i64()
            .is_some_and(|expiry| expiry > 0)
    );
    let posted = admin.answer(&Method::POST, admin_path::STATUS, LOCAL.parse().unwrap());
    assert_eq!(posted.status(), 405);
    assert_eq!(get(&admin, "/nothing").await.0, 404);
}

#[tokio::test]
async fn names_are_told_to_who_is_in_the_pod_only() {
    let endpoint = serde_json::json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": { "name": "line-4", "namespace": "factory" },
        "spec": { "endpointType": "Mqtt", "mqttSettings": { "host": "broker", "authentication": { "method": "Anonymous" } } },
    });
    let admin = admin(Store::of_resources([&endpoint], "default")).await;
    let answered = Answered {
        body: None,
        verdict: Verdict::untouched("opted_out"),
        about: About {
            name: "press-1".to_owned(),
            ..About::default()
        },
    };
    let took = Duration::from_millis(1);
    admin
        .decisions
        .add(Decision::of(Route::Pods, &answered, took));
    for local in [LOCAL, "::1", "::ffff:127.0.0.1"] {
        let (_, status) = get_from(&admin, admin_path::STATUS, local).await;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let details = &status["details"];
        assert_eq!(details["endpoints"][0]["name"], "line-4");
        assert_eq!(details["endpoints"][0]["check"], "Bad");
        let fault = details["endpoints"][0]["faults"][0].as_str().unwrap();
        assert!(fault.contains("spec.mqttSettings.host"), "{fault}");
        assert_eq!(details["decisions"][0]["name"], "press-1");
    }
    for other in ["10.0.0.7", "::ffff:10.0.0.7", "fd00::7"] {
        let (_, status) = get_from(&admin, admin_path::STATUS, other).await;
        assert!(
            !status.contains("line-4") && !status.contains("press-1"),
            "{status}"
        );
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(
            (&status["endpoints"], &status["details"]),
            (&1.into(), &serde_json::Value::Null)
        );
    }
}

#[tokio::test]
async fn the_page_is_under_its_policy() {
    let admin = admin(Store::of_resources([], "default")).await;
    let (status, html) = get(&admin, admin_path::PAGE).await;
    assert!(status == 200 && html.contains("function render"), "{html}");
    let answer = browser_page();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("content-security-policy"), PAGE.policy);
    assert_eq!(header("x-content-type-options"), "nosniff");
}
