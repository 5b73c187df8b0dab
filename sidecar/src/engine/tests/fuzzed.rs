//! What the fuzz target of the engine found, or was written to find (`sidecar/fuzz`).

use super::*;
use crate::packet::{PropertyId, UnsubAck, Unsubscribe};

/// A v5 client that takes no larger packets than this.
fn small(packet_size_max: u32) -> Connect {
    Connect {
        properties: [Property::MaximumPacketSize(packet_size_max)]
            .into_iter()
            .collect(),
        ..v5()
    }
}

/// A Reason String that alone is larger than the small client takes.
fn words() -> Property {
    Property::ReasonString("x".repeat(100).into())
}

#[test]
fn words_are_left_out_where_a_packet_would_be_too_large_for_the_client() {
    let mut world = World::new(small(40), json!({}));
    world.dialled("t1");
    world.broker(connack_with(false, vec![words()]));
    let told = world.take_client();
    let [Packet::ConnAck(connack)] = &told[..] else {
        panic!("CONNACK expected: {told:?}");
    };
    assert!(!connack.properties.has(PropertyId::ReasonString));
    world.client(qos1(1));
    let properties = [words()].into_iter().collect();
    let refused = Ack::new(1, ReasonCode::QUOTA_EXCEEDED);
    let ack = |properties| {
        Packet::PubAck(Ack {
            properties,
            ..refused.clone()
        })
    };
    world.broker(ack(properties));
    assert_eq!(world.take_client(), [ack(Properties::default())]);
}

#[test]
fn a_client_that_takes_no_connack_is_refused_and_its_will_is_taken_back() {
    let connect = Connect {
        will: Some(will()),
        ..small(10)
    };
    let mut world = World::new(connect, json!({}));
    world.dialled("t1");
    world.client(qos1(1));
    world.take_broker();
    world.connack(false);
    assert_eq!(world.take_client(), [refusal(ReasonCode::PACKET_TOO_LARGE)]);
    let left = world.take_broker();
    assert_eq!(left.len(), 1, "neither the will nor its publish: {left:?}");
    assert_eq!(code(&left[0]), ReasonCode::SUCCESS);
    assert!(world.ended());
}

#[test]
fn words_are_left_out_where_an_ack_would_be_too_large_for_the_broker() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.broker(connack_with(false, vec![Property::MaximumPacketSize(50)]));
    world.broker(qos1(1));
    world.forget();
    world.client(Packet::PubAck(Ack {
        properties: [words()].into_iter().collect(),
        ..Ack::new(1, ReasonCode::QUOTA_EXCEEDED)
    }));
    let expected = Ack::new(1, ReasonCode::QUOTA_EXCEEDED);
    assert_eq!(world.take_broker(), [Packet::PubAck(expected)]);
}

#[test]
fn resubscriptions_are_no_larger_than_the_broker_takes() {
    let limit = || vec![Property::MaximumPacketSize(64)];
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.broker(connack_with(false, limit()));
    let filters: Vec<String> = (0..5).map(|number| format!("{number:020}")).collect();
    for (filter, id) in filters.iter().zip(1..) {
        world.client(Packet::Subscribe(subscribe(
            id,
            &[filter],
            Qos::AtLeastOnce,
        )));
        world.broker(suback(id, &[1]));
    }
    world.broker_lost();
    world.wait_for_dial();
    world.dialled("t1");
    world.take_broker();
    world.broker(connack_with(false, limit()));
    let mut again = Vec::new();
    while let [Packet::Subscribe(it)] = &world.take_broker()[..] {
        let packet = Packet::Subscribe(it.clone());
        assert!(packet.encoded_len(ProtocolVersion::V5) <= 64, "{packet:?}");
        again.extend(it.filters.iter().map(|of| of.filter.to_string()));
        world.broker(suback(it.packet_id, &vec![1; it.filters.len()]));
    }
    assert_eq!(again, filters);
}

#[test]
fn a_resubscription_that_no_longer_fits_disconnects_the_client() {
    let mut world = World::open(v5(), json!({}));
    let filter = "x".repeat(100);
    world.client(Packet::Subscribe(subscribe(
        1,
        &[&filter],
        Qos::AtLeastOnce,
    )));
    world.broker(suback(1, &[1]));
    world.forget();
    world.broker_lost();
    world.wait_for_dial();
    world.dialled("t1");
    world.take_broker();
    world.broker(connack_with(false, vec![Property::MaximumPacketSize(64)]));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::PACKET_TOO_LARGE)]
    );
    assert!(world.ended());
}

#[test]
fn dials_for_a_client_that_left_before_the_brokers_refusal_end_too() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.wait_for_dial();
    world.client(qos1(1));
    world.dialled("t1");
    // It leaves while CONNACK is awaited, and the answer is no, for ever.
    world.client_closes();
    for _ in 0..120 {
        world.broker(refusal(ReasonCode::SERVER_BUSY));
        while !world.commanded(&Command::Dial) {
            if world.ended() {
                return;
            }
            world.advance(Duration::from_secs(1));
        }
        world.wait_for_dial();
        world.dialled("t1");
    }
    panic!(
        "a session without a client ends: {:?}",
        world.engine.phase()
    );
}

#[test]
fn an_unsuback_has_a_code_for_each_filter_whatever_the_broker_sent() {
    let mut world = World::open(v5(), json!({}));
    world.client(Packet::Unsubscribe(Unsubscribe {
        packet_id: 1,
        filters: vec!["a".into(), "b".into()],
        properties: Properties::default(),
    }));
    let unsuback = |codes| {
        Packet::UnsubAck(UnsubAck {
            packet_id: 1,
            codes,
            properties: Properties::default(),
        })
    };
    world.broker(unsuback(vec![ReasonCode::SUCCESS]));
    let expected = vec![ReasonCode::SUCCESS, ReasonCode::UNSPECIFIED_ERROR];
    assert_eq!(world.take_client(), [unsuback(expected)]);
}

#[test]
fn a_delivery_that_the_client_has_is_not_given_again_when_the_ceiling_was_lowered() {
    let mut world = World::open(persistent(), json!({}));
    world.broker(qos1(1));
    world.step(|engine, now, out| engine.on_settings(settings(json!({"qos": 0})), now, out));
    world.reconnect(true);
    world.forget();
    world.broker(dup(1));
    assert_eq!(world.take_client(), [], "it has it");
    assert_eq!(world.take_broker(), [], "and has not acknowledged it");
    world.client(puback(1));
    assert_eq!(world.take_broker(), [puback(1)]);
}

#[test]
fn a_late_ack_of_the_client_does_not_acknowledge_a_delivery_that_came_after_a_skipped_one() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(1));
    world.forget();
    // The broker uses the identifier again, first for a message that is too large, then for another.
    let skipped = Frame::Skipped {
        qos: Qos::AtLeastOnce,
        packet_id: 1,
    };
    world.step(|engine, now, out| engine.on_broker_frame(skipped, now, out));
    assert_eq!(world.take_broker(), [puback(1)]);
    world.broker(qos1(1));
    world.client(puback(1));
    assert_eq!(world.take_client(), [qos1(1)], "given after the first ack");
    assert_eq!(world.take_broker(), [], "which is none for it");
    world.client(puback(1));
    assert_eq!(world.take_broker(), [puback(1)]);
}

#[test]
fn a_delivery_before_connack_is_a_fault_also_when_it_was_skipped() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    let skipped = Frame::Skipped {
        qos: Qos::AtLeastOnce,
        packet_id: 8,
    };
    world.step(|engine, now, out| engine.on_broker_frame(skipped, now, out));
    assert!(world.commanded(&Command::CloseBroker));
}
