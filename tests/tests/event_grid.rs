//! Event Grid's MQTT broker, as a fake with its documented limits: tokens in CONNECT and AUTH, their end, lost sessions,
//! and what the sidecar keeps away from a broker that would end the connection for it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use sidecar::packet::{
    Ack, Disconnect, Packet, PacketId, Property, PropertyId, ProtocolVersion, Publish, Qos,
    ReasonCode, Subscribe, Subscription, Will,
};
use tests::app::{App, VERSIONS, Version};
use tests::event_grid::{Cloud, Namespace, limits};
use tests::eventually;
use tests::raw::{Raw, connect, properties, publish, subscribe};
use tests::token_service::Reply;

/// Short, so that a test sees its end; the sidecar asks again after 80 % of it.
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(86_400);

fn sessions(max: usize) -> Namespace {
    Namespace {
        sessions_max: max,
        ..Namespace::default()
    }
}

fn user(name: &str, value: &str) -> Property {
    Property::UserProperty(name.into(), value.into())
}

async fn publish_and_wait(app: &App, numbers: std::ops::Range<u64>) {
    for number in numbers.clone() {
        app.publish("line/1", 1, number).await;
    }
    app.wait_for_acknowledged(numbers.end as usize).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_publish_and_subscribe_and_a_token_is_renewed_by_auth() {
    for version in VERSIONS {
        let cloud = Cloud::new(Namespace::default(), SHORT, json!({})).await;
        let app = App::connect(version, cloud.sidecar.port, "app").await;
        app.subscribe("line/+", 1).await;
        let mut number = 0;
        while cloud.grid.said("reauth").len() < 2 {
            publish_and_wait(&app, number..number + 1).await;
            number += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eventually::is_true("every message comes back", || {
            app.record().received.len() == number as usize
        })
        .await;
        let record = app.record();
        assert_eq!((record.connects, record.disconnects), (1, 0), "{version:?}");
        assert_eq!(
            cloud.grid.said("connect").len(),
            1,
            "AUTH needs no reconnect"
        );
        cloud.assert_no_rule_is_broken();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_token_is_a_reconnect_with_the_next_that_no_app_notices() {
    let cloud = Cloud::new(Namespace::default(), SHORT, json!({})).await;
    eventually::is_true("there is a token", || cloud.entra.granted().len() == 1).await;
    // The next request comes 1 s before the token's end: these outlast it.
    let away = Reply::Status(503, "", Some(2));
    cloud.entra.reply([away.clone(), away]);
    let app = App::connect(Version::V5, cloud.sidecar.port, "app").await;
    app.subscribe("line/+", 1).await;
    let mut number = 0;
    let end = tokio::time::Instant::now() + eventually::PATIENCE;
    while cloud.grid.said("connect").len() < 2 {
        assert!(
            tokio::time::Instant::now() < end,
            "{:?}",
            cloud.grid.journal()
        );
        app.publish("line/1", 1, number).await;
        number += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    app.wait_for_acknowledged(number as usize).await;
    // At least once: what was on its way when the broker left may come twice.
    let whole: BTreeSet<String> = (0..number).map(|number| number.to_string()).collect();
    eventually::is_true("every message comes back", || {
        app.record().received.into_iter().collect::<BTreeSet<_>>() == whole
    })
    .await;
    let record = app.record();
    assert_eq!((record.connects, record.disconnects), (1, 0));
    assert_eq!(cloud.grid.said("expire"), ["app"]);
    let connects = cloud.grid.said("connect app");
    assert!(
        connects[1].starts_with("clean false present true"),
        "{connects:?}"
    );
    assert_eq!(
        cloud.grid.said("subscribe").len(),
        1,
        "the session was kept"
    );
    cloud.assert_no_rule_is_broken();
}

/// Subscribes to as many filters as a session may have, in as few packets as may be.
async fn subscribe_to_all(app: &mut Raw) {
    for packet in 0..limits::SUBSCRIPTIONS_MAX / limits::FILTERS_PER_PACKET_MAX {
        let filter = |number: usize| Subscription {
            filter: format!("line/{packet}/{number}").into(),
            qos: Qos::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        };
        let subscribe = Packet::Subscribe(Subscribe {
            packet_id: 1,
            filters: (0..limits::FILTERS_PER_PACKET_MAX).map(filter).collect(),
            properties: properties([]),
        });
        app.send(&[subscribe]).await;
        match app.next().await {
            Packet::SubAck(suback) => {
                assert!(
                    suback
                        .codes
                        .iter()
                        .all(|code| *code == ReasonCode::GRANTED_QOS_1)
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_session_is_subscribed_again_and_not_too_fast() {
    let cloud = Cloud::new(Namespace::default(), LONG, json!({})).await;
    let (mut app, _) =
        Raw::connect(cloud.sidecar.port, connect(ProtocolVersion::V311, "app")).await;
    subscribe_to_all(&mut app).await;
    cloud.grid.forget_sessions();
    let wanted = 2 * limits::SUBSCRIPTIONS_MAX;
    eventually::is_true("it subscribes again", || {
        cloud.grid.said("subscribe").len() == wanted
    })
    .await;
    let last = publish("line/4/9", Qos::AtLeastOnce, 9, "to the last filter");
    app.send(&[Packet::Publish(last)]).await;
    let mut came = Vec::new();
    while came.len() < 2 {
        came.push(app.next().await);
    }
    let is_delivery = |packet: &Packet| matches!(packet, Packet::Publish(_));
    assert!(came.iter().any(is_delivery), "{came:?}");
    assert_eq!(cloud.grid.said("connect").len(), 2);
    cloud.assert_no_rule_is_broken();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_subscription_gives_each_message_to_one_app_of_any_version() {
    let cloud = Cloud::new(sessions(2), LONG, json!({})).await;
    let mut apps = Vec::new();
    for (version, name) in VERSIONS.into_iter().zip(["old", "new"]) {
        let app = App::connect(version, cloud.sidecar.port, name).await;
        app.subscribe("$share/group/line/#", 1).await;
        apps.push(app);
    }
    publish_and_wait(&apps[0], 0..20).await;
    eventually::is_true("each message comes once", || {
        let counts = apps.iter().map(|app| app.record().received.len());
        counts.collect::<Vec<_>>() == [10, 10]
    })
    .await;
    cloud.assert_no_rule_is_broken();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_too_many_is_told_to_the_app_that_asked_for_it() {
    let cloud = Cloud::new(sessions(1), LONG, json!({})).await;
    let first = App::connect(Version::V5, cloud.sidecar.port, "first").await;
    let (_, refused) =
        Raw::connect(cloud.sidecar.port, connect(ProtocolVersion::V5, "second")).await;
    assert_eq!(refused.code, ReasonCode::QUOTA_EXCEEDED);
    publish_and_wait(&first, 0..3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_told_and_what_event_grid_does_not_take_stays_here() {
    let changes = json!({"sessionExpirySeconds": 20_000, "keepAliveSeconds": 0});
    let cloud = Cloud::new(Namespace::default(), LONG, changes).await;
    // Without a name: the sidecar gives one, because Event Grid wants one.
    let mut packet = connect(ProtocolVersion::V5, "");
    packet.properties = properties([
        Property::SessionExpiryInterval(10_000),
        user("metriccategory", "sdk"),
    ]);
    packet.will = Some(Will {
        qos: Qos::ExactlyOnce,
        retain: false,
        topic: "will".into(),
        payload: "gone".into(),
        properties: properties([user("of", "will")]),
    });
    let (mut app, answer) = Raw::connect(cloud.sidecar.port, packet).await;
    assert_eq!(answer.code, ReasonCode::SUCCESS);
    let told = |id| answer.properties.int(id);
    assert_eq!(told(PropertyId::SessionExpiryInterval), Some(3_600), "cut");
    let packet_max = limits::PACKET_SIZE_MAX as u32;
    assert_eq!(told(PropertyId::MaximumPacketSize), Some(packet_max));
    assert_eq!(told(PropertyId::TopicAliasMaximum), None);
    let name = answer.properties.text(PropertyId::AssignedClientIdentifier);
    let name = name.expect("the sidecar's name").to_string();
    let connects = cloud.grid.said(&format!("connect {name}"));
    let wanted = "clean true present false expiry 20000 keep-alive 0 will-delay 60";
    assert_eq!(connects, [wanted]);

    app.subscribe("line/#", Qos::ExactlyOnce, properties([user("a", "b")]))
        .await;
    app.send(&[Packet::Publish(message(1, Qos::ExactlyOnce, "once"))])
        .await;
    let mut delivered = None;
    while delivered.is_none() {
        match app.next().await {
            Packet::PubRec(ack) => {
                let release = Packet::PubRel(Ack::new(ack.packet_id, ReasonCode::SUCCESS));
                app.send(&[release]).await;
            }
            Packet::PubComp(_) => {}
            Packet::Publish(publish) => delivered = Some(publish),
            other => panic!("{other:?}"),
        }
    }
    let delivered = delivered.expect("it came");
    assert_eq!(delivered.qos, Qos::AtLeastOnce);
    // A failure code would end the connection there.
    let refusal = Ack {
        packet_id: delivered.packet_id,
        code: ReasonCode::UNSPECIFIED_ERROR,
        properties: properties([user("why", "no reason")]),
    };
    app.send(&[Packet::PubAck(refusal)]).await;
    assert_codes(&mut app, &[ReasonCode::SUCCESS]).await;
    let goodbye = Disconnect {
        code: ReasonCode::SUCCESS,
        properties: properties([user("why", "it is late")]),
    };
    app.send(&[Packet::Disconnect(goodbye)]).await;
    let line = format!("goodbye {name}");
    eventually::is_true("it left", || cloud.grid.said(&line) == ["0x00"]).await;
    cloud.assert_no_rule_is_broken();
}

fn message(packet_id: PacketId, qos: Qos, payload: &str) -> Publish {
    publish("line/1", qos, packet_id, payload)
}

/// Publishes once more and expects these codes of the acknowledgements.
async fn assert_codes(app: &mut Raw, wanted: &[ReasonCode]) {
    let id = 100;
    app.send(&[Packet::Publish(message(id, Qos::AtLeastOnce, "more"))])
        .await;
    let mut codes = Vec::new();
    while codes.len() < wanted.len() {
        match app.next().await {
            Packet::PubAck(ack) => codes.push(ack.code),
            Packet::PubComp(_) => {}
            Packet::Publish(publish) => {
                let ack = Ack::new(publish.packet_id, ReasonCode::SUCCESS);
                app.send(&[Packet::PubAck(ack)]).await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(codes, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_and_the_rest_goes_on() {
    let changes = json!({"cloudEventAttributes": "CreateOrRemap"});
    let cloud = Cloud::new(sessions(2), LONG, changes).await;
    let (mut app, _) = Raw::connect(cloud.sidecar.port, connect(ProtocolVersion::V5, "app")).await;
    // With CloudEvents attributes it would have more than 32 KiB of user properties: it goes as it is.
    let mut nearly_full = message(1, Qos::AtLeastOnce, "nearly full");
    let value = "v".repeat(limits::USER_PROPERTIES_BYTES_MAX - 1);
    nearly_full.properties = properties([user("n", &value)]);
    let mut over_full = message(2, Qos::AtLeastOnce, "over-full");
    over_full.properties = properties([user("name", &value)]);
    let small = message(3, Qos::AtLeastOnce, "small");
    let packets = [nearly_full, over_full, small].map(Packet::Publish);
    app.send(&packets).await;
    for wanted in [
        ReasonCode::SUCCESS,
        ReasonCode::QUOTA_EXCEEDED,
        ReasonCode::SUCCESS,
    ] {
        match app.next().await {
            Packet::PubAck(ack) => assert_eq!(ack.code, wanted, "{ack:?}"),
            other => panic!("{other:?}"),
        }
    }
    let published = cloud.grid.said("publish line/1");
    assert_eq!(
        published,
        ["1 nearly full", "6 small"],
        "with so many attributes"
    );

    let payload = "x".repeat(limits::PACKET_SIZE_MAX);
    app.send(&[Packet::Publish(message(4, Qos::AtLeastOnce, &payload))])
        .await;
    let last = app.next_or_end().await;
    assert!(
        matches!(&last, Some(Packet::Disconnect(end)) if end.code == ReasonCode::PACKET_TOO_LARGE),
        "{last:?}"
    );
    let broken = cloud.grid.said("break");
    assert_eq!(broken.len(), 1, "only the app's own: {broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_filters_than_event_grid_takes_are_refused_as_it_says() {
    let cloud = Cloud::new(Namespace::default(), LONG, json!({})).await;
    let (mut app, _) = Raw::connect(cloud.sidecar.port, connect(ProtocolVersion::V5, "app")).await;
    subscribe_to_all(&mut app).await;
    // Otherwise it would be one packet too many a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let one_more = subscribe(7, "line/more", Qos::AtMostOnce, properties([]));
    app.send(&[one_more]).await;
    match app.next().await {
        Packet::SubAck(suback) => assert_eq!(suback.codes, [ReasonCode::QUOTA_EXCEEDED]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_lets_in_without_token_and_user_name() {
    let namespace = Namespace {
        certificates: true,
        ..Namespace::default()
    };
    for version in VERSIONS {
        let cloud = Cloud::with_certificate(namespace).await;
        let app = App::connect(version, cloud.sidecar.port, "app").await;
        app.subscribe("line/+", 1).await;
        publish_and_wait(&app, 0..3).await;
        eventually::is_true("they come back", || app.record().received.len() == 3).await;
        cloud.assert_no_rule_is_broken();
    }
}
