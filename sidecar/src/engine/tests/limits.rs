//! `docs/engine-rules.md`: flow, time limits and subscriptions.

use super::*;
use crate::packet::{DecodeError, PropertyId, UnsubAck, Unsubscribe};

#[test]
fn subscribe_is_lowered_to_the_ceiling_and_suback_is_the_brokers() {
    let mut world = World::open(v5(), json!({}));
    world.client(Packet::Subscribe(subscribe(
        1,
        &["a", "b"],
        Qos::ExactlyOnce,
    )));
    assert_eq!(
        world.take_broker(),
        [Packet::Subscribe(subscribe(
            1,
            &["a", "b"],
            Qos::AtLeastOnce
        ))]
    );
    world.broker(suback(1, &[1, 0x87]));
    assert_eq!(world.take_client(), [suback(1, &[1, 0x87])]);
}

#[test]
fn no_more_publishes_are_in_flight_than_the_broker_and_the_endpoint_allow() {
    for (broker, endpoint, expected) in [(2, 100, 2), (100, 3, 3)] {
        let mut world = World::new(v311(), json!({"maxInflightMessages": endpoint}));
        world.dialled("t1");
        world.broker(connack_with(false, vec![Property::ReceiveMaximum(broker)]));
        world.take_broker();
        for id in 1..=5 {
            world.client(qos1(id));
        }
        assert_eq!(world.take_broker().len(), expected);
        world.broker(puback(1));
        assert_eq!(world.take_broker(), [qos1(expected as u16 + 1)]);
    }
}

#[test]
fn a_v5_client_that_exceeds_its_receive_maximum_is_disconnected() {
    let mut world = World::open(v5(), json!({"maxInflightMessages": 2}));
    for id in 1..=3 {
        world.client(qos1(id));
    }
    let told = world.take_client();
    assert_eq!(told, [disconnect(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED)]);
    assert!(world.commanded(&Command::CloseClient));
}

#[test]
fn reading_stops_at_the_limit_of_kept_bytes_and_one_packet_always_fits() {
    let mut world = World::open(v311(), json!({"maxInflightMessages": 1}));
    let large = |packet_id| {
        let payload = Bytes::from(vec![0; 3 << 20]);
        Packet::Publish(Publish {
            payload,
            ..publish(packet_id, Qos::AtLeastOnce)
        })
    };
    world.client(large(1));
    assert!(world.engine.reads_client());
    world.client(large(2));
    assert!(!world.engine.reads_client());
    world.broker(puback(1));
    assert!(world.engine.reads_client());
}

#[test]
fn a_silent_client_is_disconnected_at_one_and_a_half_times_its_keep_alive() {
    let mut world = World::open(
        Connect {
            keep_alive_seconds: 10,
            ..v5()
        },
        json!({}),
    );
    world.advance(Duration::from_secs(14));
    world.client(Packet::PingReq);
    world.advance(Duration::from_secs(14));
    assert_eq!(world.take_client(), [Packet::PingResp]);
    world.advance(Duration::from_secs(2));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT)]
    );
}

#[test]
fn a_client_that_is_not_read_is_not_timed() {
    let mut world = World::open(
        Connect {
            keep_alive_seconds: 10,
            ..v5()
        },
        json!({"keepAliveSeconds": 0}),
    );
    world.step(|engine, now, _| engine.on_reading(false, true, now));
    world.advance(Duration::from_secs(60));
    assert!(world.take_client().is_empty());
    world.step(|engine, now, _| engine.on_reading(true, true, now));
    world.advance(Duration::from_secs(14));
    assert!(world.take_client().is_empty());
    world.advance(Duration::from_secs(30));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT)]
    );
}

#[test]
fn the_broker_is_pinged_in_silence_and_lost_without_an_answer() {
    let mut world = World::open(v5(), json!({"keepAliveSeconds": 20}));
    world.advance(Duration::from_secs(15));
    world.client(qos1(1));
    world.broker(puback(1));
    world.advance(Duration::from_secs(15));
    assert_eq!(
        world.take_broker(),
        [qos1(1)],
        "a publish with its answer is as good as a ping"
    );
    world.advance(Duration::from_secs(6));
    assert_eq!(world.take_broker(), [Packet::PingReq]);
    world.broker(Packet::PingResp);
    world.advance(Duration::from_secs(20));
    assert_eq!(world.take_broker(), [Packet::PingReq]);
    world.advance(Duration::from_secs(10));
    assert!(world.commanded(&Command::CloseBroker));
    assert_eq!(world.engine.phase(), Phase::Held);
}

#[test]
fn a_silent_broker_is_lost_though_the_client_goes_on_at_qos_0() {
    let mut world = World::open(v5(), json!({"keepAliveSeconds": 20}));
    for _ in 0..29 {
        world.advance(Duration::from_secs(1));
        world.client(Packet::Publish(publish(0, Qos::AtMostOnce)));
    }
    assert!(world.take_broker().contains(&Packet::PingReq));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.engine.phase(), Phase::Held);
}

#[test]
fn a_silent_broker_is_lost_10_s_after_the_first_unanswered_ping_though_others_followed() {
    let mut world = World::open(v5(), json!({"keepAliveSeconds": 1}));
    world.advance(Duration::from_secs(11));
    assert_eq!(world.engine.phase(), Phase::Held);
    assert!(world.commanded(&Command::CloseBroker));
    let mut world = World::open(v5(), json!({"keepAliveSeconds": 1}));
    for _ in 0..60 {
        world.advance(Duration::from_secs(1));
        world.broker(Packet::PingResp);
    }
    assert_eq!(world.engine.phase(), Phase::Open, "an answered ping counts");
}

#[test]
fn server_keep_alive_binds_the_sidecar_only() {
    let mut world = World::new(
        Connect {
            keep_alive_seconds: 100,
            ..v5()
        },
        json!({}),
    );
    world.dialled("t1");
    world.broker(connack_with(false, vec![Property::ServerKeepAlive(5)]));
    let Packet::ConnAck(connack) = &world.take_client()[0] else {
        panic!("a CONNACK")
    };
    assert!(!connack.properties.has(PropertyId::ServerKeepAlive));
    world.take_broker();
    world.advance(Duration::from_secs(6));
    assert_eq!(world.take_broker(), [Packet::PingReq]);
}

#[test]
fn more_than_1000_filters_get_quota_exceeded() {
    for (client, expected) in [(v5(), 0x97), (v311(), 0x80)] {
        let mut world = World::open(client, json!({}));
        let filters: Vec<String> = (0..1_000).map(|n| format!("f/{n}")).collect();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        world.client(Packet::Subscribe(subscribe(1, &filters, Qos::AtMostOnce)));
        world.broker(suback(1, &[0; 1_000]));
        world.forget();
        world.client(Packet::Subscribe(subscribe(
            2,
            &["one/more"],
            Qos::AtMostOnce,
        )));
        assert_eq!(world.take_client(), [suback(2, &[expected])]);
        assert!(world.take_broker().is_empty());
    }
}

#[test]
fn filters_the_broker_has_no_feature_for_are_refused_without_asking_in_3_1_1() {
    let mut world = World::new(v311(), json!({}));
    world.dialled("t1");
    world.broker(connack_with(
        false,
        vec![
            Property::WildcardSubscriptionAvailable(0),
            Property::SharedSubscriptionAvailable(0),
        ],
    ));
    world.forget();
    world.client(Packet::Subscribe(subscribe(
        1,
        &["a/#", "b", "$share/g/c"],
        Qos::AtMostOnce,
    )));
    assert_eq!(
        world.take_broker(),
        [Packet::Subscribe(subscribe(1, &["b"], Qos::AtMostOnce))]
    );
    world.broker(suback(1, &[0]));
    assert_eq!(world.take_client(), [suback(1, &[0x80, 0, 0x80])]);
    world.client(Packet::Subscribe(subscribe(2, &["+"], Qos::AtMostOnce)));
    assert_eq!(world.take_client(), [suback(2, &[0x80])]);
}

#[test]
fn unsubscribe_passes_through() {
    let mut world = World::open(v5(), json!({}));
    let unsubscribe = Packet::Unsubscribe(Unsubscribe {
        packet_id: 8,
        filters: vec!["a".into()],
        properties: Properties::default(),
    });
    world.client(unsubscribe.clone());
    assert_eq!(world.take_broker(), [unsubscribe]);
    let unsuback = Packet::UnsubAck(UnsubAck {
        packet_id: 8,
        codes: vec![ReasonCode(0x11)],
        properties: Properties::default(),
    });
    world.broker(unsuback.clone());
    assert_eq!(world.take_client(), [unsuback]);
}

#[test]
fn a_malformed_packet_closes_the_client_with_its_reason() {
    let mut world = World::open(v5(), json!({}));
    world.step(|engine, now, out| {
        let error = DecodeError {
            reason: ReasonCode::MALFORMED_PACKET,
            message: "test",
        };
        engine.on_client_error(&error, now, out);
    });
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::MALFORMED_PACKET)]
    );
    assert!(world.commanded(&Command::CloseClient));
}

#[test]
fn a_refusal_that_3_1_1_cannot_be_told_is_reported_once_a_minute() {
    let mut world = World::open(v311(), json!({"keepAliveSeconds": 0}));
    let reports = |world: &World| {
        let hidden =
            |command: &&Command| matches!(command, Command::Report(Event::RefusalHidden { .. }));
        world.commands.iter().filter(hidden).count()
    };
    for (id, wait, expected) in [(1, 0, 1), (2, 59, 1), (3, 1, 2)] {
        world.advance(Duration::from_secs(wait));
        world.client(qos1(id));
        world.broker(Packet::PubAck(Ack::new(id, ReasonCode(0x87))));
        assert_eq!(reports(&world), expected);
    }
    assert_eq!(world.refused(Refusal::Broker), 3);
    assert_eq!(world.take_client(), [puback(1), puback(2), puback(3)]);
}

#[test]
fn a_lower_receive_maximum_of_a_later_connection_makes_the_client_wait() {
    let mut world = World::open(v5(), json!({"maxInflightMessages": 4}));
    world.broker_lost();
    world.wait_for_dial();
    world.dialled("t1");
    world.take_broker();
    world.broker(connack_with(true, vec![Property::ReceiveMaximum(1)]));
    for id in 1..=4 {
        world.client(qos1(id));
    }
    assert_eq!(world.take_broker(), [qos1(1)]);
    assert!(world.take_client().is_empty(), "it was told 4");
}

#[test]
fn a_broker_that_is_not_read_is_not_timed() {
    let mut world = World::open(v5(), json!({"keepAliveSeconds": 20}));
    world.step(|engine, now, _| engine.on_reading(true, false, now));
    world.advance(Duration::from_secs(120));
    assert_eq!(world.engine.phase(), Phase::Open);
    world.step(|engine, now, _| engine.on_reading(true, true, now));
    world.advance(Duration::from_secs(60));
    assert_eq!(world.engine.phase(), Phase::Held);
}

#[test]
fn a_3_1_1_client_is_told_every_refused_filter_by_0x80() {
    let mut world = World::open(v311(), json!({}));
    let filters = ["a", "b", "c"];
    world.client(Packet::Subscribe(subscribe(1, &filters, Qos::AtLeastOnce)));
    world.broker(suback(1, &[1, 0x87, 0x97]));
    assert_eq!(world.take_client(), [suback(1, &[1, 0x80, 0x80])]);
}

#[test]
fn the_lesser_keep_alive_of_endpoint_and_broker_holds_and_0_is_none() {
    for (endpoint, broker, expected) in [
        (20, Some(5), 5),
        (5, Some(20), 5),
        (5, Some(0), 5),
        (0, Some(5), 5),
        (5, None, 5),
    ] {
        let mut world = World::new(v5(), json!({"keepAliveSeconds": endpoint}));
        world.dialled("t1");
        let told = broker.map(Property::ServerKeepAlive);
        world.broker(connack_with(false, told.into_iter().collect()));
        world.forget();
        world.advance(Duration::from_secs(expected) - Duration::from_millis(1));
        assert!(world.take_broker().is_empty(), "{endpoint} {broker:?}");
        world.advance(Duration::from_millis(1));
        assert_eq!(
            world.take_broker(),
            [Packet::PingReq],
            "{endpoint} {broker:?}"
        );
    }
}
