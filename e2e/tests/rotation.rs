//! A real rotation: the kubelet renews a projected token of 600 s at 80 % of its life, so this takes eight minutes. It
//! runs beside all other tests.

use std::time::Duration;

use e2e::app::App;
use e2e::broker::{Broker, default_endpoint};
use e2e::story::Story;
use endpoint::contract::Annotation;

/// The token's life, after which the first one is certainly gone.
const LIFE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_kubelet_renews_reaches_the_broker_on_the_open_connection() {
    Story::play("rotation", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        let app = App::new("oven", "default")
            .annotate(Annotation::TokenExpirationSeconds.key(), "600")
            .args(&["--every", "200"]);
        let answer = story.must_apply(&app.deployment()).await;
        answer.says(&["600 leaves little time to renew"]);
        let pod = story.ready_pod("oven").await;
        story.acknowledged_more_than(&pod, 5).await;
        story
            .within(LIFE, "the broker is given the next token", async || {
                let journal = broker.journal(story).await;
                match journal.count("reauth") {
                    0 => Err("no re-authentication yet".to_owned()),
                    _ => Ok(()),
                }
            })
            .await;
        let before = story.told(&pod).await.expect("the app answers");
        let told = story
            .acknowledged_more_than(&pod, before.acknowledged.len() + 5)
            .await;
        assert_eq!(
            (told.connects, told.disconnects),
            (1, 0),
            "the app's connection"
        );
        let journal = broker.journal(story).await;
        assert_eq!(
            journal.lines("connect").count(),
            1,
            "one connection to the broker"
        );
        let renewed = journal.lines("reauth").next().unwrap_or_default();
        let namespace = &story.namespace;
        assert_eq!(
            renewed,
            format!("{pod} system:serviceaccount:{namespace}:oven")
        );
    })
    .await;
}
