//! Whom the webhook concerns, and whom not.

use e2e::app::App;
use e2e::broker::{Broker, default_endpoint};
use e2e::story::Story;
use e2e::webhook;

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_the_annotation_never_reaches_the_webhook() {
    Story::play("unannotated", async |story: &Story| {
        let reviewed = async || {
            story
                .until("the webhook's metrics", async || {
                    webhook::pods_reviewed(&story.client).await
                })
                .await
        };
        let before = reviewed().await;
        story.must_apply(&App::plain("plain").deployment()).await;
        story.ready_pod("plain").await;
        assert!(
            reviewed().await == before,
            "a pod without annotation was reviewed"
        );
        // The count does count.
        story.must_apply(&default_endpoint()).await;
        story
            .must_apply(&App::new("oven", "default").deployment())
            .await;
        story
            .until("an annotated pod is reviewed", async || {
                if reviewed().await > before {
                    Ok(())
                } else {
                    Err(format!("still {before}"))
                }
            })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_webhook_plain_pods_start_and_annotated_ones_wait_and_say_why() {
    Story::play("away", async |story: &Story| {
        let _broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        webhook::scale(story, 0).await;
        story.must_apply(&App::plain("plain").deployment()).await;
        story.ready_pod("plain").await;
        story
            .must_apply(&App::new("oven", "default").deployment())
            .await;
        story
            .until("the ReplicaSet's event says why", async || {
                let events = story.kubectl(&["get", "events"]).await.text;
                let why = "failed calling webhook \"pods.dataflow-sidecar.io\"";
                if events.contains(why) {
                    Ok(())
                } else {
                    Err(events)
                }
            })
            .await;
        assert_eq!(
            story
                .pods("oven")
                .await
                .expect("the API server answers")
                .len(),
            0
        );
        webhook::scale(story, 2).await;
        let pod = story.ready_pod("oven").await;
        story.acknowledged_more_than(&pod, 5).await;
    })
    .await;
}
