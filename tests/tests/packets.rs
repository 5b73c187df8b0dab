//! Exact packet sequences between an app and a real broker: what a client library hides.

use bytes::Bytes;
use serde_json::json;
use sidecar::packet::{
    Ack, Auth, Connect, Disconnect, Packet, Properties, Property, PropertyId, ProtocolVersion, Qos,
    ReasonCode,
};
use tests::raw::{self, Raw, connect, properties, puback, publish, subscribe};
use tests::setup::{Method, Setup};

use ProtocolVersion::{V5, V311};

async fn accepted(setup: &Setup, connect: Connect) -> Raw {
    let (raw, answer) = Raw::connect(setup.sidecar.port, connect).await;
    assert_eq!(answer.code, ReasonCode::SUCCESS);
    raw
}

async fn client(setup: &Setup, version: ProtocolVersion, client_id: &str) -> Raw {
    accepted(setup, connect(version, client_id)).await
}

/// The DISCONNECT that a client is given, after which the stream ends.
async fn disconnected(client: &mut Raw) -> ReasonCode {
    let last = client.next().await;
    let Packet::Disconnect(Disconnect { code, .. }) = last else {
        panic!("DISCONNECT expected, {last:?} came");
    };
    assert_eq!(client.next_or_end().await, None);
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_waits_for_the_broker_s_and_has_its_code() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    for (version, code) in [
        (V5, ReasonCode::NO_MATCHING_SUBSCRIBERS),
        (V311, ReasonCode::SUCCESS),
    ] {
        let mut app = client(&setup, version, "app").await;
        for (qos, answer) in [
            (Qos::AtLeastOnce, Packet::PubAck(Ack::new(7, code))),
            (Qos::ExactlyOnce, Packet::PubRec(Ack::new(7, code))),
        ] {
            setup.broker.freeze();
            app.send(&[Packet::Publish(publish("nobody", qos, 7, "x"))])
                .await;
            assert_eq!(app.until_ping().await, [], "while the broker is frozen");
            setup.broker.thaw();
            assert_eq!(app.next().await, answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_2_is_completed_with_the_app_and_goes_out_as_qos_1() {
    let setup = Setup::new(Method::Anonymous).await;
    let mut observer = Raw::observe(setup.broker.observer_port, "out").await;
    for version in [V311, V5] {
        let mut app = client(&setup, version, "app").await;
        app.send(&[subscribe(
            2,
            "back",
            Qos::ExactlyOnce,
            Properties::default(),
        )])
        .await;
        let Packet::SubAck(granted) = app.next().await else {
            panic!("SUBACK expected");
        };
        assert_eq!(granted.codes, [ReasonCode::GRANTED_QOS_1]);
        let ack = Ack::new(9, ReasonCode::SUCCESS);
        app.send(&[Packet::Publish(publish("out", Qos::ExactlyOnce, 9, "x"))])
            .await;
        assert_eq!(app.next().await, Packet::PubRec(ack.clone()));
        app.send(&[Packet::PubRel(ack.clone())]).await;
        assert_eq!(app.next().await, Packet::PubComp(ack));
        assert_eq!(observer.next_publish().await.qos, Qos::AtLeastOnce);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_of_a_publish_pass_both_ways() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let mut observer = Raw::observe(setup.broker.observer_port, "out").await;
    let mut app = client(&setup, V5, "app").await;
    let identifier = Property::SubscriptionIdentifier(4_242);
    app.subscribe("back", Qos::AtLeastOnce, properties([identifier.clone()]))
        .await;
    let mut sent = vec![
        Property::PayloadFormatIndicator(1),
        Property::ContentType("application/json".into()),
        Property::ResponseTopic("answers/here".into()),
        Property::CorrelationData(Bytes::from_static(b"\x00\x01\xff")),
        Property::UserProperty("same".into(), "1".into()),
        Property::UserProperty("same".into(), "2".into()),
    ];
    let message = |topic: &str| {
        let mut message = publish(topic, Qos::AtLeastOnce, 5, "{}");
        let expiry = Property::MessageExpiryInterval(1_000);
        message.properties = sent.iter().cloned().chain([expiry]).collect();
        Packet::Publish(message)
    };
    // mosquitto puts them in an order of its own, and lowers the expiry while it has the message.
    let sorted = |properties: &Properties| {
        let expiry = properties.int(PropertyId::MessageExpiryInterval);
        assert!((900..=1_000).contains(&expiry.unwrap_or(0)), "{expiry:?}");
        let rest = properties.without(|id| id == PropertyId::MessageExpiryInterval);
        let mut list: Vec<String> = rest.iter().map(|one| format!("{one:?}")).collect();
        list.sort();
        list
    };
    let wanted = |list: &[Property]| {
        let mut list: Vec<String> = list.iter().map(|one| format!("{one:?}")).collect();
        list.sort();
        list
    };
    let (out, back) = (message("out"), message("back"));
    app.send(&[out]).await;
    assert_eq!(app.next().await, puback(5));
    let arrived = observer.next_publish().await;
    assert_eq!(sorted(&arrived.properties), wanted(&sent));
    observer.send(&[back]).await;
    assert_eq!(observer.next().await, puback(5));
    let delivered = app.next_publish().await;
    sent.push(identifier);
    assert_eq!(sorted(&delivered.properties), wanted(&sent));
    assert_eq!(delivered.payload, "{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_follow_connect_at_once_are_kept() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    for version in [V311, V5] {
        let mut app = Raw::dial(setup.sidecar.port, version).await;
        app.send(&[
            Packet::Connect(Box::new(connect(version, "app"))),
            subscribe(1, "echo", Qos::AtMostOnce, Properties::default()),
            Packet::Publish(publish("echo", Qos::AtLeastOnce, 2, "x")),
        ])
        .await;
        let mut names = Vec::new();
        for _ in 0..4 {
            names.push(app.next().await.name());
        }
        // The broker may deliver before or after it acknowledges.
        names[2..].sort_unstable();
        assert_eq!(names, ["CONNACK", "SUBACK", "PUBACK", "PUBLISH"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connack_has_the_endpoint_s_limits_and_nothing_of_the_sidecar_s_own() {
    let setup = Setup::with(
        Method::ServiceAccountToken,
        "max_packet_size 100000\n",
        |settings| {
            settings["maxInflightMessages"] = json!(5);
            settings["sessionExpirySeconds"] = json!(100);
            settings["retain"] = json!("Never");
        },
    )
    .await;
    let mut asked = connect(V5, "app");
    asked.properties = properties([Property::SessionExpiryInterval(1_000)]);
    let (_app, answer) = Raw::connect(setup.sidecar.port, asked).await;
    assert!(!answer.session_present);
    for (id, value) in [
        (PropertyId::ReceiveMaximum, Some(5)),
        (PropertyId::SessionExpiryInterval, Some(100)),
        (PropertyId::MaximumPacketSize, Some(100_000)),
        (PropertyId::RetainAvailable, None),
        (PropertyId::MaximumQos, None),
        (PropertyId::TopicAliasMaximum, None),
        (PropertyId::ServerKeepAlive, None),
    ] {
        assert_eq!(answer.properties.int(id), value, "{id:?}");
    }
    for id in [
        PropertyId::AuthenticationMethod,
        PropertyId::AuthenticationData,
        PropertyId::AssignedClientIdentifier,
    ] {
        assert!(!answer.properties.has(id), "{id:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_unacknowledged_publishes_than_allowed_close_mqtt_5_and_hold_back_3_1_1() {
    let few = |settings: &mut serde_json::Value| settings["maxInflightMessages"] = json!(5);
    let setup = Setup::with(Method::Anonymous, "", few).await;
    let many: Vec<Packet> = (1..=50)
        .map(|id| Packet::Publish(publish("many", Qos::AtLeastOnce, id, &format!("{id}"))))
        .collect();
    let mut strict = client(&setup, V5, "strict").await;
    setup.broker.freeze();
    strict.send(&many).await;
    assert_eq!(
        disconnected(&mut strict).await,
        ReasonCode::RECEIVE_MAXIMUM_EXCEEDED
    );
    setup.broker.thaw();
    let before = setup.broker.published("many").len();
    assert!(before <= 5, "{before} went out");
    let mut patient = client(&setup, V311, "patient").await;
    patient.send(&many).await;
    for id in 1..=50 {
        assert_eq!(patient.next().await, puback(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn illegal_packets_close_their_client_with_the_reason_and_no_other() {
    let setup = Setup::new(Method::Anonymous).await;
    let mut neighbour = client(&setup, V5, "neighbour").await;
    let cases: [(&str, &[u8], ReasonCode); 6] = [
        ("packet type 0", b"\x00\x00", ReasonCode::MALFORMED_PACKET),
        (
            "QoS 3",
            b"\x36\x06\x00\x01t\x00\x01\x00",
            ReasonCode::MALFORMED_PACKET,
        ),
        (
            "a second CONNECT",
            b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00",
            ReasonCode::PROTOCOL_ERROR,
        ),
        (
            "a topic alias",
            b"\x30\x08\x00\x01t\x03\x23\x00\x01x",
            ReasonCode::TOPIC_ALIAS_INVALID,
        ),
        (
            "a wildcard topic",
            b"\x30\x05\x00\x01#\x00x",
            ReasonCode::TOPIC_NAME_INVALID,
        ),
        (
            "SUBSCRIBE without filters",
            b"\x82\x03\x00\x01\x00",
            ReasonCode::PROTOCOL_ERROR,
        ),
    ];
    for (what, bytes, reason) in cases {
        let mut app = client(&setup, V5, "app").await;
        app.send_bytes(bytes).await;
        assert_eq!(disconnected(&mut app).await, reason, "{what}");
    }
    assert_eq!(neighbour.until_ping().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_protocol_level_is_refused() {
    let setup = Setup::new(Method::Anonymous).await;
    for level in [b"\x00\x04MQTT\x06".as_slice(), b"\x00\x06MQIsdp\x03"] {
        let mut app = Raw::dial(setup.sidecar.port, V311).await;
        let mut bytes = vec![0x10, level.len() as u8 + 6];
        bytes.extend_from_slice(level);
        bytes.extend_from_slice(b"\x02\x00\x00\x00\x01a");
        app.send_bytes(&bytes).await;
        let Packet::ConnAck(answer) = app.next().await else {
            panic!("CONNACK expected");
        };
        assert_eq!(answer.code, ReasonCode(1));
        assert_eq!(app.next_or_end().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_that_the_broker_would_not_take_closes_its_client() {
    let setup = Setup::with(Method::Anonymous, "max_packet_size 1000\n", |_| ()).await;
    let mut app = client(&setup, V5, "app").await;
    let large = publish("large", Qos::AtLeastOnce, 1, &"x".repeat(2_000));
    app.send(&[Packet::Publish(large)]).await;
    assert_eq!(disconnected(&mut app).await, ReasonCode::PACKET_TOO_LARGE);
    assert_eq!(setup.broker.published("large").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_replaced_is_told() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let mut first = client(&setup, V5, "app").await;
    let mut second = client(&setup, V311, "app").await;
    assert_eq!(
        disconnected(&mut first).await,
        ReasonCode::SESSION_TAKEN_OVER
    );
    assert_eq!(second.until_ping().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_s_prefix_and_an_assigned_id_make_the_broker_s_client_id() {
    let prefix = |settings: &mut serde_json::Value| settings["clientIdPrefix"] = json!("fleet");
    let setup = Setup::with(Method::ServiceAccountToken, "", prefix).await;
    let _named = client(&setup, V311, "app").await;
    let (_unnamed, answer) = Raw::connect(setup.sidecar.port, connect(V5, "")).await;
    let assigned = answer
        .properties
        .text(PropertyId::AssignedClientIdentifier)
        .expect("an assigned id");
    assert_eq!(
        setup.broker.journal(),
        [
            "connect fleet-pod-1-app".to_owned(),
            format!("connect fleet-pod-1-{assigned}")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_authenticates_itself_is_answered_and_its_token_goes_nowhere() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let method = Property::AuthenticationMethod("K8S-SAT".into());
    let data = Property::AuthenticationData(Bytes::from_static(b"the.app.s-own"));
    let mut asked = connect(V5, "app");
    asked.properties = properties([method.clone(), data.clone()]);
    let (mut app, answer) = Raw::connect(setup.sidecar.port, asked).await;
    let echoed = answer.properties.text(PropertyId::AuthenticationMethod);
    assert_eq!(echoed.as_deref(), Some("K8S-SAT"));
    app.send(&[Packet::Auth(Auth {
        code: ReasonCode::REAUTHENTICATE,
        properties: properties([method, data]),
    })])
    .await;
    let Packet::Auth(renewed) = app.next().await else {
        panic!("AUTH expected");
    };
    assert_eq!(renewed.code, ReasonCode::SUCCESS);
    assert_eq!(setup.broker.journal(), ["connect app"]);
    assert!(!setup.sidecar.log().contains("the.app.s-own"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_tells_mqtt_5_clients() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    let mut app = client(&setup, V5, "app").await;
    let status = setup.sidecar.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        disconnected(&mut app).await,
        ReasonCode::SERVER_SHUTTING_DOWN
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_larger_than_what_is_kept_of_a_session_passes_both_ways() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let mut app = client(&setup, V5, "app").await;
    app.subscribe("echo", Qos::AtLeastOnce, Properties::default())
        .await;
    let payload = "x".repeat(raw::PACKET_SIZE_MAX - 100);
    app.send(&[Packet::Publish(publish(
        "echo",
        Qos::AtLeastOnce,
        1,
        &payload,
    ))])
    .await;
    let mut answers = [app.next().await, app.next().await];
    answers.sort_by_key(Packet::name);
    let [acknowledged, delivered] = answers;
    assert_eq!(acknowledged, puback(1));
    let Packet::Publish(delivered) = delivered else {
        panic!("PUBLISH expected");
    };
    assert!(delivered.payload == payload, "another payload came back");
}
