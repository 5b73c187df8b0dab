//! `docs/engine-rules.md`: broker lost, and back.

use super::*;

#[test]
fn the_client_stays_and_is_answered_while_the_broker_is_away() {
    let mut world = World::open(v311(), json!({}));
    world.broker_lost();
    assert_eq!(world.engine.phase(), Phase::Held);
    world.client(Packet::PingReq);
    assert_eq!(world.take_client(), [Packet::PingResp]);
    world.advance(Duration::from_secs(600));
    assert_eq!(world.engine.phase(), Phase::Held);
    assert!(!world.commanded(&Command::CloseClient));
}

#[test]
fn lost_codes_hold_and_every_other_code_is_the_clients() {
    for value in [
        0x00, 0x04, 0x80, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x97, 0x9F, 0xA0,
    ] {
        let mut world = World::open(v5(), json!({}));
        // A server may not send 0x00 and 0x04, so the codec is not asked.
        world.broker(disconnect(ReasonCode(value)));
        assert_eq!(world.engine.phase(), Phase::Held, "{value:#x}");
        assert!(world.commanded(&Command::CloseBroker));
        assert!(world.take_client().is_empty());
    }
    for value in [
        0x81, 0x82, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D,
        0x9E, 0xA1, 0xA2,
    ] {
        let mut world = World::open(v5(), json!({}));
        world.broker(disconnect(ReasonCode(value)));
        assert_eq!(world.take_client(), [disconnect(ReasonCode(value))]);
        assert!(world.ended());
    }
}

#[test]
fn session_present_resends_in_order_with_dup_and_the_same_ids() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.client(Packet::Subscribe(subscribe(2, &["a"], Qos::AtLeastOnce)));
    world.client(qos1(3));
    world.take_broker();
    world.broker_lost();
    world.client(qos1(4));
    world.come_back(true);
    assert_eq!(
        world.take_broker(),
        [
            dup(1),
            Packet::Subscribe(subscribe(2, &["a"], Qos::AtLeastOnce)),
            dup(3),
            qos1(4),
        ]
    );
    world.broker(puback(1));
    assert_eq!(world.take_client(), [puback(1)]);
}

#[test]
fn resends_stay_within_the_new_receive_maximum() {
    let mut world = World::open(v311(), json!({}));
    for id in 1..=4 {
        world.client(qos1(id));
    }
    world.broker_lost();
    world.wait_for_dial();
    world.dialled("t1");
    world.take_broker();
    world.broker(connack_with(true, vec![Property::ReceiveMaximum(2)]));
    assert_eq!(world.take_broker(), [dup(1), dup(2)]);
    world.broker(puback(1));
    assert_eq!(world.take_broker(), [dup(3)]);
}

#[test]
fn a_repeated_delivery_that_the_client_has_is_not_given_again() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(5));
    world.take_client();
    world.reconnect(true);
    world.take_broker();
    world.broker(dup(5));
    assert!(world.take_client().is_empty());
    world.client(puback(5));
    assert_eq!(world.take_broker(), [puback(5)]);
}

#[test]
fn an_ack_given_in_the_hold_waits_for_the_repeat() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(5));
    world.broker_lost();
    world.client(puback(5));
    world.come_back(true);
    assert!(world.take_broker().is_empty(), "never before the repeat");
    world.take_client();
    world.broker(dup(5));
    assert_eq!(world.take_broker(), [puback(5)]);
    assert!(world.take_client().is_empty());
}

#[test]
fn a_delivery_whose_ack_was_written_to_the_lost_connection_is_passed_on() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(5));
    world.client(puback(5));
    world.reconnect(true);
    world.forget();
    world.broker(dup(5));
    assert_eq!(world.take_client(), [dup(5)]);
}

#[test]
fn a_new_message_under_an_id_that_the_client_owes_waits_for_that_ack() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(5));
    world.reconnect(true);
    world.forget();
    world.broker(qos1(5));
    world.broker(qos1(6));
    assert!(
        world.take_client().is_empty(),
        "deliveries behind it wait too"
    );
    world.broker(Packet::Publish(publish(0, Qos::AtMostOnce)));
    assert_eq!(world.take_client().len(), 1, "QoS 0 passes");
    world.client(puback(5));
    assert!(world.take_broker().is_empty(), "the old ack goes nowhere");
    assert_eq!(world.take_client(), [qos1(5), qos1(6)]);
    world.client(puback(5));
    assert_eq!(world.take_broker(), [puback(5)]);
}

#[test]
fn session_gone_subscribes_a_clean_client_again_before_anything_else() {
    let mut world = World::open(v5(), json!({}));
    let filters: Vec<String> = (0..10).map(|n| format!("f/{n}")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    world.client(Packet::Subscribe(subscribe(1, &filters, Qos::ExactlyOnce)));
    world.broker(suback(1, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 0x80]));
    world.client(qos1(2));
    world.forget();
    world.broker_lost();
    world.client(qos1(3));
    world.come_back(false);
    assert_eq!(world.engine.phase(), Phase::Resuming);
    let first = world.take_broker();
    let Packet::Subscribe(again) = &first[0] else {
        panic!("a SUBSCRIBE")
    };
    assert_eq!(
        (first.len(), again.filters.len()),
        (1, 8),
        "one packet in flight, 8 filters"
    );
    assert_eq!(again.filters[0].qos, Qos::AtLeastOnce);
    assert!(
        ![2, 3].contains(&again.packet_id),
        "an id the client does not use"
    );
    world.client(qos1(4));
    assert!(world.take_broker().is_empty());
    world.broker(suback(again.packet_id, &[1; 8]));
    let second = world.take_broker();
    let Packet::Subscribe(rest) = &second[0] else {
        panic!("a SUBSCRIBE")
    };
    assert_eq!(
        rest.filters.len(),
        1,
        "a refused filter is not asked for again"
    );
    world.broker(suback(rest.packet_id, &[1]));
    assert_eq!(
        world.take_broker(),
        [qos1(2), qos1(3), qos1(4)],
        "as new: DUP 0"
    );
    assert!(world.take_client().is_empty());
}

#[test]
fn one_subscription_identifier_goes_in_one_packet() {
    let mut world = World::open(v5(), json!({}));
    for (packet_id, filter, identifier) in [(1, "a", 7), (2, "b", 7), (3, "c", 8)] {
        let properties = [Property::SubscriptionIdentifier(identifier)]
            .into_iter()
            .collect();
        let asked = Subscribe {
            properties,
            ..subscribe(packet_id, &[filter], Qos::AtMostOnce)
        };
        world.client(Packet::Subscribe(asked));
        world.broker(suback(packet_id, &[0]));
    }
    world.reconnect(false);
    let Packet::Subscribe(first) = world.take_broker().remove(0) else {
        panic!("a SUBSCRIBE")
    };
    assert_eq!(first.filters.len(), 2);
    world.broker(suback(first.packet_id, &[0, 0]));
    let Packet::Subscribe(second) = world.take_broker().remove(0) else {
        panic!("a SUBSCRIBE")
    };
    assert_eq!(
        second
            .properties
            .int(crate::packet::PropertyId::SubscriptionIdentifier),
        Some(8)
    );
}

#[test]
fn a_refused_resubscription_disconnects_the_client() {
    let mut world = World::open(v5(), json!({}));
    world.client(Packet::Subscribe(subscribe(1, &["a"], Qos::AtMostOnce)));
    world.broker(suback(1, &[0]));
    world.forget();
    world.reconnect(false);
    let Packet::Subscribe(again) = world.take_broker().remove(0) else {
        panic!("a SUBSCRIBE")
    };
    world.broker(suback(again.packet_id, &[0x87]));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::NOT_AUTHORIZED)]
    );
    assert!(world.ended());
}

#[test]
fn an_ack_for_a_delivery_of_a_session_that_is_gone_goes_nowhere() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(1));
    world.reconnect(false);
    world.forget();
    world.broker(qos1(1));
    assert!(
        world.take_client().is_empty(),
        "the client still owes an ack for this id"
    );
    world.client(puback(1));
    assert!(world.take_broker().is_empty());
    assert_eq!(world.take_client(), [qos1(1)]);
    world.client(puback(1));
    assert_eq!(world.take_broker(), [puback(1)]);
}

#[test]
fn deliveries_wait_at_the_clients_receive_maximum() {
    let properties = [Property::ReceiveMaximum(1)].into_iter().collect();
    let mut world = World::open(Connect { properties, ..v5() }, json!({}));
    world.broker(qos1(1));
    world.reconnect(false);
    world.forget();
    world.broker(qos1(2));
    assert!(world.take_client().is_empty());
    world.client(puback(1));
    assert_eq!(world.take_client(), [qos1(2)]);
}

#[test]
fn a_qos_2_delivery_of_an_older_session_goes_as_qos_1() {
    let mut world = World::open(v5(), json!({}));
    world.broker(Packet::Publish(publish(4, Qos::ExactlyOnce)));
    assert_eq!(world.take_client(), [qos1(4)]);
    world.client(puback(4));
    assert_eq!(
        world.take_broker(),
        [Packet::PubRec(Ack::new(4, ReasonCode::SUCCESS))]
    );
    world.broker(Packet::PubRel(Ack::new(4, ReasonCode::SUCCESS)));
    assert_eq!(
        world.take_broker(),
        [Packet::PubComp(Ack::new(4, ReasonCode::SUCCESS))]
    );
}

#[test]
fn session_gone_disconnects_a_persistent_client_after_ending_the_empty_session() {
    for client in [
        persistent(),
        Connect {
            clean_start: false,
            ..v311()
        },
    ] {
        let v5 = client.version == ProtocolVersion::V5;
        let mut world = World::open(client, json!({}));
        world.reconnect(false);
        assert_eq!(expiry(&world.take_broker()[0]), Some(0));
        let told = world.take_client();
        if v5 {
            let Packet::Disconnect(told) = &told[0] else {
                panic!("a DISCONNECT")
            };
            assert_eq!(told.code, ReasonCode::SERVER_SHUTTING_DOWN);
            let reason = told
                .properties
                .text(crate::packet::PropertyId::ReasonString);
            assert_eq!(reason.as_deref(), Some("broker session lost"));
        } else {
            assert!(told.is_empty());
        }
        assert!(world.commanded(&Command::CloseClient) && world.ended());
    }
}

#[test]
fn transient_refusals_are_tried_again_without_limit() {
    for value in [0x80, 0x83, 0x88, 0x89, 0x97, 0x9F] {
        let mut world = World::open(v5(), json!({}));
        world.broker_lost();
        for _ in 0..20 {
            world.wait_for_dial();
            world.dialled("t1");
            world.broker(refusal(ReasonCode(value)));
        }
        assert_eq!(world.engine.phase(), Phase::Held, "{value:#x}");
    }
}

#[test]
fn a_refused_credential_is_tried_for_5_minutes() {
    for value in [0x86, 0x87, 0x8C] {
        let mut world = World::open(v5(), json!({}));
        world.broker_lost();
        let mut waited = 0;
        while !world.ended() {
            world.wait_for_dial();
            world.dialled("t2");
            world.broker(refusal(ReasonCode(value)));
            world.advance(Duration::from_secs(30));
            waited += 30;
            assert!(waited < 600, "{value:#x} is tried for ever");
        }
        assert!(waited >= 300, "{value:#x} was given up after {waited} s");
        assert_eq!(
            world.take_client(),
            [disconnect(ReasonCode::NOT_AUTHORIZED)]
        );
    }
}

#[test]
fn any_other_refusal_is_passed_as_disconnect_can_say_it() {
    for (value, told) in [(0x9D, 0x9D), (0x84, 0x80), (0x85, 0x80), (0x8A, 0x80)] {
        let mut world = World::open(v5(), json!({}));
        world.broker_lost();
        world.wait_for_dial();
        world.dialled("t1");
        world.broker(refusal(ReasonCode(value)));
        assert_eq!(world.take_client(), [disconnect(ReasonCode(told))]);
        assert!(world.ended());
    }
}

#[test]
fn the_same_first_packet_on_three_closed_connections_is_poison() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.reconnect(true);
    world.reconnect(true);
    assert!(!world.ended());
    world.broker_lost();
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::UNSPECIFIED_ERROR)]
    );
    assert!(world.ended());
}

#[test]
fn a_connection_that_lived_5_s_is_no_poison() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    for _ in 0..6 {
        world.advance(Duration::from_secs(6));
        world.reconnect(true);
    }
    assert_eq!(world.engine.phase(), Phase::Open);
}

#[test]
fn the_first_redial_is_at_once_and_the_back_off_resets_after_60_s() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    assert!(world.commanded(&Command::Dial), "the first is at once");
    world.come_back(true);
    assert_eq!(world.engine.backoff().failures, 1);
    world.advance(Duration::from_secs(59));
    world.broker_lost();
    assert_eq!(world.engine.backoff().failures, 2);
    world.come_back(true);
    world.advance(Duration::from_secs(60));
    world.broker_lost();
    assert_eq!(world.engine.backoff().failures, 1);
}

#[test]
fn a_takeover_by_our_own_abandoned_dial_means_broker_lost() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.wait_for_dial();
    world.dialled("t1");
    world.advance(Duration::from_secs(10));
    assert!(
        world.commanded(&Command::CloseBroker),
        "CONNECT was never answered"
    );
    world.come_back(true);
    world.broker(disconnect(ReasonCode::SESSION_TAKEN_OVER));
    assert_eq!(world.engine.phase(), Phase::Held);
    world.come_back(true);
    world.broker(disconnect(ReasonCode::SESSION_TAKEN_OVER));
    assert!(world.ended(), "this one was answered");
}

#[test]
fn session_present_after_an_unanswered_connect_may_be_another_session() {
    for (connect, resubscribes) in [(v5(), true), (persistent(), false)] {
        let mut world = World::open(connect, json!({}));
        world.client(Packet::Subscribe(subscribe(9, &["t"], Qos::AtLeastOnce)));
        world.broker(suback(9, &[1]));
        world.broker(qos1(1));
        world.broker_lost();
        world.client(puback(1));
        // The broker, which forgot the session, made an empty one for this CONNECT.
        world.wait_for_dial();
        world.dialled("t1");
        world.broker_lost();
        world.forget();
        world.come_back(true);
        if resubscribes {
            let [Packet::Subscribe(again)] = &world.take_broker()[..] else {
                panic!("it must be subscribed again");
            };
            world.broker(suback(again.packet_id, &[1]));
        }
        world.forget();
        world.broker(dup(1));
        let given = world.take_client();
        assert!(matches!(&given[..], [Packet::Publish(_)]), "{given:?}");
        assert!(world.take_broker().is_empty(), "the client is asked first");
    }
}

#[test]
fn poison_is_told_by_the_brokers_last_code() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.reconnect(true);
    world.reconnect(true);
    world.broker(disconnect(ReasonCode::QUOTA_EXCEEDED));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::QUOTA_EXCEEDED)]
    );
    assert!(world.ended());
}
