//! `docs/engine-rules.md`: to the broker, and to the client.

use super::*;
use crate::packet::PropertyId;

fn told_broker(world: &mut World) -> Vec<(ReasonCode, u16)> {
    let ack = |packet| match packet {
        Packet::PubAck(ack) => Some((ack.code, ack.packet_id)),
        _ => None,
    };
    world.take_broker().into_iter().filter_map(ack).collect()
}

#[test]
fn a_publish_is_acknowledged_only_after_the_broker_with_its_code() {
    for (client, expected) in [(v5(), 0x10), (v311(), 0x00)] {
        let mut world = World::open(client, json!({}));
        world.client(qos1(7));
        assert_eq!(world.take_broker(), [qos1(7)]);
        assert!(world.take_client().is_empty());
        world.broker(Packet::PubAck(Ack::new(7, ReasonCode(0x10))));
        assert_eq!(
            world.take_client(),
            [Packet::PubAck(Ack::new(7, ReasonCode(expected)))]
        );
    }
}

#[test]
fn qos_2_goes_as_qos_1_and_is_received_after_the_brokers_ack() {
    let mut world = World::open(v5(), json!({}));
    world.client(Packet::Publish(publish(3, Qos::ExactlyOnce)));
    assert_eq!(world.take_broker(), [qos1(3)]);
    world.client(Packet::Publish(Publish {
        dup: true,
        ..publish(3, Qos::ExactlyOnce)
    }));
    assert!(
        world.take_broker().is_empty(),
        "an id in flight is not forwarded again"
    );
    world.broker(Packet::PubAck(Ack::new(3, ReasonCode(0x87))));
    world.client(Packet::PubRel(Ack::new(3, ReasonCode::SUCCESS)));
    world.client(Packet::PubRel(Ack::new(99, ReasonCode::SUCCESS)));
    assert_eq!(
        world.take_client(),
        [
            Packet::PubRec(Ack::new(3, ReasonCode(0x87))),
            Packet::PubComp(Ack::new(3, ReasonCode::SUCCESS)),
            Packet::PubComp(Ack::new(99, ReasonCode::SUCCESS)),
        ]
    );
}

#[test]
fn with_qos_0_the_ack_is_given_when_the_message_is_wholly_written() {
    let mut world = World::open(v5(), json!({"qos": 0}));
    let before = world.engine.link.bytes_total;
    world.client(qos1(1));
    let end = world.engine.link.bytes_total;
    let Packet::Publish(wire) = &world.take_broker()[0] else {
        panic!("a PUBLISH")
    };
    assert_eq!((wire.qos, wire.packet_id), (Qos::AtMostOnce, 0));
    world.step(|engine, now, out| engine.on_broker_written(end - 1, now, out));
    assert!(
        world.take_client().is_empty(),
        "{before}..{end} is not wholly written"
    );
    world.step(|engine, now, out| engine.on_broker_written(end, now, out));
    assert_eq!(world.take_client(), [puback(1)]);
}

#[test]
fn the_brokers_maximum_qos_lowers_and_is_not_told() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.broker(connack_with(false, vec![Property::MaximumQos(0)]));
    let Packet::ConnAck(connack) = &world.take_client()[0] else {
        panic!("a CONNACK")
    };
    assert!(!connack.properties.has(PropertyId::MaximumQos));
    world.take_broker();
    world.client(qos1(1));
    world.client(Packet::Subscribe(subscribe(2, &["a"], Qos::ExactlyOnce)));
    let sent = world.take_broker();
    assert!(matches!(&sent[0], Packet::Publish(wire) if wire.qos == Qos::AtMostOnce));
    assert_eq!(
        sent[1],
        Packet::Subscribe(subscribe(2, &["a"], Qos::AtMostOnce))
    );
}

#[test]
fn a_delivery_is_acknowledged_only_after_the_client() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(5));
    assert_eq!(world.take_client(), [qos1(5)]);
    assert!(world.take_broker().is_empty());
    world.client(Packet::PubAck(Ack::new(5, ReasonCode(0x97))));
    assert_eq!(told_broker(&mut world), [(ReasonCode(0x97), 5)]);
}

#[test]
fn acks_to_the_broker_are_in_the_order_of_its_deliveries() {
    let mut world = World::open(v5(), json!({}));
    for id in [4, 2, 9] {
        world.broker(qos1(id));
    }
    world.client(puback(9));
    world.client(puback(2));
    assert!(told_broker(&mut world).is_empty());
    world.client(puback(4));
    let order: Vec<u16> = told_broker(&mut world)
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    assert_eq!(order, [4, 2, 9]);
}

#[test]
fn retain_never_clears_the_flag_of_publishes_and_wills() {
    let mut world = World::new(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({"retain": "Never"}),
    );
    world.dialled("t1");
    assert!(!world.connect_read().will.expect("the will").retain);
    world.connack(false);
    world.take_broker();
    world.client(Packet::Publish(Publish {
        retain: true,
        ..publish(1, Qos::AtLeastOnce)
    }));
    assert_eq!(world.take_broker(), [qos1(1)]);
}

#[test]
fn retain_is_cleared_and_counted_for_3_1_1_where_the_broker_has_none() {
    let mut world = World::new(v311(), json!({}));
    world.dialled("t1");
    world.broker(connack_with(false, vec![Property::RetainAvailable(0)]));
    world.take_broker();
    world.client(Packet::Publish(Publish {
        retain: true,
        ..publish(1, Qos::AtLeastOnce)
    }));
    assert_eq!(world.take_broker(), [qos1(1)]);
    assert_eq!(world.refused(Refusal::RetainCleared), 1);
}

#[test]
fn a_publish_larger_than_the_broker_takes_closes_the_client() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.broker(connack_with(false, vec![Property::MaximumPacketSize(50)]));
    world.forget();
    let payload = Bytes::from(vec![0; 50]);
    world.client(Packet::Publish(Publish {
        payload,
        ..publish(1, Qos::AtLeastOnce)
    }));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::PACKET_TOO_LARGE)]
    );
    assert_eq!(world.refused(Refusal::TooLarge), 1);
}

#[test]
fn a_publish_that_cloud_events_would_push_over_the_limit_goes_unchanged() {
    let mut world = World::new(v5(), json!({"cloudEventAttributes": "CreateOrRemap"}));
    world.dialled("t1");
    world.broker(connack_with(false, vec![Property::MaximumPacketSize(60)]));
    world.forget();
    world.client(qos1(1));
    assert_eq!(world.take_broker(), [qos1(1)]);
    assert_eq!(world.refused(Refusal::CloudEventTooLarge), 1);
}

#[test]
fn cloud_events_are_filled_in_once_and_sent_again_identically() {
    let mut world = World::open(v311(), json!({"cloudEventAttributes": "CreateOrRemap"}));
    world.client(qos1(1));
    world.client(qos1(2));
    let first = world.take_broker();
    world.advance(Duration::from_secs(5));
    world.reconnect(true);
    let again = world.take_broker();
    let properties = |packet: &Packet| match packet {
        Packet::Publish(publish) => publish.properties.clone(),
        other => panic!("{other:?} is no PUBLISH"),
    };
    assert!(!properties(&first[0]).is_empty());
    assert_eq!(properties(&first[0]), properties(&again[0]));
    assert_eq!(properties(&first[1]), properties(&again[1]));
    assert_ne!(properties(&first[0]), properties(&first[1]), "ids differ");
}

#[test]
fn a_delivery_that_was_skipped_is_acknowledged_and_counted() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(1));
    world.step(|engine, now, out| {
        let skipped = Frame::Skipped {
            qos: Qos::AtLeastOnce,
            packet_id: 2,
        };
        engine.on_broker_frame(skipped, now, out);
    });
    assert!(
        told_broker(&mut world).is_empty(),
        "in the order of the deliveries"
    );
    world.client(puback(1));
    assert_eq!(
        told_broker(&mut world),
        [(ReasonCode::SUCCESS, 1), (ReasonCode::SUCCESS, 2)]
    );
    assert_eq!(world.refused(Refusal::TooLarge), 1);
}

fn expiring(packet_id: u16, seconds: u32) -> Packet {
    Packet::Publish(Publish {
        properties: [Property::MessageExpiryInterval(seconds)]
            .into_iter()
            .collect(),
        ..publish(packet_id, Qos::AtLeastOnce)
    })
}

#[test]
fn message_expiry_is_lowered_by_the_seconds_held() {
    let mut world = World::open(v5(), json!({}));
    world.client(expiring(9, 60));
    world.broker_lost();
    world.client(expiring(1, 60));
    world.client(expiring(2, 3));
    world.advance(Duration::from_millis(7_500));
    world.come_back(true);
    let Packet::Publish(repeated) = &world.take_broker()[0] else {
        panic!("a PUBLISH")
    };
    assert_eq!(
        repeated.properties.int(PropertyId::MessageExpiryInterval),
        Some(53)
    );
    assert_eq!(
        world.take_client(),
        [puback(2)],
        "it ran out before it was ever written"
    );
    assert_eq!(world.refused(Refusal::Expired), 1);
}

#[test]
fn a_publish_that_may_have_arrived_is_sent_again_with_at_least_1_s() {
    let mut world = World::open(v5(), json!({}));
    world.client(expiring(1, 2));
    world.take_broker();
    world.broker_lost();
    world.advance(Duration::from_secs(10));
    world.come_back(true);
    let Packet::Publish(repeated) = &world.take_broker()[0] else {
        panic!("a PUBLISH")
    };
    assert!(repeated.dup);
    assert_eq!(
        repeated.properties.int(PropertyId::MessageExpiryInterval),
        Some(1)
    );
}

#[test]
fn topic_aliases_are_refused_on_both_legs() {
    let aliased = |id| {
        let properties = [Property::TopicAlias(1)].into_iter().collect();
        Packet::Publish(Publish {
            properties,
            ..publish(id, Qos::AtLeastOnce)
        })
    };
    let mut world = World::open(v5(), json!({}));
    world.client(aliased(1));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::TOPIC_ALIAS_INVALID)]
    );
    let mut world = World::open(v5(), json!({}));
    world.broker(aliased(1));
    assert_eq!(
        world.take_broker(),
        [disconnect(ReasonCode::TOPIC_ALIAS_INVALID)]
    );
    assert!(world.commanded(&Command::CloseBroker));
    assert!(world.take_client().is_empty(), "the client sees nothing");
    assert_eq!(world.engine.phase(), Phase::Held);
}

#[test]
fn deliveries_of_granted_subscriptions_are_lowered_when_the_ceiling_is() {
    let mut world = World::open(v5(), json!({}));
    let lowered = settings(json!({"qos": 0}));
    world.step(|engine, now, out| engine.on_settings(lowered, now, out));
    world.broker(qos1(6));
    let given = world.take_client();
    assert!(matches!(&given[0], Packet::Publish(publish) if publish.qos == Qos::AtMostOnce));
    assert_eq!(told_broker(&mut world), [(ReasonCode::SUCCESS, 6)]);
}

#[test]
fn a_kept_publish_that_a_later_broker_does_not_take_closes_the_client() {
    for client in [v5(), v311()] {
        let told = (client.version == ProtocolVersion::V5)
            .then(|| disconnect(ReasonCode::PACKET_TOO_LARGE));
        let mut world = World::open(client, json!({}));
        world.broker_lost();
        world.client(Packet::Publish(Publish {
            payload: Bytes::from(vec![0; 50]),
            ..publish(1, Qos::AtLeastOnce)
        }));
        world.wait_for_dial();
        world.dialled("t1");
        world.broker(connack_with(true, vec![Property::MaximumPacketSize(50)]));
        assert_eq!(world.take_client(), Vec::from_iter(told));
        assert!(world.commanded(&Command::CloseClient));
    }
}

#[test]
fn a_will_is_lowered_to_the_ceiling_and_to_what_the_broker_takes() {
    for (ceiling, broker, left, published) in [(1, 1, 1, 1), (1, 0, 1, 0), (0, 1, 0, 0)] {
        let client = Connect {
            will: Some(will()),
            ..v5()
        };
        let mut world = World::new(client, json!({"qos": ceiling}));
        world.dialled("t1");
        let told = world.connect_read().will.expect("the will");
        assert_eq!(told.qos as u8, left);
        let limit = (broker == 0).then_some(Property::MaximumQos(0));
        world.broker(connack_with(false, limit.into_iter().collect()));
        world.forget();
        world.client_closes();
        let Packet::Publish(will) = world.take_broker().remove(0) else {
            panic!("the will")
        };
        assert_eq!(will.qos as u8, published);
    }
}

#[test]
fn a_will_that_the_broker_refuses_as_it_is_is_lowered_like_a_publish() {
    let qos = ReasonCode::QOS_NOT_SUPPORTED;
    let retain = ReasonCode::RETAIN_NOT_SUPPORTED;
    // A client of MQTT 5 is told of retained messages, and decides itself.
    for (version, code, lowered) in [
        (ProtocolVersion::V5, qos, Some((0, true))),
        (ProtocolVersion::V311, qos, Some((0, true))),
        (ProtocolVersion::V311, retain, Some((1, false))),
        (ProtocolVersion::V5, retain, None),
    ] {
        let client = Connect {
            will: Some(will()),
            ..connect(version)
        };
        let mut world = World::new(client, json!({}));
        world.wait_for_dial();
        world.dialled("t1");
        world.broker(refusal(code));
        let Some((qos, retain)) = lowered else {
            assert_eq!(world.take_client(), [refusal(code)]);
            continue;
        };
        assert!(world.take_client().is_empty(), "{version:?} {code}");
        world.wait_for_dial();
        world.dialled("t1");
        let will = world.connect_read().will.expect("the will");
        assert_eq!((will.qos as u8, will.retain), (qos, retain));
        let cleared = world.refused(Refusal::RetainCleared);
        assert_eq!(cleared, u64::from(!retain));
        world.broker(refusal(code));
        assert_eq!(world.take_client().len(), 1, "it is lowered once");
        assert!(world.ended());
    }
}
