//! The status pages: under a policy by which nothing else runs, and their scripts read what `/status` has.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::app::{App, Version};
use tests::http;
use tests::setup::{Method, Setup};
use tests::webhook::Webhook;

const ENDPOINTS: &str = "apiVersion: connectivity.iotoperations.azure.com/v1
kind: DataflowEndpoint
metadata: {name: default, namespace: factory}
spec: {endpointType: Mqtt, mqttSettings: {authentication: {method: Anonymous}}}
";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_sidecar_reads_what_its_status_has() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "press").await;
    app.publish("t", 1, 1).await;
    app.wait_for_acknowledged(1).await;
    let script = script_of(setup.sidecar.admin_port).await;
    let status = setup.sidecar.status().await;
    let endpoint = &status["endpoints"][0];
    assert_eq!(endpoint["messages"]["to_broker"], 1);
    has_fields(&script, "status", &status);
    has_fields(&script, "endpoint", endpoint);
    has_fields(&script, "settings", &endpoint["settings"]);
    has_fields(&script, "session", &endpoint["sessions"][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_webhook_reads_what_its_status_has() {
    let webhook = Webhook::start(ENDPOINTS).await;
    let script = script_of(webhook.admin_port).await;
    let status = webhook.get("/status").await.expect("a status");
    let status: Value = serde_json::from_str(&status).expect("JSON");
    has_fields(&script, "status", &status);
    has_fields(&script, "endpoint", &status["details"]["endpoints"][0]);
    assert!(status["details"]["decisions"].is_array(), "{status}");
}

/// The script of a page, whose policy is checked on the way.
async fn script_of(admin_port: u16) -> String {
    let page = http::request(admin_port, "GET", "/", "").await;
    let page = page.expect("a page");
    assert_eq!(page.status, 200);
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none';",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.head.contains(header), "{}", page.head);
    }
    let script = page.body.split_once("<script>").expect("a script").1;
    script
        .split_once("</script>")
        .expect("its end")
        .0
        .to_owned()
}

/// Every `name.field` in the script is a field of this object.
fn has_fields(script: &str, name: &str, object: &Value) {
    // Of JavaScript's own.
    let own = ["replaceChildren", "textContent", "className"];
    let begin = format!("{name}.");
    let fields: BTreeSet<&str> = script
        .match_indices(&begin)
        .filter(|(at, _)| {
            let before = script[..*at].chars().next_back();
            !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '.')
        })
        .map(|(at, _)| {
            let rest = &script[at + begin.len()..];
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|field| !own.contains(field))
        .collect();
    assert!(fields.len() > 2, "{name}: {fields:?}");
    for field in fields {
        assert!(
            object.get(field).is_some(),
            "the page reads {name}.{field}, which is not in {object}"
        );
    }
}
