//! An annotated app publishes, by each method and with both versions of MQTT; every namespace is `restricted`.

use e2e::app::App;
use e2e::broker::{
    Broker, Listener, PASSWORD, certificate_settings, default_endpoint, endpoint, settings,
};
use e2e::story::Story;
use serde_json::json;

/// The app's messages come to the broker, which knows the app by `identity`.
async fn publishes(story: &Story, broker: &Broker, app: &App, identity: &str) {
    story.must_apply(&app.deployment()).await;
    let pod = story.ready_pod(&app.name).await;
    let told = story.acknowledged_more_than(&pod, 20).await;
    assert_eq!(
        (told.connects, told.disconnects),
        (1, 0),
        "the app's connection"
    );
    let journal = broker.journal(story).await;
    assert_eq!(journal.identity(&pod), Some(identity), "{}", journal.0);
    let arrived = journal.arrived(&app.name);
    let missing: Vec<_> = told
        .acknowledged
        .iter()
        .filter(|number| !arrived.contains(number))
        .collect();
    assert!(
        missing.is_empty(),
        "acknowledged and not at the broker: {missing:?}"
    );
}

/// The same with an app of each version.
async fn both_versions_publish(story: &Story, broker: &Broker, identity: impl Fn(&str) -> String) {
    for mqtt in ["3", "5"] {
        let name = format!("mqtt{mqtt}");
        let app = App::new(&name, "default").args(&["--mqtt", mqtt, "--topic", &name]);
        publishes(story, broker, &app, &identity(&name)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_service_account_token_the_broker_sees_who_the_app_is() {
    Story::play("token", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&default_endpoint()).await;
        let namespace = &story.namespace;
        both_versions_publish(story, &broker, |name| {
            format!("system:serviceaccount:{namespace}:{name}")
        })
        .await;
        let sidecar = story
            .kubectl(&[
                "get",
                "pods",
                "--selector",
                "app=mqtt5",
                "--output",
                "jsonpath={.items[0].spec.initContainers[0]['name','restartPolicy']}",
            ])
            .await;
        assert_eq!(sidecar.text, "dataflow-sidecar Always");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_of_a_secret() {
    Story::play("certificate", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&broker.client_secret("press-4")).await;
        story
            .must_apply(&endpoint("default", certificate_settings("press-4")))
            .await;
        both_versions_publish(story, &broker, |_| "certificate".to_owned()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_access_token_of_a_secret() {
    Story::play("password", async |story: &Story| {
        let broker = Broker::start(story).await;
        story.must_apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "press-4"}, "stringData": {"token": PASSWORD},
        })).await;
        let method = json!({"method": "AccessToken", "accessTokenSettings": {"secretRef": "press-4"}});
        story.must_apply(&endpoint("default", settings(Listener::Passwords, method))).await;
        both_versions_publish(story, &broker, |_| "password".to_owned()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_over_plain_tcp() {
    Story::play("anonymous", async |story: &Story| {
        let broker = Broker::start(story).await;
        let method = json!({"method": "Anonymous", "anonymousSettings": {}});
        story
            .must_apply(&endpoint("default", settings(Listener::Anonymous, method)))
            .await;
        both_versions_publish(story, &broker, |_| "anonymous".to_owned()).await;
    })
    .await;
}
