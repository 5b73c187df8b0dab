//! Replicas have no leader: what all of them write at once, and somebody else too, stops no pod.

use e2e::broker::default_endpoint;
use e2e::story::Story;
use e2e::webhook;
use serde_json::json;

use crate::replicas::create_pods;

const CONFIG_MAP: &str = "configmap/dataflow-endpoint-default";
/// Edits by hand, each of which both replicas put right.
const EDITS: u32 = 20;

async fn content(story: &Story) -> String {
    story.field(&[CONFIG_MAP], ".data.endpoint\\.json").await
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_put_the_same_config_map_right_refuse_no_pod() {
    Story::play("conflict", async |story: &Story| {
        webhook::scale(story, 2).await;
        story.must_apply(&default_endpoint()).await;
        let good = story
            .until("the ConfigMap is there", async || {
                let found = content(story).await;
                if found.contains("endpointType") {
                    Ok(found)
                } else {
                    Err(found)
                }
            })
            .await;
        create_pods(story, "conflict", async {
            for number in 0..EDITS {
                let edit = json!({"data": {"endpoint.json": format!("{{\"edit\": {number}}}")}});
                let patch = [
                    "patch",
                    CONFIG_MAP,
                    "--type=merge",
                    "--patch",
                    &edit.to_string(),
                ];
                story.must(&patch).await;
            }
            story
                .until("the ConfigMap is as it was", async || {
                    let found = content(story).await;
                    if found == good { Ok(()) } else { Err(found) }
                })
                .await;
        })
        .await;
    })
    .await;
}
