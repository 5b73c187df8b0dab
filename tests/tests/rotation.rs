//! Tokens, certificates and settings that change under load.

use std::time::Duration;

use endpoint::contract::Mount;
use tests::app::{App, VERSIONS, Version};
use tests::eventually;
use tests::setup::{Method, Setup, token};
use tokio::time::{Instant, sleep};

/// Publishes at QoS 1 while `change` is called once a second, `rounds` times; returns how many were published.
async fn publish_while(app: &App, rounds: u64, mut change: impl FnMut(u64)) -> u64 {
    let start = Instant::now();
    let mut changed = 0;
    let mut number = 0;
    while changed < rounds {
        app.publish("load", 1, number).await;
        number += 1;
        sleep(Duration::from_millis(2)).await;
        if start.elapsed() >= Duration::from_secs(changed + 1) {
            changed += 1;
            change(changed);
        }
    }
    number
}

/// Every message arrived once and was acknowledged, and the app noticed nothing.
async fn nothing_was_lost_or_doubled(setup: &Setup, app: &App, published: u64) {
    app.wait_for_acknowledged(published as usize).await;
    let whole: Vec<String> = (0..published).map(|number| number.to_string()).collect();
    assert_eq!(setup.broker.published("load"), whole);
    let record = app.record();
    assert_eq!((record.connects, record.disconnects), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_each_second_by_auth_loses_and_doubles_nothing() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    let published = publish_while(&app, 20, |round| {
        let (old, new) = (
            token(&format!("r{}", round - 1)),
            token(&format!("r{round}")),
        );
        setup.broker.accept_tokens(&[&old, &new, &token("t1")]);
        setup.mounts.token(&new);
    })
    .await;
    nothing_was_lost_or_doubled(&setup, &app, published).await;
    eventually::is_true("the last token is at the broker", || {
        setup.broker.count("reauth") >= 18
    })
    .await;
    assert_eq!(
        setup.broker.count("connect"),
        1,
        "one connection served it all"
    );
    assert!(
        setup
            .sidecar
            .metric("dataflow_sidecar_reauthentications_total", "success")
            .await
            >= 18.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_each_second_by_planned_reconnect_loses_and_doubles_nothing() {
    let setup = Setup::new(Method::AccessToken).await;
    let app = App::connect(Version::V311, setup.sidecar.port, "app").await;
    let published = publish_while(&app, 20, |round| {
        let (old, new) = (
            token(&format!("r{}", round - 1)),
            token(&format!("r{round}")),
        );
        setup.broker.accept_tokens(&[&old, &new, &token("t1")]);
        setup
            .mounts
            .swap("default", Mount::Credentials, &[("token", new.as_bytes())]);
    })
    .await;
    nothing_was_lost_or_doubled(&setup, &app, published).await;
    assert!(setup.broker.count("connect") > 5, "it reconnected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_by_a_planned_reconnect() {
    let setup = Setup::new(Method::X509Certificate).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    let published = publish_while(&app, 5, |_| {
        let client = setup.broker.authority.client("app");
        let files = [
            ("tls.crt", client.certificate.as_bytes()),
            ("tls.key", client.key.as_bytes()),
        ];
        setup.mounts.swap("default", Mount::Credentials, &files);
    })
    .await;
    nothing_was_lost_or_doubled(&setup, &app, published).await;
    assert!(
        setup
            .sidecar
            .metric("dataflow_sidecar_broker_connects_total", "accepted")
            .await
            >= 2.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_by_the_next_without_the_app_noticing() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    // mosquitto refuses a re-authentication with a second CONNACK and closes.
    setup.mounts.token(&token("not-accepted"));
    eventually::is_true("it is refused", || setup.broker.count("refuse") > 0).await;
    app.publish("load", 1, 0).await;
    setup.broker.accept_tokens(&[&token("t2")]);
    setup.mounts.token(&token("t2"));
    nothing_was_lost_or_doubled(&setup, &app, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_and_half_written_tokens_are_never_sent() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    for half in ["", "e30.", "e30.t2", "e30.t2."] {
        setup
            .mounts
            .overwrite(Mount::Token, "token", half.as_bytes());
        sleep(Duration::from_millis(600)).await;
    }
    let published = publish_while(&app, 1, |_| {}).await;
    setup.broker.accept_tokens(&[&token("t2")]);
    setup
        .mounts
        .overwrite(Mount::Token, "token", token("t2").as_bytes());
    eventually::is_true("the whole token is sent", || {
        setup.broker.count("reauth") == 1
    })
    .await;
    nothing_was_lost_or_doubled(&setup, &app, published).await;
    assert_eq!(setup.broker.count("refuse"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_qos_ceiling_acts_on_the_next_message_without_a_reconnect() {
    let setup = Setup::new(Method::Anonymous).await;
    for version in VERSIONS {
        let app = App::connect(version, setup.sidecar.port, &format!("{version:?}")).await;
        app.publish("before", 1, 1).await;
        app.wait_for_acknowledged(1).await;
        let mut settings = Method::Anonymous.settings(&setup.broker);
        settings["qos"] = 0.into();
        let generation = 2 + version as i64;
        setup.mounts.settings("default", settings, generation);
        let ceiling = move |status: serde_json::Value| {
            status
                .to_string()
                .contains(&format!("\"generation\":{generation}"))
        };
        eventually::holds("the settings are taken", || async {
            let status = setup.sidecar.status().await;
            if ceiling(status.clone()) {
                Ok(())
            } else {
                Err(status.to_string())
            }
        })
        .await;
        app.publish("after", 1, 2).await;
        app.wait_for_acknowledged(2).await;
        assert_eq!(app.record().disconnects, 0);
        setup.mounts.settings(
            "default",
            Method::Anonymous.settings(&setup.broker),
            generation + 10,
        );
    }
    let log = setup.broker.log();
    let received = |topic: &str, qos: &str| {
        log.lines().any(|line| {
            line.contains("Received PUBLISH")
                && line.contains(qos)
                && line.contains(&format!("'{topic}'"))
        })
    };
    assert!(received("before", "q1") && received("after", "q0"), "{log}");
    assert_eq!(
        setup
            .sidecar
            .metric("dataflow_sidecar_broker_connects_total", "accepted")
            .await,
        2.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_taken_over_without_the_app_noticing() {
    let setup = Setup::new(Method::Anonymous).await;
    let other = Method::Anonymous.start_broker("").await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    app.subscribe("to-app", 1).await;
    setup
        .mounts
        .settings("default", Method::Anonymous.settings(&other), 2);
    let mut number = 0;
    while other.published("load").is_empty() {
        app.publish("load", 1, number).await;
        number += 1;
        assert!(number < 3_000, "the new host is never used");
        sleep(Duration::from_millis(20)).await;
    }
    app.publish("to-app", 1, 1_000_000).await;
    eventually::is_true("its subscription is there", || {
        app.record().received == ["1000000"]
    })
    .await;
    app.wait_for_acknowledged(number as usize + 1).await;
    let together = setup.broker.published("load").len() + other.published("load").len();
    assert_eq!(together as u64, number, "each is at one of the two");
    assert_eq!(app.record().disconnects, 0);
}
