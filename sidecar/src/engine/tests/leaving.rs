//! `docs/engine-rules.md`: leaving.

use super::*;
use crate::packet::PropertyId;

fn goodbye() -> Packet {
    disconnect(ReasonCode::SUCCESS)
}

#[test]
fn goodbye_of_a_clean_client_ends_its_broker_session() {
    let mut world = World::open(v5(), json!({}));
    world.client(goodbye());
    let told = world.take_broker();
    assert_eq!(
        (code(&told[0]), expiry(&told[0])),
        (ReasonCode::SUCCESS, Some(0))
    );
    assert!(world.commanded(&Command::CloseBroker) && world.ended());
}

#[test]
fn leaving_carries_the_lesser_of_asked_and_granted_expiry() {
    for (granted, expected) in [(None, Some(600)), (Some(300), None), (Some(600), None)] {
        let mut world = World::new(persistent(), json!({}));
        world.dialled("t1");
        let properties = granted
            .map(Property::SessionExpiryInterval)
            .into_iter()
            .collect();
        world.broker(connack_with(false, properties));
        world.forget();
        world.client(goodbye());
        assert_eq!(
            expiry(&world.take_broker()[0]),
            expected,
            "granted {granted:?}"
        );
    }
}

#[test]
fn a_3_1_1_client_without_clean_session_keeps_the_endpoints_expiry() {
    let client = Connect {
        clean_start: false,
        ..v311()
    };
    let mut world = World::open(client, json!({"sessionExpirySeconds": 77}));
    world.client(goodbye());
    assert_eq!(expiry(&world.take_broker()[0]), None, "77 s are in force");
}

#[test]
fn a_disconnect_that_raises_the_expiry_from_0_is_a_protocol_error() {
    let mut world = World::open(v5(), json!({}));
    let properties = [Property::SessionExpiryInterval(5)].into_iter().collect();
    world.client(Packet::Disconnect(Disconnect {
        code: ReasonCode::SUCCESS,
        properties,
    }));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::PROTOCOL_ERROR)]
    );
}

#[test]
fn the_last_expiry_of_the_client_counts() {
    let mut world = World::open(persistent(), json!({}));
    let properties = [Property::SessionExpiryInterval(9)].into_iter().collect();
    world.client(Packet::Disconnect(Disconnect {
        code: ReasonCode::SUCCESS,
        properties,
    }));
    assert_eq!(expiry(&world.take_broker()[0]), Some(9));
}

#[test]
fn acks_are_awaited_for_5_s_after_the_client_left() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.client(goodbye());
    assert_eq!(world.take_broker(), [qos1(1)], "not left before the ack");
    world.broker(puback(1));
    assert_eq!(code(&world.take_broker()[0]), ReasonCode::SUCCESS);
    assert!(world.ended());

    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.client(goodbye());
    world.advance(Duration::from_secs(5));
    assert!(world.ended());
    assert_eq!(world.refused(Refusal::ClientGone), 1);
}

#[test]
fn what_waited_is_still_sent_after_the_client_left() {
    let mut world = World::open(v311(), json!({"maxInflightMessages": 1}));
    world.client(qos1(1));
    world.client(qos1(2));
    world.client_closes();
    world.broker(puback(1));
    assert_eq!(world.take_broker(), [qos1(1), qos1(2)]);
    world.broker(puback(2));
    assert!(world.ended());
}

#[test]
fn the_will_of_a_client_that_vanished_is_published_by_the_sidecar() {
    let mut world = World::open(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({}),
    );
    world.client_closes();
    let sent = world.take_broker();
    let Packet::Publish(published) = &sent[0] else {
        panic!("a PUBLISH")
    };
    assert_eq!(
        (&*published.topic, published.qos, published.retain),
        ("will", Qos::AtLeastOnce, true)
    );
    assert!(!published.properties.has(PropertyId::WillDelayInterval));
    assert_eq!(sent.len(), 1, "its ack is awaited");
    world.broker(puback(published.packet_id));
    assert_eq!(code(&world.take_broker()[0]), ReasonCode::SUCCESS);
    assert!(world.ended());
}

#[test]
fn a_will_that_its_client_delays_is_left_to_the_broker() {
    let delayed = Will {
        properties: [Property::WillDelayInterval(100)].into_iter().collect(),
        ..will()
    };
    let client = Connect {
        will: Some(delayed),
        ..persistent()
    };
    let mut world = World::new(client, json!({}));
    world.dialled("t1");
    let sent = world.connect_read().will.expect("the will");
    assert_eq!(
        sent.properties.int(PropertyId::WillDelayInterval),
        Some(100)
    );
    world.connack(false);
    world.forget();
    world.client_closes();
    let told = world.take_broker();
    assert_eq!(code(&told[0]), ReasonCode::DISCONNECT_WITH_WILL);
    assert_eq!(expiry(&told[0]), Some(600));
}

#[test]
fn goodbye_publishes_no_will() {
    let mut world = World::open(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({}),
    );
    world.client(goodbye());
    assert_eq!(code(&world.take_broker()[0]), ReasonCode::SUCCESS);
}

#[test]
fn disconnect_with_will_counts_as_vanished() {
    let mut world = World::open(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({}),
    );
    world.client(disconnect(ReasonCode::DISCONNECT_WITH_WILL));
    assert!(matches!(&world.take_broker()[0], Packet::Publish(will) if &*will.topic == "will"));
}

#[test]
fn a_client_that_left_in_the_hold_with_nothing_kept_ends_at_once() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.client_closes();
    assert!(world.commanded(&Command::AbandonDial) && world.ended());
}

#[test]
fn what_a_client_left_in_the_hold_is_sent_when_the_broker_is_back() {
    for session_present in [true, false] {
        let mut world = World::open(v5(), json!({}));
        world.broker_lost();
        world.client(qos1(1));
        world.client(goodbye());
        assert_eq!(world.engine.phase(), Phase::Leaving);
        world.come_back(session_present);
        assert_eq!(world.take_broker(), [qos1(1)]);
        world.broker(puback(1));
        assert_eq!(expiry(&world.take_broker()[0]), Some(0));
        assert!(world.ended());
    }
}

#[test]
fn dials_for_a_client_that_left_end_after_60_s_and_the_rest_is_counted() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.client(qos1(1));
    world.client(goodbye());
    world.advance(Duration::from_secs(59));
    assert!(!world.ended());
    world.advance(Duration::from_secs(1));
    assert!(world.ended());
    assert_eq!(world.refused(Refusal::ClientGone), 1);
}

#[test]
fn a_will_in_the_hold_is_taken_back_or_published() {
    let mut world = World::open(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({}),
    );
    world.broker_lost();
    world.client(goodbye());
    world.wait_for_dial();
    world.dialled("t1");
    assert_eq!(world.connect_read().will, None, "it is not left again");
    world.take_broker();
    world.connack(true);
    assert_eq!(code(&world.take_broker()[0]), ReasonCode::SUCCESS);
    assert!(world.ended());

    let mut world = World::open(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({}),
    );
    world.broker_lost();
    world.client_closes();
    world.come_back(true);
    assert!(matches!(&world.take_broker()[0], Packet::Publish(will) if &*will.topic == "will"));
}

#[test]
fn a_new_connect_with_the_id_ends_the_wait() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.client(qos1(1));
    world.client(goodbye());
    world.step(|engine, now, out| engine.on_replaced(now, out));
    assert!(world.ended());
    assert_eq!(world.refused(Refusal::ClientGone), 1);
}

#[test]
fn a_replaced_client_is_told_and_counts_as_vanished() {
    let mut world = World::open(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({}),
    );
    world.step(|engine, now, out| engine.on_replaced(now, out));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::SESSION_TAKEN_OVER)]
    );
    assert!(matches!(&world.take_broker()[0], Packet::Publish(will) if &*will.topic == "will"));
    assert!(!world.ended());
}

#[test]
fn a_session_that_the_client_was_not_told_to_be_new_does_not_outlive_it() {
    let mut world = World::open(persistent(), json!({}));
    world.broker_lost();
    world.client(qos1(1));
    world.client(goodbye());
    world.come_back(false);
    world.broker(puback(1));
    let told = world.take_broker();
    assert_eq!(expiry(&told[1]), Some(0));
}

#[test]
fn shutdown_with_nothing_kept_disconnects_both_at_once() {
    let mut world = World::open(persistent(), json!({}));
    world.step(|engine, now, out| engine.on_shutdown(now, out));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::SERVER_SHUTTING_DOWN)]
    );
    let told = world.take_broker();
    assert_eq!(
        (code(&told[0]), expiry(&told[0])),
        (ReasonCode::SUCCESS, Some(600))
    );
    assert!(world.ended());
}

#[test]
fn shutdown_waits_1_s_for_acks() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.step(|engine, now, out| engine.on_shutdown(now, out));
    assert!(!world.engine.reads_client());
    world.broker(puback(1));
    assert_eq!(
        world.take_client(),
        [puback(1), disconnect(ReasonCode::SERVER_SHUTTING_DOWN)]
    );
    assert!(world.ended());

    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.step(|engine, now, out| engine.on_shutdown(now, out));
    world.advance(Duration::from_secs(1));
    assert!(world.ended());
}

#[test]
fn shutdown_leaves_a_will_to_the_broker_with_its_expiry_unchanged() {
    let mut world = World::open(
        Connect {
            will: Some(will()),
            ..v5()
        },
        json!({}),
    );
    world.step(|engine, now, out| engine.on_shutdown(now, out));
    let told = world.take_broker();
    assert_eq!(
        (code(&told[0]), expiry(&told[0])),
        (ReasonCode::DISCONNECT_WITH_WILL, None)
    );
}

#[test]
fn shutdown_in_the_hold_disconnects_the_client() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.step(|engine, now, out| engine.on_shutdown(now, out));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::SERVER_SHUTTING_DOWN)]
    );
    assert!(world.ended());
}

#[test]
fn a_client_that_is_replaced_in_the_hold_makes_room_at_once() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.client(qos1(1));
    world.step(|engine, now, out| engine.on_replaced(now, out));
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::SESSION_TAKEN_OVER)]
    );
    assert!(world.ended());
    assert_eq!(world.refused(Refusal::ClientGone), 1);
}

#[test]
fn a_will_has_cloud_events_attributes_only_when_the_sidecar_publishes_it() {
    let client = Connect {
        will: Some(will()),
        ..v5()
    };
    let mut world = World::new(client, json!({"cloudEventAttributes": "CreateOrRemap"}));
    world.dialled("t1");
    let left = world.connect_read().will.expect("the will");
    assert_eq!(left.properties.user_properties().count(), 0);
    world.connack(false);
    world.forget();
    world.client_closes();
    let Packet::Publish(published) = world.take_broker().remove(0) else {
        panic!("the will")
    };
    assert!(published.properties.user_properties().count() > 0);
}

/// A session with a will that is between two connections of a planned reconnect.
fn between_connections(client: Connect) -> World {
    let mut world = World::open(client, json!({}));
    world.step(|engine, now, out| engine.on_files(now, out));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.engine.phase(), Phase::Draining);
    world.forget();
    world
}

#[test]
fn a_delayed_will_that_a_planned_reconnect_took_back_is_left_again() {
    for end_of_stream in [true, false] {
        let mut world = between_connections(Connect {
            will: Some(Will {
                properties: [Property::WillDelayInterval(100)].into_iter().collect(),
                ..will()
            }),
            ..persistent()
        });
        if end_of_stream {
            world.client_closes();
            world.broker_lost();
        } else {
            world.broker_lost();
            world.client_closes();
        }
        world.wait_for_dial();
        world.dialled("t1");
        assert!(world.connect_read().will.is_some());
        world.take_broker();
        world.connack(true);
        let told = world.take_broker();
        assert_eq!(code(&told[0]), ReasonCode::DISCONNECT_WITH_WILL);
        assert_eq!(expiry(&told[0]), Some(600));
        assert!(world.ended());
    }
}

#[test]
fn a_client_that_leaves_between_two_connections_has_its_will_published_and_nothing_more_to_take_back()
 {
    let client = Connect {
        will: Some(will()),
        ..v5()
    };
    let mut vanished = between_connections(client.clone());
    vanished.client_closes();
    vanished.broker_lost();
    vanished.come_back(true);
    assert!(matches!(&vanished.take_broker()[0], Packet::Publish(will) if &*will.topic == "will"));
    let mut polite = between_connections(client);
    polite.client(goodbye());
    polite.broker_lost();
    assert!(polite.ended(), "the will was taken back already");
}

#[test]
fn a_client_that_leaves_while_draining_has_its_acks_awaited() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.step(|engine, now, out| engine.on_files(now, out));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.engine.phase(), Phase::Draining);
    world.forget();
    world.client_closes();
    assert!(world.take_broker().is_empty());
    world.broker(puback(1));
    let told = world.take_broker();
    assert_eq!(
        (code(&told[0]), expiry(&told[0])),
        (ReasonCode::SUCCESS, Some(0))
    );
    assert!(world.ended());
}
