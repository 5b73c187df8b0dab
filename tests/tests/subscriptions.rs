//! What a subscription asks of a real broker: groups that share it, and its options.

use sidecar::packet::{
    Connect, Packet, PacketId, Property, PropertyId, ProtocolVersion, Publish, Qos, Subscribe,
    Subscription, Will,
};
use tests::app::{App, Version};
use tests::eventually;
use tests::mosquitto::PERSISTENT;
use tests::raw::{Raw, connect, properties, publish};
use tests::setup::{Method, Setup};
use tokio::time::{Duration, Instant, sleep};

use ProtocolVersion::{V5, V311};

const MESSAGES: u64 = 40;

async fn client(setup: &Setup, version: ProtocolVersion) -> Raw {
    Raw::connect(setup.sidecar.port, connect(version, "app"))
        .await
        .0
}

/// A client of the broker itself.
async fn other(setup: &Setup) -> Raw {
    Raw::observe(setup.broker.observer_port, "nothing").await
}

fn retained(topic: &str, packet_id: PacketId) -> Packet {
    Packet::Publish(Publish {
        retain: true,
        ..publish(topic, Qos::AtLeastOnce, packet_id, "kept")
    })
}

/// Sends a packet and takes the answer.
async fn asks(raw: &mut Raw, packet: Packet, answer: &str) {
    raw.send(&[packet]).await;
    assert_eq!(raw.next().await.name(), answer);
}

/// SUBSCRIBE with options; the answer is taken.
async fn subscribe(raw: &mut Raw, filter: &str, no_local: bool, as_published: bool, handling: u8) {
    let subscription = Subscription {
        filter: filter.into(),
        qos: Qos::AtLeastOnce,
        no_local,
        retain_as_published: as_published,
        retain_handling: handling,
    };
    let subscribe = Subscribe {
        packet_id: 100,
        filters: vec![subscription],
        properties: properties([]),
    };
    asks(raw, Packet::Subscribe(subscribe), "SUBACK").await;
}

/// What the broker owes is known once something newer came: a message of another client.
async fn owed(raw: &mut Raw, other: &mut Raw, topic: &str) -> Vec<Publish> {
    asks(
        other,
        Packet::Publish(publish(topic, Qos::AtLeastOnce, 99, "last")),
        "PUBACK",
    )
    .await;
    let mut list = Vec::new();
    loop {
        match raw.next_publish().await {
            last if last.payload == "last" => return list,
            publish => list.push(publish),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_subscription_gives_each_message_to_one_of_its_group() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    let mut group = Vec::new();
    for (version, name) in [(Version::V5, "one"), (Version::V311, "two")] {
        let app = App::connect(version, setup.sidecar.port, name).await;
        app.subscribe("$share/group/work", 1).await;
        group.push(app);
    }
    // Then with a broker that was killed: the group is subscribed again.
    for round in 0..2 {
        if round == 1 {
            setup.broker.kill();
            setup.broker.run().await;
            until_all_are_served(&group, &setup).await;
        }
        let first = round * MESSAGES;
        let before: Vec<usize> = group
            .iter()
            .map(|app| app.record().received.len())
            .collect();
        let publisher = App::connect(Version::V5, setup.sidecar.port, "publisher").await;
        for number in first..first + MESSAGES {
            publisher.publish("work", 1, number).await;
        }
        eventually::is_true("every message came", || {
            received(&group).len() as u64 >= first + MESSAGES
        })
        .await;
        let wanted: Vec<u64> = (0..first + MESSAGES).collect();
        assert_eq!(received(&group), wanted, "each once");
        for (app, before) in group.iter().zip(before) {
            assert!(app.record().received.len() > before, "each has its share");
            assert_eq!(app.record().disconnects, 0);
        }
    }
}

/// Messages that are no numbers, until each of the group had one.
async fn until_all_are_served(group: &[App], setup: &Setup) {
    let had = |app: &App| app.record().received.contains(&"hello".to_owned());
    let mut other = other(setup).await;
    let end = Instant::now() + eventually::PATIENCE;
    while !group.iter().all(had) {
        assert!(Instant::now() < end, "the group is not subscribed again");
        let hello = publish("work", Qos::AtLeastOnce, 1, "hello");
        asks(&mut other, Packet::Publish(hello), "PUBACK").await;
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a group received together, in order.
fn received(group: &[App]) -> Vec<u64> {
    let texts = group.iter().flat_map(|app| app.record().received);
    let mut numbers: Vec<u64> = texts.filter_map(|text| text.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn no_local_keeps_an_apps_own_messages_from_it_also_after_the_broker_was_killed() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    let mut app = client(&setup, V5).await;
    subscribe(&mut app, "topic", true, false, 0).await;
    for round in 0..2 {
        if round == 1 {
            setup.broker.kill();
            setup.broker.run().await;
        }
        let own = publish("topic", Qos::AtLeastOnce, 1, "own");
        asks(&mut app, Packet::Publish(own), "PUBACK").await;
        let mut other = other(&setup).await;
        let others = owed(&mut app, &mut other, "topic").await;
        assert_eq!(others, [], "round {round}");
    }
    let mut old = client(&setup, V311).await;
    subscribe(&mut old, "topic", false, false, 0).await;
    let own = publish("topic", Qos::AtMostOnce, 0, "own");
    old.send(&[Packet::Publish(own)]).await;
    assert_eq!(old.next_publish().await.payload, "own");
}

#[tokio::test(flavor = "multi_thread")]
async fn retain_as_published_keeps_the_flag() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    for as_published in [true, false] {
        let mut app = client(&setup, V5).await;
        subscribe(&mut app, "topic", false, as_published, 2).await;
        let mut other = other(&setup).await;
        asks(&mut other, retained("topic", 1), "PUBACK").await;
        assert_eq!(app.next_publish().await.retain, as_published);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retain_handling_says_when_retained_messages_come() {
    let setup = Setup::with(Method::ServiceAccountToken, PERSISTENT, |_| ()).await;
    let mut other = other(&setup).await;
    asks(&mut other, retained("topic", 1), "PUBACK").await;
    // At the first SUBSCRIBE, at the second, and of a version.
    for (version, handling, first, second) in
        [(V5, 0, 1, 1), (V5, 1, 1, 0), (V5, 2, 0, 0), (V311, 0, 1, 1)]
    {
        let mut app = client(&setup, version).await;
        for (count, which) in [(first, "first"), (second, "second")] {
            subscribe(&mut app, "topic", false, false, handling).await;
            let came = owed(&mut app, &mut other, "topic").await;
            assert_eq!(came.len(), count, "{version:?} {handling} {which}");
            assert!(came.iter().all(|message| message.retain));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_that_the_sidecar_publishes_has_the_apps_properties() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let mut observer = Raw::observe(setup.broker.observer_port, "will").await;
    let own = [
        Property::ContentType("text/plain".into()),
        Property::ResponseTopic("answers".into()),
        Property::UserProperty("who".into(), "app".into()),
    ];
    let will = Will {
        qos: Qos::AtLeastOnce,
        retain: false,
        topic: "will".into(),
        payload: "gone".into(),
        properties: properties(own.clone()),
    };
    let asked = Connect {
        will: Some(will),
        ..connect(V5, "app")
    };
    let (app, _) = Raw::connect(setup.sidecar.port, asked).await;
    drop(app);
    let published = observer.next_publish().await;
    let text = |id| published.properties.text(id);
    assert_eq!(text(PropertyId::ContentType).as_deref(), Some("text/plain"));
    assert_eq!(text(PropertyId::ResponseTopic).as_deref(), Some("answers"));
    let words: Vec<_> = published.properties.user_properties().collect();
    assert_eq!(words, [("who", "app")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_messages_come_again_when_the_broker_session_is_gone() {
    // Mosquitto keeps retained messages over a stop, and no session that began clean.
    let mut setup = Setup::with(Method::ServiceAccountToken, PERSISTENT, |_| ()).await;
    let mut other = other(&setup).await;
    asks(&mut other, retained("topic", 1), "PUBACK").await;
    let mut app = client(&setup, V5).await;
    subscribe(&mut app, "topic", false, false, 0).await;
    assert!(app.next_publish().await.retain);
    setup.broker.stop();
    setup.broker.run().await;
    let again = app.next_publish().await;
    assert!(again.retain && again.payload == "kept");
}
