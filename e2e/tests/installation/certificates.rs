//! The webhook's own certificates: what somebody breaks by hand is whole again.

use e2e::broker::default_endpoint;
use e2e::kubectl::kubectl;
use e2e::story::Story;
use e2e::webhook;
use serde_json::{Value, json};

use crate::replicas::create_pods;

const SECRET: &str = "dataflow-webhook-ca";
const CONFIGURATIONS: [&str; 2] = [
    "mutatingwebhookconfiguration/dataflow-webhook",
    "validatingwebhookconfiguration/dataflow-webhook",
];

/// The object, or none.
async fn get(object: &str) -> Option<Value> {
    let answer = webhook::kubectl_there(&["get", object, "--output", "json"]).await;
    answer
        .good
        .then(|| serde_json::from_str(&answer.text).expect("JSON"))
}

async fn authority() -> Option<Value> {
    Some(get(&format!("secret/{SECRET}")).await?["data"].clone())
}

async fn is_whole_again(story: &Story, data: &Value) {
    story
        .until("the Secret is as it was", async || {
            match authority().await {
                Some(found) if found == *data => Ok(()),
                found => Err(format!("it is {}", found.map_or("gone", |_| "another"))),
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_or_damaged_authority_is_restored_without_a_refusal() {
    Story::play("authority", async |story: &Story| {
        webhook::scale(story, 2).await;
        story.must_apply(&default_endpoint()).await;
        let data = authority().await.expect("the Secret is there");
        create_pods(story, "authority", async {
            let secret = format!("secret/{SECRET}");
            let answer = webhook::kubectl_there(&["delete", &secret]).await;
            assert!(answer.good, "{}", answer.text);
            is_whole_again(story, &data).await;
            let damage = json!({"data": {"ca.key": null}}).to_string();
            let answer =
                webhook::kubectl_there(&["patch", &secret, "--type=merge", "--patch", &damage])
                    .await;
            assert!(answer.good, "{}", answer.text);
            is_whole_again(story, &data).await;
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overwritten_bundle_is_put_right_and_only_that() {
    Story::play("bundle", async |story: &Story| {
        webhook::scale(story, 2).await;
        for object in CONFIGURATIONS {
            let before = get(object).await.expect("it is there")["webhooks"].clone();
            let entries = before.as_array().expect("a list");
            // What `helm upgrade --force` does.
            let emptied = (0..entries.len()).map(|index| {
                let path = format!("/webhooks/{index}/clientConfig/caBundle");
                json!({"op": "remove", "path": path})
            });
            let emptied = Value::from_iter(emptied).to_string();
            let answer = kubectl(&["patch", object, "--type=json", "--patch", &emptied], "").await;
            assert!(answer.good, "{}", answer.text);
            story
                .until(&format!("{object} is as it was"), async || {
                    let now = get(object).await.ok_or("it is gone")?;
                    if now["webhooks"] == before {
                        Ok(())
                    } else {
                        Err(now["webhooks"].to_string())
                    }
                })
                .await;
        }
        webhook::wait_for_ready(story, 2).await;
    })
    .await;
}
