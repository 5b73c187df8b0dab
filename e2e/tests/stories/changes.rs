//! What changes below a running app: its endpoint, its Secret, the trust bundle. The app's connection stays.

use e2e::app::App;
use e2e::broker::{Broker, Listener, TRUST_BUNDLE, default_endpoint, endpoint};
use e2e::story::Story;
use serde_json::{Value, json};
use tests::broker::Entries;
use tests::certificates::Authority;

async fn start(story: &Story, app: &App) -> String {
    story.must_apply(&app.deployment()).await;
    let pod = story.ready_pod(&app.name).await;
    story.acknowledged_more_than(&pod, 5).await;
    pod
}

async fn edit(story: &Story, settings: Value) {
    let patch = json!({"spec": {"mqttSettings": settings}}).to_string();
    let answer = story
        .kubectl(&[
            "patch",
            "dataflowendpoint",
            "default",
            "--type",
            "merge",
            "--patch",
            &patch,
        ])
        .await;
    assert!(answer.good, "{}", answer.text);
}

/// The app goes on, and has had one connection from its start.
async fn app_noticed_nothing(story: &Story, pod: &str) {
    let before = story.told(pod).await.expect("the app answers");
    let told = story
        .acknowledged_more_than(pod, before.acknowledged.len())
        .await;
    assert_eq!(
        (told.connects, told.disconnects),
        (1, 0),
        "the app's connection"
    );
}

fn connects(journal: &Entries, pod: &str) -> usize {
    journal
        .lines("connect")
        .filter(|line| line.starts_with(pod))
        .count()
}

/// The last message came with this quality of service and this flag.
fn last_is(journal: &Entries, end: &str) -> bool {
    journal
        .lines("publish")
        .last()
        .is_some_and(|line| line.ends_with(end))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_endpoint_is_taken_over_while_the_app_publishes() {
    Story::play("edited", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        let pod = start(story, &App::new("oven", "default").args(&["--retain"])).await;
        broker
            .journal_until(story, "qos 1, retained", |journal| {
                last_is(journal, " 1 true")
            })
            .await;
        edit(story, json!({"retain": "Never"})).await;
        broker
            .journal_until(story, "retain: Never", |journal| {
                last_is(journal, " 1 false")
            })
            .await;
        edit(story, json!({"qos": 0})).await;
        broker
            .journal_until(story, "qos: 0", |journal| last_is(journal, " 0 false"))
            .await;
        let host = format!(
            "aio-broker.{}.svc:{}",
            story.namespace,
            Listener::Tokens.port()
        );
        edit(story, json!({"host": host})).await;
        broker
            .journal_until(story, "another host", |journal| {
                connects(journal, &pod) == 2
            })
            .await;
        app_noticed_nothing(story, &pod).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_is_taken_over_while_the_app_publishes() {
    Story::play("replaced", async |story: &Story| {
        let broker = Broker::start(story).await;
        let secret = |serial: &str| {
            let client = broker.authority.client(serial);
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "oven"},
                "stringData": {"tls.crt": client.certificate, "tls.key": client.key},
            })
        };
        story.must_apply(&secret("first")).await;
        story.must_apply(&endpoint("default", json!({
            "host": Listener::Certificates.host(),
            "authentication": {"method": "X509Certificate", "x509CertificateSettings": {"secretRef": "oven"}},
            "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": TRUST_BUNDLE},
        }))).await;
        let pod = start(story, &App::new("oven", "default")).await;
        story.must_apply(&secret("second")).await;
        broker.journal_until(story, "a connection with the new certificate", |journal| connects(journal, &pod) == 2).await;
        app_noticed_nothing(story, &pod).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_a_new_authority_is_trusted_once_the_bundle_has_it() {
    Story::play("trust", async |story: &Story| {
        let mut broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        let pod = start(story, &App::new("oven", "default")).await;
        let second = Authority::new("e2e second authority");
        let both = broker.trust_bundle(&[("next.crt", second.certificate())]);
        story.must_apply(&both).await;
        broker.authority = second;
        story.must_apply(&broker.files(&story.namespace)).await;
        // The broker reads its certificate when it starts. Its journal starts again, too.
        let answer = story
            .kubectl(&["delete", "pod", "--selector", "app=broker"])
            .await;
        assert!(answer.good, "{}", answer.text);
        story.ready_pod("broker").await;
        broker
            .journal_until(story, "a connection to the new broker", |journal| {
                connects(journal, &pod) >= 1
            })
            .await;
        app_noticed_nothing(story, &pod).await;
    })
    .await;
}
