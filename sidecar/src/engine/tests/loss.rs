//! `docs/engine-rules.md`: the broker is lost in the middle of every exchange.

use super::*;
use crate::packet::{Auth, UnsubAck, Unsubscribe};

fn qos2(packet_id: u16) -> Packet {
    Packet::Publish(publish(packet_id, Qos::ExactlyOnce))
}

fn plain(packet_id: u16) -> Ack {
    Ack::new(packet_id, ReasonCode::SUCCESS)
}

fn subscribed(filters: &[&str]) -> World {
    let mut world = World::open(v5(), json!({}));
    for (index, filter) in filters.iter().enumerate() {
        let packet_id = index as u16 + 1;
        world.client(Packet::Subscribe(subscribe(
            packet_id,
            &[filter],
            Qos::AtLeastOnce,
        )));
        world.broker(suback(packet_id, &[1]));
    }
    world.forget();
    world
}

/// The one SUBSCRIBE that the broker read: its id and its filters.
fn subscribe_read(world: &mut World) -> (u16, Vec<String>) {
    let read = world.take_broker();
    let [Packet::Subscribe(subscribe)] = &read[..] else {
        panic!("one SUBSCRIBE expected: {read:?}")
    };
    let filters = subscribe.filters.iter();
    let filters = filters.map(|one| one.filter.to_string()).collect();
    (subscribe.packet_id, filters)
}

#[test]
fn a_connect_that_is_lost_is_dialled_again_and_the_client_sees_nothing() {
    let auth = || {
        let method = Property::AuthenticationMethod("K8S-SAT".into());
        Packet::Auth(Auth {
            code: ReasonCode::CONTINUE_AUTHENTICATION,
            properties: [method].into_iter().collect(),
        })
    };
    for opened in [false, true] {
        for step in ["dial", "CONNECT", "AUTH", "AUTH answered"] {
            let mut world = World::new(v5(), json!({}));
            if opened {
                world.wait_for_dial();
                world.dialled("t1");
                world.connack(false);
                world.broker_lost();
                world.take_client();
            }
            world.wait_for_dial();
            if step == "dial" {
                let message = "refused".into();
                world.step(|engine, now, out| {
                    engine.on_dial_failed(DialError { message }, now, out)
                });
            } else {
                world.dialled("t1");
                if step.starts_with("AUTH") {
                    world.broker(auth());
                }
                if step == "AUTH answered" {
                    world.advance(Duration::from_secs(1));
                }
                world.broker_lost();
            }
            assert!(world.take_client().is_empty(), "{step}");
            world.come_back(opened);
            assert_eq!(world.engine.phase(), Phase::Open, "{step}");
            assert_eq!(world.take_client().len(), usize::from(!opened));
        }
    }
}

#[test]
fn qos_2_to_the_broker_survives_a_loss_at_each_step() {
    for session_present in [true, false] {
        // Before the broker's acknowledgement.
        let mut world = World::open(v5(), json!({}));
        world.client(qos2(7));
        world.broker_lost();
        world.client(Packet::Publish(Publish {
            dup: true,
            ..publish(7, Qos::ExactlyOnce)
        }));
        world.come_back(session_present);
        let again = if session_present { dup(7) } else { qos1(7) };
        assert_eq!(world.take_broker(), [again]);
        world.take_client();
        world.broker(puback(7));
        assert_eq!(world.take_client(), [Packet::PubRec(plain(7))]);
        // Between PUBREC and PUBREL, and in the hold.
        world.broker_lost();
        world.client(Packet::PubRel(plain(7)));
        assert_eq!(world.take_client(), [Packet::PubComp(plain(7))]);
        world.come_back(session_present);
        assert!(world.take_broker().is_empty(), "nothing is left to send");
        // After PUBCOMP the id is a new message's.
        world.client(qos2(7));
        assert_eq!(world.take_broker(), [qos1(7)]);
    }
}

#[test]
fn a_qos_2_delivery_survives_a_loss_before_pubrec() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos2(4));
    world.reconnect(true);
    world.forget();
    world.broker(Packet::Publish(Publish {
        dup: true,
        ..publish(4, Qos::ExactlyOnce)
    }));
    assert!(world.take_client().is_empty(), "the client has it");
    world.client(puback(4));
    assert_eq!(world.take_broker(), [Packet::PubRec(plain(4))]);
}

#[test]
fn a_qos_2_delivery_survives_a_loss_after_pubrec() {
    let open = || {
        let mut world = World::open(v5(), json!({}));
        world.broker(qos2(4));
        world.client(puback(4));
        assert_eq!(world.take_broker(), [Packet::PubRec(plain(4))]);
        world.reconnect(true);
        world.forget();
        world
    };
    // The broker has PUBREC: it goes on with PUBREL, once or after another loss again.
    let mut world = open();
    for _ in 0..2 {
        world.broker(Packet::PubRel(plain(4)));
        assert_eq!(world.take_broker(), [Packet::PubComp(plain(4))]);
        assert!(world.take_client().is_empty());
        world.reconnect(true);
        world.forget();
    }
    // It has not: the message comes again, at least once.
    let mut world = open();
    world.broker(Packet::Publish(Publish {
        dup: true,
        ..publish(4, Qos::ExactlyOnce)
    }));
    assert_eq!(world.take_client(), [dup(4)]);
    world.client(puback(4));
    assert_eq!(world.take_broker(), [Packet::PubRec(plain(4))]);
}

#[test]
fn a_subscribe_that_was_lost_is_sent_again_behind_what_was_confirmed() {
    let asked = || Packet::Subscribe(subscribe(9, &["new"], Qos::AtLeastOnce));
    for session_present in [true, false] {
        let mut world = subscribed(&["old"]);
        world.client(asked());
        world.client(qos1(10));
        world.reconnect(session_present);
        if !session_present {
            let (packet_id, filters) = subscribe_read(&mut world);
            assert_eq!(filters, ["old"]);
            assert!(![9, 10].contains(&packet_id));
            world.broker(suback(packet_id, &[1]));
            assert!(world.take_client().is_empty(), "that SUBACK is our own");
        }
        let again = world.take_broker();
        assert_eq!(again[0], asked());
        world.broker(suback(9, &[1]));
        assert_eq!(world.take_client(), [suback(9, &[1])]);
        world.broker(puback(10));
        world.reconnect(false);
        assert_eq!(subscribe_read(&mut world).1, ["old", "new"]);
    }
}

#[test]
fn a_subscribe_of_a_persistent_client_is_lost_with_its_session_and_the_client_is_told() {
    let mut world = World::open(persistent(), json!({}));
    world.client(Packet::Subscribe(subscribe(9, &["a"], Qos::AtMostOnce)));
    world.reconnect(false);
    assert_eq!(
        code(&world.take_client()[0]),
        ReasonCode::SERVER_SHUTTING_DOWN
    );
    let told = world.take_broker();
    assert_eq!((told.len(), expiry(&told[0])), (1, Some(0)));
}

#[test]
fn an_unsubscribe_that_was_lost_is_sent_again_and_holds_after_a_session_that_is_gone() {
    let asked = || {
        Packet::Unsubscribe(Unsubscribe {
            packet_id: 9,
            filters: vec!["a".into()],
            properties: Properties::default(),
        })
    };
    // The broker may have taken it before: then there is nothing more to unsubscribe.
    for (session_present, answer) in [(true, 0x00), (true, 0x11), (false, 0x00)] {
        let mut world = subscribed(&["a", "b"]);
        world.client(asked());
        world.reconnect(session_present);
        if !session_present {
            let (packet_id, filters) = subscribe_read(&mut world);
            assert_eq!(filters, ["a", "b"], "it was never confirmed to be gone");
            world.broker(suback(packet_id, &[1, 1]));
        }
        assert_eq!(world.take_broker(), [asked()]);
        let unsuback = Packet::UnsubAck(UnsubAck {
            packet_id: 9,
            codes: vec![ReasonCode(answer)],
            properties: Properties::default(),
        });
        world.broker(unsuback.clone());
        assert_eq!(world.take_client(), [unsuback]);
        world.reconnect(false);
        assert_eq!(subscribe_read(&mut world).1, ["b"]);
    }
}

#[test]
fn a_loss_while_filters_are_subscribed_again_begins_again_though_the_session_is_there() {
    let names: Vec<String> = (0..10).map(|n| format!("f/{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for confirmed in [false, true] {
        let mut world = subscribed(&names);
        world.client(qos1(20));
        world.reconnect(false);
        let (packet_id, filters) = subscribe_read(&mut world);
        assert_eq!(filters, names[..8]);
        if confirmed {
            world.broker(suback(packet_id, &[1; 8]));
            world.take_broker();
        }
        // A delivery of the new session, which the client has.
        world.broker(qos1(5));
        world.take_client();
        world.reconnect(true);
        let (packet_id, filters) = subscribe_read(&mut world);
        assert_eq!(filters, names[..8], "the broker keeps only a part");
        world.broker(dup(5));
        assert!(world.take_client().is_empty(), "it is the same session");
        world.broker(suback(packet_id, &[1; 8]));
        let (packet_id, filters) = subscribe_read(&mut world);
        assert_eq!(filters, names[8..]);
        world.broker(suback(packet_id, &[1; 2]));
        assert_eq!(world.take_broker(), [qos1(20)]);
        world.reconnect(true);
        assert_eq!(world.take_broker(), [dup(20)], "now it is whole");
    }
}

#[test]
fn a_loss_at_each_step_of_a_re_authentication_is_a_loss_that_blames_auth_once_the_token_connects() {
    for step in ["0x19 sent", "0x18 read", "0x18 sent", "newer token"] {
        let mut world = World::open(v5(), json!({}));
        world.client(qos1(1));
        world.step(|engine, now, out| engine.on_credential(token("t2"), now, out));
        if step != "0x19 sent" {
            let method = Property::AuthenticationMethod("K8S-SAT".into());
            world.broker(Packet::Auth(Auth {
                code: ReasonCode::CONTINUE_AUTHENTICATION,
                properties: [method].into_iter().collect(),
            }));
        }
        if step == "newer token" {
            world.step(|engine, now, out| engine.on_credential(token("t3"), now, out));
        }
        if step != "0x19 sent" && step != "0x18 read" {
            world.advance(Duration::from_secs(1));
        }
        world.broker_lost();
        assert_eq!(world.engine.phase(), Phase::Held, "{step}");
        assert!(world.take_client().is_empty(), "{step}");
        world.wait_for_dial();
        world.dialled(if step == "newer token" { "t3" } else { "t2" });
        world.take_broker();
        world.connack(true);
        assert_eq!(world.take_broker(), [dup(1)], "{step}");
        assert!(world.commanded(&Command::ReauthenticationFailed), "{step}");
        world.advance(Duration::from_secs(40));
        assert_eq!(
            world.engine.phase(),
            Phase::Open,
            "its timers ended: {step}"
        );
    }
}

#[test]
fn a_loss_while_draining_is_made_good_at_once() {
    for after_disconnect in [false, true] {
        let mut world = World::open(v5(), json!({"keepAliveSeconds": 0}));
        world.client(qos1(1));
        world.broker(qos1(6));
        world.step(|engine, now, out| engine.on_files(now, out));
        world.advance(Duration::from_secs(1));
        assert_eq!(world.engine.phase(), Phase::Draining);
        if after_disconnect {
            world.advance(Duration::from_secs(5));
        }
        world.forget();
        world.reconnect(true);
        assert_eq!(world.engine.phase(), Phase::Open);
        assert!(world.engine.reads_client());
        assert_eq!(world.take_broker(), [dup(1)]);
        world.broker(dup(6));
        assert!(world.take_client().is_empty(), "the client has it");
    }
}

#[test]
fn a_loss_while_leaving_sends_the_rest_and_the_will_again() {
    let client = Connect {
        will: Some(will()),
        ..v5()
    };
    let mut world = World::open(client, json!({}));
    world.client(qos1(1));
    world.client_closes();
    let Packet::Publish(will) = world.take_broker().remove(1) else {
        panic!("the will")
    };
    world.broker_lost();
    assert_eq!(world.engine.phase(), Phase::Leaving);
    world.wait_for_dial();
    world.dialled("t1");
    assert_eq!(world.connect_read().will, None, "it is on its way already");
    world.take_broker();
    world.connack(true);
    let again = Packet::Publish(Publish {
        dup: true,
        ..will.clone()
    });
    assert_eq!(world.take_broker(), [dup(1), again]);
    world.broker(puback(1));
    world.broker(puback(will.packet_id));
    assert_eq!(code(&world.take_broker()[0]), ReasonCode::SUCCESS);
    assert!(world.ended());
}

#[test]
fn the_back_off_advances_with_every_failed_dial_refusal_and_loss() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    assert_eq!(world.engine.backoff().failures, 1);
    world.wait_for_dial();
    let message = "refused".into();
    world.step(|engine, now, out| engine.on_dial_failed(DialError { message }, now, out));
    assert_eq!(world.engine.backoff().failures, 2);
    world.wait_for_dial();
    world.dialled("t1");
    world.broker(refusal(ReasonCode::SERVER_BUSY));
    assert_eq!(world.engine.backoff().failures, 3);
    world.wait_for_dial();
    world.dialled("t1");
    world.broker_lost();
    assert_eq!(world.engine.backoff().failures, 4);
}
