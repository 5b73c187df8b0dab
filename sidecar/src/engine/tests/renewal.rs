//! `docs/engine-rules.md`: credentials and settings that change.

use super::*;
use crate::packet::{Auth, PropertyId};

fn auth(code: ReasonCode) -> Packet {
    let method = Property::AuthenticationMethod("K8S-SAT".into());
    Packet::Auth(Auth {
        code,
        properties: [method].into_iter().collect(),
    })
}

impl World {
    fn token(&mut self, text: &'static str) {
        self.step(|engine, now, out| engine.on_credential(token(text), now, out));
    }

    /// Codes and tokens of the AUTH packets that the broker read.
    fn auths(&mut self) -> Vec<(ReasonCode, String)> {
        let told = |packet| match packet {
            Packet::Auth(auth) => {
                let data = auth.properties.binary(PropertyId::AuthenticationData);
                let data = data.expect("always with data");
                Some((auth.code, String::from_utf8_lossy(&data).into_owned()))
            }
            _ => None,
        };
        self.take_broker().into_iter().filter_map(told).collect()
    }
}

#[test]
fn a_new_token_is_sent_by_auth_and_packets_keep_flowing() {
    let mut world = World::open(v5(), json!({}));
    world.token("t2");
    assert_eq!(world.auths(), [(ReasonCode::REAUTHENTICATE, "t2".into())]);
    world.client(qos1(1));
    assert_eq!(world.take_broker(), [qos1(1)]);
    world.broker(auth(ReasonCode::SUCCESS));
    assert!(world.commanded(&Command::Report(Event::Reauthenticated(true))));
    assert!(world.take_client().is_empty());
    world.token("t2");
    assert!(world.auths().is_empty(), "the same token is not sent twice");
}

#[test]
fn one_exchange_is_open_and_only_the_newest_token_follows() {
    let mut world = World::open(v5(), json!({}));
    for text in ["t2", "t3", "t4"] {
        world.token(text);
    }
    assert_eq!(world.auths(), [(ReasonCode::REAUTHENTICATE, "t2".into())]);
    world.broker(auth(ReasonCode::SUCCESS));
    assert_eq!(world.auths(), [(ReasonCode::REAUTHENTICATE, "t4".into())]);
}

#[test]
fn a_token_that_came_while_connect_was_unanswered_follows_connack() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.token("t2");
    assert!(world.auths().is_empty());
    world.connack(false);
    assert_eq!(world.auths(), [(ReasonCode::REAUTHENTICATE, "t2".into())]);
}

#[test]
fn continue_is_answered_with_the_newest_token_after_1_2_4_s() {
    let mut world = World::open(v5(), json!({}));
    world.token("t2");
    world.auths();
    for (pause, text) in [(1, "t3"), (2, "t4"), (4, "t5")] {
        world.broker(auth(ReasonCode::CONTINUE_AUTHENTICATION));
        world.token(text);
        world.advance(Duration::from_millis(pause * 1_000 - 1));
        assert!(world.auths().is_empty());
        world.advance(Duration::from_millis(1));
        assert_eq!(
            world.auths(),
            [(ReasonCode::CONTINUE_AUTHENTICATION, text.into())]
        );
    }
    world.broker(auth(ReasonCode::CONTINUE_AUTHENTICATION));
    world.advance(Duration::from_secs(22));
    assert_eq!(world.engine.phase(), Phase::Open);
    world.advance(Duration::from_secs(1));
    assert!(
        world.commanded(&Command::Report(Event::Reauthenticated(false))),
        "30 s are over"
    );
}

#[test]
fn a_refused_re_authentication_becomes_a_planned_reconnect() {
    // mosquitto refuses with a second CONNACK.
    let mut world = World::open(v5(), json!({}));
    world.token("t2");
    world.auths();
    world.broker(refusal(ReasonCode::NOT_AUTHORIZED));
    assert_eq!(code(&world.take_broker()[0]), ReasonCode::SUCCESS);
    world.broker_lost();
    world.wait_for_dial();
    world.dialled("t2");
    world.connack(true);
    assert!(
        world.commanded(&Command::ReauthenticationFailed),
        "the same token connected"
    );
    assert!(world.take_client().is_empty());
    world.forget();
    world.token("t3");
    assert!(
        world.auths().is_empty(),
        "rotation is a planned reconnect from then on"
    );
    world.advance(Duration::from_secs(1));
    assert_eq!(world.engine.phase(), Phase::Draining);
}

#[test]
fn a_loss_while_auth_is_unanswered_with_a_newer_token_blames_nothing() {
    let mut world = World::open(v5(), json!({}));
    world.token("t2");
    world.broker(disconnect(ReasonCode::PROTOCOL_ERROR));
    assert_eq!(world.engine.phase(), Phase::Held);
    world.wait_for_dial();
    world.dialled("t3");
    world.connack(true);
    assert!(!world.commanded(&Command::ReauthenticationFailed));
}

#[test]
fn an_auth_or_connack_at_any_other_time_is_a_broker_fault_that_the_client_does_not_see() {
    for packet in [
        auth(ReasonCode::SUCCESS),
        auth(ReasonCode::REAUTHENTICATE),
        refusal(ReasonCode::SUCCESS),
    ] {
        let mut world = World::open(v5(), json!({}));
        world.broker(packet);
        assert_eq!(
            world.take_broker(),
            [disconnect(ReasonCode::PROTOCOL_ERROR)]
        );
        assert!(world.take_client().is_empty());
        assert_eq!(world.engine.phase(), Phase::Held);
    }
}

#[test]
fn without_authentication_method_in_connack_rotation_is_a_planned_reconnect() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.broker(connack_with(false, vec![]));
    world.client(qos1(1));
    world.forget();
    world.token("t2");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.engine.phase(), Phase::Draining);
    assert!(!world.engine.reads_client(), "the client is not read");
    assert!(world.take_broker().is_empty(), "acks are awaited");
    world.broker(puback(1));
    assert_eq!(world.take_client(), [puback(1)]);
    let left = world.take_broker();
    assert_eq!(
        (code(&left[0]), expiry(&left[0])),
        (ReasonCode::SUCCESS, None)
    );
    world.broker(qos1(9));
    assert!(
        world.take_client().is_empty(),
        "nothing more is given to the client"
    );
    world.broker_lost();
    assert!(world.commanded(&Command::Dial), "at once");
    world.dialled("t2");
    let connect = world.connect_read();
    assert!(!connect.clean_start);
    world.connack(true);
    world.broker(dup(9));
    assert_eq!(world.take_client(), [dup(9)]);
    assert_eq!(
        world.engine.backoff().failures,
        0,
        "a planned reconnect is no failure"
    );
}

#[test]
fn acks_that_come_after_our_disconnect_still_count() {
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.client(qos1(2));
    world.step(|engine, now, out| engine.on_files(now, out));
    world.advance(Duration::from_secs(1));
    world.advance(Duration::from_secs(5));
    world.forget();
    world.broker(puback(1));
    assert!(world.take_client().is_empty());
    world.broker_lost();
    assert_eq!(world.take_client(), [puback(1)]);
    world.come_back(true);
    assert_eq!(world.take_broker(), [dup(2)]);
}

#[test]
fn a_broker_that_does_not_end_the_stream_is_left_after_5_s() {
    let mut world = World::open(v5(), json!({}));
    world.step(|engine, now, out| engine.on_files(now, out));
    world.advance(Duration::from_secs(1));
    world.commands.clear();
    world.advance(Duration::from_secs(5));
    assert_eq!(world.commands, [Command::CloseBroker, Command::Dial]);
}

#[test]
fn what_the_connection_was_made_with_is_changed_by_a_planned_reconnect() {
    for (change, reconnects) in [
        (json!({"host": "other:1883"}), true),
        (json!({"protocol": "WebSockets"}), true),
        (json!({"authentication": {"method": "Anonymous"}}), true),
        (json!({"keepAliveSeconds": 5}), true),
        (json!({"sessionExpirySeconds": 5}), true),
        (json!({"maxInflightMessages": 5}), true),
        (json!({"qos": 0}), false),
        (json!({"retain": "Never"}), false),
        (json!({"cloudEventAttributes": "CreateOrRemap"}), false),
        (json!({"clientIdPrefix": "p"}), false),
    ] {
        let mut world = World::open(v5(), json!({}));
        let changed = settings(change.clone());
        world.step(|engine, now, out| engine.on_settings(changed, now, out));
        world.advance(Duration::from_secs(1));
        let drained = world.engine.phase() == Phase::Draining;
        assert_eq!(drained, reconnects, "{change}");
    }
}

#[test]
fn a_change_while_dialling_reconnects_once_the_connection_is_up() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.step(|engine, now, out| engine.on_files(now, out));
    world.advance(Duration::from_secs(2));
    world.connack(false);
    world.advance(Duration::from_secs(2));
    assert_eq!(world.engine.phase(), Phase::Draining);
}
