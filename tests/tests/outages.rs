//! The broker dies, is absent, or cannot be trusted.

use std::time::Duration;

use endpoint::contract::Mount;
use tests::app::{App, VERSIONS, Version};
use tests::certificates::Authority;
use tests::eventually;
use tests::mounts::Mounts;
use tests::setup::{Method, Setup, token};
use tests::sidecar::Sidecar;
use tokio::time::{Instant, sleep};

/// Publishes for about `seconds`, one message a few milliseconds; returns how many.
async fn publish_for(app: &App, qos: u8, first: u64, seconds: f64) -> u64 {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut number = first;
    while Instant::now() < end {
        app.publish("load", qos, number).await;
        number += 1;
        sleep(Duration::from_millis(3)).await;
    }
    number
}

async fn survives_three_kills(version: Version, qos: u8) {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(version, setup.sidecar.port, "app").await;
    let mut published = publish_for(&app, qos, 0, 1.0).await;
    for _ in 0..3 {
        setup.broker.kill();
        // The client library stops at its window while nothing is acknowledged, so the outage is short of load.
        for _ in 0..20 {
            app.publish("load", qos, published).await;
            published += 1;
        }
        sleep(Duration::from_millis(500)).await;
        setup.broker.run().await;
        published = publish_for(&app, qos, published, 1.5).await;
    }
    app.wait_for_acknowledged(published as usize).await;
    let arrived = setup.broker.published("load");
    let missing: Vec<u64> = app
        .record()
        .acknowledged
        .into_iter()
        .filter(|number| !arrived.contains(&number.to_string()))
        .collect();
    assert_eq!(
        missing,
        Vec::<u64>::new(),
        "acknowledged and not at the broker, of {published}"
    );
    let record = app.record();
    assert_eq!((record.connects, record.disconnects), (1, 0));
    assert!(setup.broker.count("connect") >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_1_loses_nothing_acknowledged_when_the_broker_is_killed_three_times() {
    survives_three_kills(Version::V5, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_2_loses_nothing_acknowledged_when_the_broker_is_killed_three_times() {
    survives_three_kills(Version::V311, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_subscribed_again_after_the_broker_was_killed() {
    for version in VERSIONS {
        let mut setup = Setup::new(Method::Anonymous).await;
        let app = App::connect(version, setup.sidecar.port, "app").await;
        app.subscribe("to-app", 1).await;
        setup.broker.kill();
        setup.broker.run().await;
        app.publish("to-app", 1, 7).await;
        eventually::is_true("the message comes back", || app.record().received == ["7"]).await;
        assert_eq!(app.record().disconnects, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_absent_at_the_start_is_waited_for() {
    let mut broker = Method::ServiceAccountToken.start_broker("").await;
    broker.kill();
    let mounts = Method::ServiceAccountToken.mounts(&broker);
    let sidecar = Sidecar::start(&mounts).await;
    let app = App::start(Version::V5, sidecar.port, "app");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(app.record().connects, 0);
    broker.run().await;
    eventually::is_true("the app is connected", || app.record().connects == 1).await;
    assert_eq!(app.record().disconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_absent_at_the_start_is_waited_for() {
    let broker = Method::ServiceAccountToken.start_broker("").await;
    let mounts = Mounts::new(Method::ServiceAccountToken.settings(&broker));
    let ca = broker.authority.certificate().as_bytes();
    mounts.swap("default", Mount::Ca, &[("ca.crt", ca)]);
    mounts.swap("default", Mount::Token, &[]);
    let sidecar = Sidecar::start(&mounts).await;
    let app = App::start(Version::V5, sidecar.port, "app");
    sleep(Duration::from_secs(1)).await;
    assert_eq!((app.record().connects, broker.journal().len()), (0, 0));
    mounts.token(&token("t1"));
    eventually::is_true("the app is connected", || app.record().connects == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_refuses_the_app_and_its_successor_is_used() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    setup.broker.accept_tokens(&[]);
    let app = App::start(Version::V5, setup.sidecar.port, "app");
    eventually::is_true("it is refused", || setup.broker.count("refuse") > 0).await;
    eventually::is_true("the app is told", || app.record().disconnects > 0).await;
    setup.broker.accept_tokens(&[&token("t2")]);
    setup.mounts.token(&token("t2"));
    eventually::is_true("the app is connected", || app.record().connects == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_trusted_gets_no_token_and_the_reason_is_told() {
    let broker = Method::ServiceAccountToken.start_broker("").await;
    let mounts = Method::ServiceAccountToken.mounts(&broker);
    let other = Authority::new("another authority");
    mounts.swap(
        "default",
        Mount::Ca,
        &[("ca.crt", other.certificate().as_bytes())],
    );
    let sidecar = Sidecar::start(&mounts).await;
    let app = App::start(Version::V5, sidecar.port, "app");
    eventually::holds("the status tells the reason", || async {
        let status = sidecar.status().await.to_string();
        if status.contains("certificate") {
            Ok(())
        } else {
            Err(status)
        }
    })
    .await;
    assert_eq!((app.record().connects, broker.journal().len()), (0, 0));
    mounts.swap(
        "default",
        Mount::Ca,
        &[("ca.crt", broker.authority.certificate().as_bytes())],
    );
    eventually::is_true("the right bundle connects it", || {
        app.record().connects == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_bundle_leaves_the_good_one_in_use() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let _first = App::connect(Version::V5, setup.sidecar.port, "first").await;
    setup
        .mounts
        .swap("default", Mount::Ca, &[("ca.crt", b"no certificate")]);
    eventually::holds("it is counted", || async {
        let errors = setup
            .sidecar
            .metric("dataflow_sidecar_reloads_total", "error")
            .await;
        if errors > 0.0 {
            Ok(())
        } else {
            Err(format!("{errors} errors"))
        }
    })
    .await;
    let _second = App::connect(Version::V5, setup.sidecar.port, "second").await;
}
