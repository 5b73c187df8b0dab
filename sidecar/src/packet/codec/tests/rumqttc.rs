//! rumqttc's codec as a second opinion, where it is right, and what it does where it is not.
//!
//! Each deviation has a test that shows both, so that a later version of rumqttc which is right is noticed here.

use bytes::BytesMut;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::{Error, v5};

use super::{arbitrary, bytes, decode_one, encode_one};
use crate::packet::ProtocolVersion::{V5, V311};
use crate::packet::Role::{Broker, Client};
use crate::packet::*;

/// rumqttc reads the bytes and writes what it understood.
fn rewritten(version: ProtocolVersion, encoded: &[u8]) -> BytesMut {
    let mut stream = BytesMut::from(encoded);
    let mut out = BytesMut::new();
    match version {
        V311 => {
            let packet = v4::Packet::read(&mut stream, usize::MAX).unwrap();
            packet.write(&mut out, usize::MAX).unwrap();
        }
        V5 => {
            let packet = v5::Packet::read(&mut stream, None).unwrap();
            packet.write(&mut out, None).unwrap();
        }
    }
    assert!(stream.is_empty(), "rumqttc left bytes: {stream:?}");
    out
}

/// Whether rumqttc can carry the packet: the numbers are those of the tests below.
fn is_carried(packet: &Packet, version: ProtocolVersion) -> bool {
    match packet {
        Packet::Auth(_) => false, // 1, 2
        Packet::Disconnect(disconnect) => version == V311 || !disconnect.properties.is_empty(), // 3, 4, 6
        Packet::Publish(publish) => {
            let identifier = PropertyId::SubscriptionIdentifier;
            publish
                .properties
                .ids()
                .filter(|id| *id == identifier)
                .count()
                < 2 // 5
        }
        Packet::Connect(connect) => {
            let password = connect.password.as_deref();
            password.is_none_or(|password| !password.is_empty() && std::str::from_utf8(password).is_ok()) // 8
                && connect.username.as_deref() != Some("") // 9
        }
        _ => true,
    }
}

/// rumqttc writes properties in an order of its own; that of user properties among themselves must stay.
fn in_one_order(mut packet: Packet) -> Packet {
    let sort = |properties: &mut Properties| {
        let mut sorted: Vec<Property> = properties.iter().collect();
        sorted.sort_by_key(|property| property.id() as u8);
        *properties = sorted.into_iter().collect();
    };
    match &mut packet {
        Packet::Connect(connect) => {
            sort(&mut connect.properties);
            connect
                .will
                .iter_mut()
                .for_each(|will| sort(&mut will.properties));
        }
        Packet::ConnAck(connack) => sort(&mut connack.properties),
        Packet::Publish(publish) => sort(&mut publish.properties),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            sort(&mut ack.properties);
        }
        Packet::Subscribe(subscribe) => sort(&mut subscribe.properties),
        Packet::SubAck(suback) => sort(&mut suback.properties),
        Packet::Unsubscribe(unsubscribe) => sort(&mut unsubscribe.properties),
        Packet::UnsubAck(unsuback) => sort(&mut unsuback.properties),
        Packet::Disconnect(disconnect) => sort(&mut disconnect.properties),
        Packet::Auth(auth) => sort(&mut auth.properties),
        Packet::PingReq | Packet::PingResp => {}
    }
    packet
}

proptest! {
    #![proptest_config(arbitrary::config())]

    /// What we write, rumqttc reads; what it then writes, we read as the packet we began with.
    #[test]
    fn rumqttc_agrees_in_both_directions((role, version, packets) in arbitrary::packets(1)) {
        if !is_carried(&packets[0], version) {
            return Ok(());
        }
        let rewritten = rewritten(version, &encode_one(&packets[0], version));
        let Some(Frame::Packet(again)) = decode_one(role, version, &rewritten).unwrap() else {
            panic!("no packet in {rewritten:?}");
        };
        prop_assert_eq!(in_one_order(again), in_one_order(packets[0].clone()));
    }
}

fn their_read(notation: &str) -> Result<v5::Packet, Error> {
    v5::Packet::read(&mut BytesMut::from(&bytes(notation)[..]), None)
}

fn our_read(role: Role, version: ProtocolVersion, notation: &str) -> Packet {
    match decode_one(role, version, &bytes(notation)) {
        Ok(Some(Frame::Packet(packet))) => packet,
        other => panic!("{notation} gave {other:?}"),
    }
}

/// 1. It has no AUTH. (2. It cannot write one either: the types to build it are not exported.)
#[test]
fn auth_is_unknown_to_rumqttc() {
    let notation = "f0 0c 00 0a 15 0007 'K8S-SAT'";
    assert!(matches!(
        their_read(notation),
        Err(Error::InvalidPacketType(15))
    ));
    assert_eq!(our_read(Broker, V5, notation).name(), "AUTH");
}

/// 3.
#[test]
fn plain_disconnect_is_refused_by_rumqttc() {
    assert!(matches!(their_read("e0 00"), Err(Error::PayloadRequired)));
    let disconnect = Disconnect::new(ReasonCode::SUCCESS);
    assert_eq!(
        our_read(Client, V5, "e0 00"),
        Packet::Disconnect(disconnect)
    );
}

/// 4.
#[test]
fn short_forms_are_swallowed_by_rumqttc() {
    for (notation, name) in [("e0 01 8e", "DISCONNECT"), ("20 02 00 01", "CONNACK")] {
        assert!(matches!(
            their_read(notation),
            Err(Error::InsufficientBytes(_))
        ));
        assert_eq!(our_read(Broker, V5, notation).name(), name);
    }
}

/// 5.
#[test]
fn subscription_identifiers_leak_into_the_payload_of_rumqttc() {
    for (notation, their_payload) in [
        (
            "30 11 0001 't' 06 0b 01 0b 02 0b 03 'PAYLOAD'",
            &b"\x0b\x03PAYLOAD"[..],
        ),
        (
            "30 11 0001 't' 06 0b 01 0b 02 01 01 'PAYLOAD'",
            &b"\x01\x01PAYLOAD"[..],
        ),
    ] {
        let Ok(v5::Packet::Publish(theirs)) = their_read(notation) else {
            panic!("rumqttc refuses {notation}");
        };
        assert_eq!(theirs.payload, their_payload);
        let Packet::Publish(ours) = our_read(Broker, V5, notation) else {
            panic!("no PUBLISH: {notation}");
        };
        assert_eq!(ours.payload, &b"PAYLOAD"[..]);
        assert_eq!(ours.properties.iter().count(), 3);
    }
}

/// 6.
#[test]
fn disconnect_of_rumqttc_has_a_stray_byte() {
    let mut theirs = BytesMut::new();
    let reason_code = v5::DisconnectReasonCode::NotAuthorized;
    v5::Disconnect::new(reason_code).write(&mut theirs).unwrap();
    assert_eq!(theirs, bytes("e0 01 87 00"));
    let ours = Packet::Disconnect(Disconnect::new(ReasonCode::NOT_AUTHORIZED));
    let ours = encode_one(&ours, V5);
    assert_eq!(ours, bytes("e0 02 87 00"));
    assert!(matches!(
        v5::Packet::read(&mut BytesMut::from(ours), None),
        Ok(v5::Packet::Disconnect(_))
    ));
}

/// 7.
#[test]
fn long_topic_is_cut_by_rumqttc() {
    let topic = "t".repeat(70_000);
    let mut theirs = BytesMut::new();
    let publish = v5::Publish::new(
        topic.clone(),
        rumqttc::v5::mqttbytes::QoS::AtMostOnce,
        "",
        None,
    );
    publish.write(&mut theirs).unwrap();
    assert_eq!(theirs[4..6], [0x11, 0x70], "the length modulo 65,536");
    let ours = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: topic.into(),
        packet_id: 0,
        properties: Properties::default(),
        payload: "".into(),
    };
    assert!(ours.encode(V5, &mut BytesMut::new()).is_err());
}

/// 8 and 9.
#[test]
fn login_is_changed_or_refused_by_rumqttc() {
    let binary_password = "10 14 0004 'MQTT' 05 c2 0000 00 0000 0001 'u' 0002 ff00";
    assert!(matches!(
        their_read(binary_password),
        Err(Error::TopicNotUtf8)
    ));
    let Packet::Connect(ours) = our_read(Client, V5, binary_password) else {
        panic!("no CONNECT");
    };
    assert_eq!(ours.password.as_deref(), Some(&[0xFF, 0][..]));

    let empty_username = "10 0f 0004 'MQTT' 05 82 0000 00 0000 0000";
    assert!(matches!(
        their_read(empty_username),
        Ok(v5::Packet::Connect(_, None, None))
    ));
    let Packet::Connect(ours) = our_read(Client, V5, empty_username) else {
        panic!("no CONNECT");
    };
    assert_eq!(ours.username.as_deref(), Some(""));
}

/// 10.
#[test]
fn what_rumqttc_lets_pass_is_refused() {
    for (role, notation) in [
        (Client, "10 0d 0004 'MQTT' 05 03 0000 00 0000"), // reserved connect flag
        (Client, "80 07 0001 00 0001 'a' 00"),            // SUBSCRIBE flags
        (Client, "60 03 0001 00"),                        // PUBREL flags
        (Broker, "30 0a 0001 't' 06 23 0001 23 0002"),    // topic alias twice
        (Broker, "30 06 0001 't' 02 01 09"),              // payload format indicator 9
        (Client, "82 09 0001 02 0b 00 0001 'a' 00"),      // subscription identifier 0
        (Client, "10 0e 0004 'MQTT' 05 02 0000 00 0000 00"), // trailing byte
        (Client, "30 04 0001 ff 00"),                     // topic not UTF-8
        (Client, "30 04 0001 00 00"),                     // topic with U+0000
        (Client, "30 04 0001 '#' 00"),                    // topic with a wildcard
        (Client, "38 04 0001 't' 00"),                    // DUP with QoS 0
        (Client, "30 84 00 0001 't' 00"),                 // padded remaining length
    ] {
        assert!(their_read(notation).is_ok(), "rumqttc refuses {notation}");
        assert!(
            decode_one(role, V5, &bytes(notation)).is_err(),
            "{notation}"
        );
    }
}

/// 11.
#[test]
fn connect_of_another_level_is_misread_by_rumqttc() {
    let level_5 = "10 0d 0004 'MQTT' 05 02 0000 00 0000";
    let theirs = v4::Packet::read(&mut BytesMut::from(&bytes(level_5)[..]), usize::MAX);
    assert!(matches!(theirs, Ok(v4::Packet::Connect(_))), "{theirs:?}");
    let Packet::Connect(ours) = our_read(Client, V311, level_5) else {
        panic!("no CONNECT");
    };
    assert_eq!(ours.version, V5);
}
