//! What the broker keeps for a client: its will, its session, its retained messages.

use serde_json::json;
use sidecar::packet::{
    Connect, Disconnect, Packet, Property, ProtocolVersion, Qos, ReasonCode, Will,
};
use tests::eventually;
use tests::mosquitto::PERSISTENT;
use tests::raw::{Raw, connect, properties, puback, publish};
use tests::setup::{Method, Setup};
use tests::sidecar::Sidecar;
use tokio::time::{Duration, timeout};

use ProtocolVersion::{V5, V311};

/// Far below the will delay of 60 s that the broker is told: a will that comes sooner is the sidecar's.
const WILL_SECONDS_MAX: u64 = 40;

fn with_will(version: ProtocolVersion, client_id: &str) -> Connect {
    let will = Will {
        qos: Qos::ExactlyOnce,
        retain: false,
        topic: "will".into(),
        payload: client_id.to_owned().into(),
        properties: properties([]),
    };
    Connect {
        will: Some(will),
        ..connect(version, client_id)
    }
}

fn persistent(client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        properties: properties([Property::SessionExpiryInterval(1_000)]),
        ..connect(V5, client_id)
    }
}

async fn all_sessions_ended(setup: &Setup) {
    eventually::holds("every session has ended", || async {
        let status = setup.sidecar.status().await;
        match status["endpoints"][0]["sessions"].as_array() {
            Some(sessions) if sessions.is_empty() => Ok(()),
            _ => Err(status.to_string()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_will_of_a_client_that_vanishes_is_published_at_once() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let mut observer = Raw::observe(setup.broker.observer_port, "will").await;
    for version in [V311, V5] {
        let (app, _) = Raw::connect(setup.sidecar.port, with_will(version, "gone")).await;
        drop(app);
        let will = timeout(
            Duration::from_secs(WILL_SECONDS_MAX),
            observer.next_publish(),
        );
        assert_eq!(will.await.expect("at once").payload, "gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_will_is_published_for_a_goodbye_or_for_a_broker_connection_that_is_lost() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    for version in [V311, V5] {
        let (mut app, _) = Raw::connect(setup.sidecar.port, with_will(version, "polite")).await;
        setup.broker.kill();
        setup.broker.run().await;
        app.send(&[Packet::Publish(publish("t", Qos::AtLeastOnce, 1, "x"))])
            .await;
        assert_eq!(app.next().await.name(), "PUBACK");
        let goodbye = Disconnect::new(ReasonCode::SUCCESS);
        app.send(&[Packet::Disconnect(goodbye)]).await;
        assert_eq!(app.next_or_end().await, None);
        all_sessions_ended(&setup).await;
    }
    assert_eq!(setup.broker.published("will"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_client_is_disconnected_when_its_broker_session_is_gone() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    let (mut app, answer) = Raw::connect(setup.sidecar.port, persistent("app")).await;
    assert!(!answer.session_present);
    setup.broker.kill();
    setup.broker.run().await;
    let Packet::Disconnect(told) = app.next().await else {
        panic!("DISCONNECT expected");
    };
    assert_eq!(told.code, ReasonCode::SERVER_SHUTTING_DOWN);
    // Nothing was left behind that the client would take for its own.
    let (_app, answer) = Raw::connect(setup.sidecar.port, persistent("app")).await;
    assert!(!answer.session_present);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_client_stays_when_the_broker_kept_its_session() {
    let mut setup = Setup::with(Method::ServiceAccountToken, PERSISTENT, |_| ()).await;
    let (mut app, _) = Raw::connect(setup.sidecar.port, persistent("app")).await;
    app.subscribe("to-app", Qos::AtLeastOnce, properties([]))
        .await;
    setup.broker.stop();
    setup.broker.run().await;
    let mut publisher = Raw::observe(setup.broker.observer_port, "nothing").await;
    publisher
        .send(&[Packet::Publish(publish(
            "to-app",
            Qos::AtLeastOnce,
            1,
            "after",
        ))])
        .await;
    assert_eq!(publisher.next().await, puback(1));
    assert_eq!(app.next_publish().await.payload, "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_at_the_broker_for_a_persistent_client_that_left() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let (mut app, _) = Raw::connect(setup.sidecar.port, persistent("app")).await;
    app.subscribe("to-app", Qos::AtLeastOnce, properties([]))
        .await;
    drop(app);
    all_sessions_ended(&setup).await;
    let mut publisher = Raw::observe(setup.broker.observer_port, "nothing").await;
    publisher
        .send(&[Packet::Publish(publish(
            "to-app",
            Qos::AtLeastOnce,
            1,
            "kept",
        ))])
        .await;
    assert_eq!(publisher.next().await, puback(1));
    let (mut app, answer) = Raw::connect(setup.sidecar.port, persistent("app")).await;
    assert!(answer.session_present);
    assert_eq!(app.next_publish().await.payload, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn retain_never_stores_nothing_at_the_broker_and_keep_does() {
    for (retain, stored) in [("Never", false), ("Keep", true)] {
        let setting = |settings: &mut serde_json::Value| settings["retain"] = json!(retain);
        let setup = Setup::with(Method::Anonymous, "", setting).await;
        let (mut app, _) = Raw::connect(setup.sidecar.port, connect(V5, "app")).await;
        let mut message = publish("kept", Qos::AtLeastOnce, 1, "old");
        message.retain = true;
        app.send(&[Packet::Publish(message)]).await;
        assert_eq!(app.next().await.name(), "PUBACK");
        let mut observer = Raw::observe(setup.broker.observer_port, "kept").await;
        if stored {
            let message = observer.next_publish().await;
            assert!(message.retain && message.payload == "old");
        } else {
            assert_eq!(observer.until_ping().await, []);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_is_killed_looks_like_a_broker_that_was_restarted() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    let asked = || Connect {
        will: with_will(V5, "app").will,
        ..persistent("app")
    };
    let (mut app, _) = Raw::connect(setup.sidecar.port, asked()).await;
    app.subscribe("to-app", Qos::AtLeastOnce, properties([]))
        .await;
    // Killed by being dropped.
    setup.sidecar = Sidecar::start(&setup.mounts).await;
    assert_eq!(app.next_or_end().await, None);
    let mut publisher = Raw::observe(setup.broker.observer_port, "nothing").await;
    publisher
        .send(&[Packet::Publish(publish(
            "to-app",
            Qos::AtLeastOnce,
            1,
            "meanwhile",
        ))])
        .await;
    assert_eq!(publisher.next().await, puback(1));
    let (mut app, answer) = Raw::connect(setup.sidecar.port, asked()).await;
    assert!(answer.session_present, "the broker kept it");
    assert_eq!(app.next_publish().await.payload, "meanwhile");
    assert_eq!(setup.broker.published("will"), Vec::<String>::new());
}
