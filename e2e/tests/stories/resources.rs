//! Endpoints, as they are applied with kubectl.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::broker::token_settings;
use e2e::story::Story;
use serde_json::json;

/// A mistake of each kind; the texts are beside them.
const MISTAKES: [&str; 10] = [
    "access-token-in-place-of-name",
    "anonymous-on-event-grid",
    "client-id-prefix-too-long",
    "cloud-events-near-miss",
    "endpoint-type-near-miss",
    "host-ipv6-without-brackets",
    "host-scheme",
    "host-with-dot-before-port",
    "host-without-port",
    "keep-alive-too-high",
];

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../endpoint/tests/fixtures")
        .join(folder)
}

/// A resource without its namespace: a cluster may have the real one, and something in it.
fn resource(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a fixture of the project");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("  namespace: "));
    lines.map(|line| format!("{line}\n")).collect()
}

fn resources(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures(folder)).expect("fixtures of the project");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    paths.sort();
    assert!(paths.len() > 10, "{folder}: {} files", paths.len());
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_documentation_applies() {
    Story::play("examples", async |story: &Story| {
        for path in resources("seed") {
            let answer = story.apply_text(&resource(&path)).await;
            assert!(answer.good, "{}: {}", path.display(), answer.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_surprise_is_applied_with_a_warning() {
    Story::play("warnings", async |story: &Story| {
        for path in resources("warned") {
            let answer = story.apply_text(&resource(&path)).await;
            assert!(answer.good, "{}: {}", path.display(), answer.text);
            let warnings = fs::read_to_string(path.with_extension("txt")).expect("beside it");
            for warning in warnings.lines() {
                answer.says(&["Warning: ", warning]);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_mistakes_are_refused_with_the_field_and_the_remedy() {
    Story::play("mistakes", async |story: &Story| {
        for name in MISTAKES {
            let path = fixtures("denied").join(format!("{name}.yaml"));
            let faults = fs::read_to_string(path.with_extension("txt")).expect("beside it");
            let answer = story.apply_text(&resource(&path)).await;
            for fault in faults.lines() {
                let (field, remedy) = fault.split_once(": ").expect("a field and its fault");
                answer.refused_with(&[field, remedy]);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelled_field_is_reported() {
    Story::play("misspelled", async |story: &Story| {
        let mut settings = token_settings();
        settings["maxInFlightMessages"] = json!(10);
        let answer = story
            .apply(&e2e::broker::endpoint("default", settings))
            .await;
        answer.refused_with(&["unknown field", "spec.mqttSettings.maxInFlightMessages"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_that_an_endpoint_is_accepted() {
    Story::play("accepted", async |story: &Story| {
        story.must_apply(&e2e::broker::default_endpoint()).await;
        let columns = ["get", "dataflowendpoint", "default", "--output"];
        story
            .until("the condition Accepted is True", async || {
                let question = "jsonpath={.status.conditions[?(@.type==\"Accepted\")].status}";
                let answer = story.kubectl(&[&columns[..], &[question]].concat()).await;
                if answer.text == "True" {
                    Ok(())
                } else {
                    Err(answer.text)
                }
            })
            .await;
        let answer = story.kubectl(&["get", "dataflowendpoints"]).await;
        answer.says(&["aio-broker:18883", "ServiceAccountToken", "Enabled", "True"]);
    })
    .await;
}
