//! Brokers that go, apps that end.

use std::collections::BTreeSet;

use e2e::app::{App, Told};
use e2e::broker::{Broker, Keep, default_endpoint};
use e2e::story::Story;
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::json;
use tests::broker::Entries;

fn assert_nothing_acknowledged_is_lost(told: &Told, journal: &Entries) {
    let arrived: BTreeSet<u64> = journal.arrived("load").into_iter().collect();
    assert!(told.acknowledged.len() > 100, "too few to tell");
    let missing: Vec<_> = told.acknowledged.difference(&arrived).collect();
    assert!(
        missing.is_empty(),
        "acknowledged and not at the broker: {missing:?}"
    );
}

/// Deletes a pod and returns what its app printed last. Its log is followed first: it goes with the pod.
async fn delete_and_hear_last_words(story: &Story, pod: &str) -> Told {
    let pods: Api<Pod> = Api::namespaced(story.client.clone(), &story.namespace);
    let parameters = LogParams {
        container: Some("app".to_owned()),
        follow: true,
        ..LogParams::default()
    };
    let log = pods.log_stream(pod, &parameters).await;
    let lines = log.expect("the app has a log").lines();
    let answer = story.kubectl(&["delete", "pod", pod, "--wait=false"]).await;
    assert!(answer.good, "{}", answer.text);
    let last = lines
        .try_fold(String::new(), async |_, line| Ok(line))
        .await
        .expect("the log is read to its end");
    Told::parse(&last).expect("the app's last line")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_broker_pod_costs_no_acknowledged_message_and_no_connection() {
    // The journal must outlive the pod, so it is in a folder of the node, which `restricted` forbids.
    let labels = json!({"pod-security.kubernetes.io/enforce": "privileged"});
    Story::play_with("outage", labels, async |story: &Story| {
        let broker = Broker::start_keeping(story, Keep::Node).await;
        story.must_apply(&default_endpoint()).await;
        let app = App::new("oven", "default").args(&["--every", "10"]);
        story.must_apply(&app.deployment()).await;
        let pod = story.ready_pod("oven").await;
        let mut told = story.acknowledged_more_than(&pod, 100).await;
        for _ in 0..2 {
            let answer = story
                .kubectl(&["delete", "pod", "--selector", "app=broker"])
                .await;
            assert!(answer.good, "{}", answer.text);
            told = story
                .acknowledged_more_than(&pod, told.acknowledged.len() + 300)
                .await;
        }
        assert_eq!(
            (told.connects, told.disconnects),
            (1, 0),
            "the app's connection"
        );
        assert_nothing_acknowledged_is_lost(&told, &broker.journal(story).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_a_sidecar_completes_and_its_messages_are_at_the_broker() {
    Story::play("job", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        let app = App::new("batch", "default").args(&["--every", "1", "--count", "200"]);
        story.must_apply(&app.job()).await;
        story
            .until("the Job is complete", async || {
                let job = story
                    .kubectl(&[
                        "wait",
                        "--for",
                        "condition=Complete",
                        "job/batch",
                        "--timeout",
                        "1s",
                    ])
                    .await;
                if job.good { Ok(()) } else { Err(job.text) }
            })
            .await;
        let arrived: BTreeSet<u64> = broker
            .journal(story)
            .await
            .arrived("load")
            .into_iter()
            .collect();
        assert_eq!(arrived, (0..200).collect());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_leaves_the_broker_in_order_with_everything_acknowledged_there() {
    Story::play("deleted", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        let app = App::new("oven", "default").args(&["--every", "2"]);
        story.must_apply(&app.deployment()).await;
        let pod = story.ready_pod("oven").await;
        story.acknowledged_more_than(&pod, 100).await;
        let told = delete_and_hear_last_words(story, &pod).await;
        let left = format!("{pod} clean");
        let journal = broker
            .journal_until(story, "the session has left in order", |journal| {
                journal.lines("disconnect").any(|line| line == left)
            })
            .await;
        assert_nothing_acknowledged_is_lost(&told, &journal);
    })
    .await;
}
