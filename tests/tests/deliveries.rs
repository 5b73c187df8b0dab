//! Messages for the app, and many apps at once, while credentials change and the broker has bad days.

use std::collections::BTreeSet;
use std::time::Duration;

use endpoint::contract::Mount;
use serde_json::json;
use tests::app::{App, VERSIONS, Version};
use tests::eventually;
use tests::mosquitto::PERSISTENT;
use tests::setup::{Method, Setup, token};
use tests::sidecar::Sidecar;
use tokio::time::{Instant, sleep};

fn numbers(count: u64) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

/// A client of the broker itself publishes for two apps while `change` is called each second; both get every message
/// once, in order.
async fn deliveries_arrive_once_while(setup: &Setup, rounds: u64, change: impl Fn(u64)) {
    let mut apps = Vec::new();
    for version in VERSIONS {
        let app = App::connect(version, setup.sidecar.port, &format!("app-{version:?}")).await;
        app.subscribe("to-app", 1).await;
        apps.push(app);
    }
    let publisher = App::connect(Version::V5, setup.broker.observer_port, "publisher").await;
    let start = Instant::now();
    let (mut changed, mut published) = (0, 0);
    while changed < rounds {
        publisher.publish("to-app", 1, published).await;
        published += 1;
        sleep(Duration::from_millis(3)).await;
        if start.elapsed() >= Duration::from_secs(changed + 1) {
            changed += 1;
            change(changed);
        }
    }
    for app in apps {
        eventually::is_true("every message is delivered", || {
            app.record().received.len() as u64 >= published
        })
        .await;
        let record = app.record();
        assert_eq!(record.received, numbers(published));
        assert_eq!((record.connects, record.disconnects), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_by_auth_loses_and_doubles_no_delivery() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    deliveries_arrive_once_while(&setup, 6, |round| {
        let new = token(&format!("r{round}"));
        let old = token(&format!("r{}", round - 1));
        setup.broker.accept_tokens(&[&old, &new, &token("t1")]);
        setup.mounts.token(&new);
    })
    .await;
    assert!(setup.broker.count("reauth") >= 2, "it renewed by AUTH");
    assert_eq!(setup.broker.count("connect"), 2, "and by nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_reconnects_lose_and_double_no_delivery() {
    let setup = Setup::new(Method::AccessToken).await;
    deliveries_arrive_once_while(&setup, 6, |round| {
        let new = token(&format!("r{round}"));
        let old = token(&format!("r{}", round - 1));
        setup.broker.accept_tokens(&[&old, &new, &token("t1")]);
        let files = [("token", new.as_bytes())];
        setup.mounts.swap("default", Mount::Credentials, &files);
    })
    .await;
    assert!(setup.broker.count("connect") >= 4, "it reconnected");
}

/// The subscriber is persistent: mosquitto 2.0 forgets a session that began clean when it is restarted, whatever its
/// expiry, and then what others publish before it is subscribed again is not meant for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_keeps_its_sessions_is_restarted_without_losing_a_delivery() {
    let mut setup = Setup::with(Method::ServiceAccountToken, PERSISTENT, |_| ()).await;
    let mut subscribers = Vec::new();
    for version in VERSIONS {
        let id = format!("subscriber-{version:?}");
        let app = App::connect_persistent(version, setup.sidecar.port, &id).await;
        app.subscribe("to-app", 1).await;
        subscribers.push(app);
    }
    let publisher = App::connect(Version::V5, setup.sidecar.port, "publisher").await;
    let mut published = 0;
    for _ in 0..3 {
        for _ in 0..100 {
            publisher.publish("to-app", 1, published).await;
            published += 1;
            sleep(Duration::from_millis(2)).await;
        }
        setup.broker.stop();
        setup.broker.run().await;
    }
    publisher.wait_for_acknowledged(published as usize).await;
    let whole: BTreeSet<String> = numbers(published).into_iter().collect();
    for subscriber in &subscribers {
        eventually::is_true("every message is delivered", || {
            let received = subscriber.record().received;
            received.into_iter().collect::<BTreeSet<_>>() == whole
        })
        .await;
    }
    for app in subscribers.into_iter().chain([publisher]) {
        let record = app.record();
        assert_eq!((record.connects, record.disconnects), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_no_longer_answers_is_left_and_found_again() {
    let soon = |settings: &mut serde_json::Value| settings["keepAliveSeconds"] = json!(1);
    let setup = Setup::with(Method::ServiceAccountToken, "", soon).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    setup.broker.freeze();
    for number in 0..20 {
        app.publish("load", 1, number).await;
    }
    eventually::holds("the connection is given up", || async {
        match setup
            .sidecar
            .metric("dataflow_sidecar_broker_connected", "")
            .await
        {
            0.0 => Ok(()),
            count => Err(format!("{count} connected")),
        }
    })
    .await;
    assert_eq!(app.acknowledged(), 0);
    setup.broker.thaw();
    app.wait_for_acknowledged(20).await;
    let arrived: BTreeSet<String> = setup.broker.published("load").into_iter().collect();
    assert_eq!(arrived, numbers(20).into_iter().collect());
    assert_eq!(app.record().disconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_endpoint_has_its_listener_and_its_broker() {
    let first = Method::Anonymous.start_broker("").await;
    let second = Method::Anonymous.start_broker("").await;
    let mounts = Method::Anonymous.mounts(&first);
    mounts.settings("second", Method::Anonymous.settings(&second), 1);
    let port = tests::free_port();
    let listen = format!("second=127.0.0.1:{port}");
    let sidecar = Sidecar::start_with(&mounts, &["--listen", &listen]).await;
    // One client id at two endpoints is two clients.
    let to_first = App::connect(Version::V5, sidecar.port, "app").await;
    let to_second = App::connect(Version::V311, port, "app").await;
    to_first.publish("t", 1, 1).await;
    to_second.publish("t", 1, 2).await;
    to_first.wait_for_acknowledged(1).await;
    to_second.wait_for_acknowledged(1).await;
    assert_eq!(first.published("t"), ["1"]);
    assert_eq!(second.published("t"), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_apps_at_once_have_their_messages_in_order() {
    const APPS: u64 = 40;
    const MESSAGES: u64 = 50;
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let mut apps = Vec::new();
    for index in 0..APPS {
        let version = VERSIONS[index as usize % 2];
        let app = App::connect(version, setup.sidecar.port, &format!("app-{index}")).await;
        app.subscribe(&format!("load/{index}"), 1).await;
        apps.push(app);
    }
    for number in 0..MESSAGES {
        for (index, app) in apps.iter().enumerate() {
            let topic = format!("load/{index}");
            app.publish(&topic, (index / 2 % 3) as u8, number).await;
        }
    }
    for app in &apps {
        eventually::is_true("its messages are back", || {
            app.record().received.len() as u64 >= MESSAGES
        })
        .await;
        assert_eq!(app.record().received, numbers(MESSAGES));
        assert_eq!(app.record().disconnects, 0);
    }
}
