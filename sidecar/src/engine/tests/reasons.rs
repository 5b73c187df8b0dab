//! `docs/engine-rules.md`: every reason code of a DISCONNECT, from either side.

use super::*;
use crate::packet::DecodeError;

/// MQTT 5 table 3-10.
const DISCONNECT_CODES: [u8; 29] = [
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
    0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];
/// Those that mean broker lost.
const LOST_CODES: [u8; 11] = [
    0x00, 0x04, 0x80, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x97, 0x9F, 0xA0,
];

/// What ends a session that waits for its CONNACK.
type Happening = fn(&mut Engine, Now, &mut Output);

fn with_will(version: ProtocolVersion) -> Connect {
    Connect {
        will: Some(will()),
        ..connect(version)
    }
}

/// What the codec says of a DISCONNECT with this code.
fn illegal(role: Role, code: u8) -> DecodeError {
    let mut decoder = Decoder::new(role, ProtocolVersion::V5, usize::MAX);
    decoder
        .decode(&mut BytesMut::from(&[0xE0, 0x02, code, 0x00][..]))
        .expect_err("a code that DISCONNECT does not have")
}

#[test]
fn every_code_of_a_clients_disconnect_but_0_publishes_its_will() {
    for value in DISCONNECT_CODES {
        let mut world = World::open(with_will(ProtocolVersion::V5), json!({}));
        world.client(disconnect(ReasonCode(value)));
        assert!(world.commanded(&Command::CloseClient), "{value:#x}");
        if value != 0 {
            let Packet::Publish(published) = world.take_broker().remove(0) else {
                panic!("{value:#x}: the will")
            };
            world.broker(puback(published.packet_id));
        }
        let told = world.take_broker();
        assert_eq!(told.len(), 1, "{value:#x}");
        assert_eq!(
            (code(&told[0]), expiry(&told[0])),
            (ReasonCode::SUCCESS, Some(0))
        );
        assert!(world.take_client().is_empty(), "it is not answered");
        assert!(world.ended(), "{value:#x}");
    }
}

#[test]
fn a_code_that_disconnect_does_not_have_is_malformed() {
    for value in [0x01, 0x10, 0x7F, 0x84, 0x86, 0x88, 0x8C, 0x92, 0xFF] {
        let mut world = World::open(with_will(ProtocolVersion::V5), json!({}));
        let error = illegal(Role::Client, value);
        world.step(|engine, now, out| engine.on_client_error(&error, now, out));
        let told = world.take_client();
        assert_eq!(told, [disconnect(error.reason)]);
        assert!(code(&told[0]).is_error());
        assert!(matches!(&world.take_broker()[0], Packet::Publish(will) if &*will.topic == "will"));
    }
}

#[test]
fn a_3_1_1_client_is_held_or_closed_by_every_code_of_the_brokers_disconnect() {
    for value in DISCONNECT_CODES {
        let mut world = World::open(v311(), json!({}));
        world.broker(disconnect(ReasonCode(value)));
        assert!(world.take_client().is_empty(), "3.1.1 has no words for it");
        let held = LOST_CODES.contains(&value);
        assert_eq!(world.commanded(&Command::CloseClient), !held, "{value:#x}");
        assert_eq!(world.engine.phase() == Phase::Held, held, "{value:#x}");
        assert_eq!(world.ended(), !held, "{value:#x}");
    }
}

#[test]
fn a_disconnect_before_connack_is_a_failed_dial_whatever_its_code() {
    for value in DISCONNECT_CODES {
        let mut world = World::new(v5(), json!({}));
        world.wait_for_dial();
        world.dialled("t1");
        world.broker(disconnect(ReasonCode(value)));
        assert!(world.take_client().is_empty(), "{value:#x}");
        world.come_back(false);
        assert_eq!(world.engine.phase(), Phase::Open, "{value:#x}");
        world.broker_lost();
        world.wait_for_dial();
        world.dialled("t1");
        world.broker(disconnect(ReasonCode(value)));
        assert_eq!(world.engine.phase(), Phase::Held, "{value:#x}");
    }
}

#[test]
fn a_packet_before_connack_is_a_failed_dial() {
    let skipped = Frame::Skipped {
        qos: Qos::AtLeastOnce,
        packet_id: 1,
    };
    for frame in [Frame::Packet(qos1(1)), Frame::Packet(puback(1)), skipped] {
        let mut world = World::new(v5(), json!({}));
        world.dialled("t1");
        world.take_broker();
        world.step(|engine, now, out| engine.on_broker_frame(frame, now, out));
        assert!(world.take_broker().is_empty(), "it is only closed");
        assert!(world.commanded(&Command::CloseBroker));
        world.come_back(false);
        assert_eq!(world.engine.phase(), Phase::Open);
        assert!(world.take_broker().is_empty(), "nothing is acknowledged");
    }
}

#[test]
fn before_connack_a_client_is_told_by_connack() {
    let malformed = |engine: &mut Engine, now, out: &mut Output| {
        let error = DecodeError {
            reason: ReasonCode::MALFORMED_PACKET,
            message: "test",
        };
        engine.on_client_error(&error, now, out);
    };
    let cases: [(&str, Happening, u8, u8); 3] = [
        ("malformed", malformed, 0x81, 5),
        ("replaced", Engine::on_replaced, 0x80, 3),
        ("stopped", Engine::on_shutdown, 0x88, 3),
    ];
    for (what, happens, in_v5, in_v311) in cases {
        for (client, told) in [(v5(), in_v5), (v311(), in_v311)] {
            let mut world = World::new(client, json!({}));
            world.step(happens);
            assert_eq!(world.take_client(), [refusal(ReasonCode(told))], "{what}");
            assert!(world.commanded(&Command::CloseClient), "{what}");
            assert!(world.commanded(&Command::AbandonDial), "{what}");
            assert!(world.ended(), "{what}");
        }
    }
}

#[test]
fn while_an_auth_is_unanswered_0x82_is_its_refusal_and_no_other_code_means_more() {
    for value in DISCONNECT_CODES {
        let mut world = World::open(v5(), json!({}));
        world.step(|engine, now, out| engine.on_credential(token("t2"), now, out));
        world.broker(disconnect(ReasonCode(value)));
        let held = value == 0x82 || LOST_CODES.contains(&value);
        assert_eq!(world.engine.phase() == Phase::Held, held, "{value:#x}");
        assert_eq!(world.take_client().is_empty(), held, "{value:#x}");
    }
}

#[test]
fn codes_of_a_credential_that_disconnect_does_not_have_end_the_connection_and_blame_the_auth() {
    for value in [0x86, 0x8C] {
        let mut world = World::open(v5(), json!({}));
        world.step(|engine, now, out| engine.on_credential(token("t2"), now, out));
        let error = illegal(Role::Broker, value);
        world.step(|engine, now, out| engine.on_broker_error(&error, now, out));
        assert_eq!(world.engine.phase(), Phase::Held, "{value:#x}");
        assert!(world.take_client().is_empty());
        world.wait_for_dial();
        world.dialled("t2");
        world.connack(true);
        assert!(world.commanded(&Command::ReauthenticationFailed));
    }
}

/// MQTT 5 table 3-1: each refusal with its return code of 3.1.1.
const REFUSALS: [(u8, u8); 21] = [
    (0x80, 3),
    (0x81, 5),
    (0x82, 5),
    (0x83, 3),
    (0x84, 1),
    (0x85, 2),
    (0x86, 4),
    (0x87, 5),
    (0x88, 3),
    (0x89, 3),
    (0x8A, 5),
    (0x8C, 5),
    (0x90, 5),
    (0x95, 5),
    (0x97, 3),
    (0x99, 5),
    (0x9A, 5),
    (0x9B, 5),
    (0x9C, 3),
    (0x9D, 3),
    (0x9F, 3),
];

#[test]
fn every_refusal_of_the_first_connect_is_waited_out_or_passed() {
    for (value, return_code) in REFUSALS {
        for (client, told) in [(v5(), value), (v311(), return_code)] {
            let mut world = World::new(client, json!({}));
            world.wait_for_dial();
            world.dialled("t1");
            world.broker(refusal(ReasonCode(value)));
            if [0x88, 0x89, 0x9F].contains(&value) {
                assert!(world.take_client().is_empty(), "{value:#x}");
                assert!(world.commanded(&Command::Dial), "the first is at once");
            } else {
                assert_eq!(world.take_client(), [refusal(ReasonCode(told))]);
                assert!(world.commanded(&Command::CloseClient) && world.ended());
            }
        }
    }
}

#[test]
fn every_refusal_of_a_reconnect_is_tried_again_or_passed() {
    let again = [0x80, 0x83, 0x86, 0x87, 0x88, 0x89, 0x8C, 0x97, 0x9F];
    for (value, _) in REFUSALS {
        for client in [v5(), v311()] {
            let is_v5 = client.version == ProtocolVersion::V5;
            let mut world = World::open(client, json!({}));
            world.broker_lost();
            world.wait_for_dial();
            world.dialled("t1");
            world.broker(refusal(ReasonCode(value)));
            let told = world.take_client();
            if again.contains(&value) {
                assert_eq!(world.engine.phase(), Phase::Held, "{value:#x}");
                assert!(told.is_empty(), "{value:#x}");
                continue;
            }
            let known = DISCONNECT_CODES.contains(&value);
            let words = is_v5.then(|| disconnect(ReasonCode(if known { value } else { 0x80 })));
            assert_eq!(told, Vec::from_iter(words), "{value:#x}");
            assert!(world.commanded(&Command::CloseClient) && world.ended());
        }
    }
}
