//! What cannot be written is an error, and the buffer is as before.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::packet::ProtocolVersion::{V5, V311};
use crate::packet::*;

fn text(len: usize) -> ByteString {
    "x".repeat(len).into()
}

fn publish(topic: ByteString, properties: Properties, payload: Bytes) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic,
        packet_id: 1,
        properties,
        payload,
    })
}

fn connect(change: impl FnOnce(&mut Connect)) -> Packet {
    let mut connect = Connect {
        version: V5,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id: "me".into(),
        will: Some(Will {
            qos: Qos::AtMostOnce,
            retain: false,
            topic: "w".into(),
            payload: Bytes::new(),
            properties: Properties::default(),
        }),
        username: Some("user".into()),
        password: Some(Bytes::from_static(b"secret")),
        properties: Properties::default(),
    };
    change(&mut connect);
    Packet::Connect(Box::new(connect))
}

fn refuses(version: ProtocolVersion, packet: Packet, message: &str) {
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(
        packet.encode(version, &mut out).unwrap_err().message,
        message,
        "{}",
        packet.name()
    );
    assert_eq!(out, b"before"[..], "{}", packet.name());
}

#[test]
fn strings_above_65_535_bytes_are_refused() {
    const LONG: &str = "string or binary data is longer than 65,535 bytes";
    let long = || text(65_536);
    for version in [V311, V5] {
        refuses(
            version,
            publish(long(), Properties::default(), Bytes::new()),
            LONG,
        );
    }
    refuses(V5, connect(|connect| connect.client_id = long()), LONG);
    refuses(V5, connect(|connect| connect.username = Some(long())), LONG);
    refuses(
        V5,
        connect(|connect| connect.password = Some(long().into_bytes())),
        LONG,
    );
    refuses(
        V5,
        connect(|connect| connect.will.as_mut().unwrap().topic = long()),
        LONG,
    );
    refuses(
        V5,
        connect(|connect| connect.will.as_mut().unwrap().payload = long().into_bytes()),
        LONG,
    );
    let subscribe = Packet::Subscribe(Subscribe {
        packet_id: 1,
        filters: vec![Subscription {
            filter: long(),
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        }],
        properties: Properties::default(),
    });
    refuses(V5, subscribe, LONG);
    let unsubscribe = Packet::Unsubscribe(Unsubscribe {
        packet_id: 1,
        filters: vec![long()],
        properties: Properties::default(),
    });
    refuses(V5, unsubscribe, LONG);
}

#[test]
fn properties_above_65_535_bytes_are_refused() {
    const LONG: &str = "a property is longer than 65,535 bytes";
    let method = Property::AuthenticationMethod("K8S-SAT".into());
    let auth = |properties| {
        Packet::Auth(Auth {
            code: ReasonCode::REAUTHENTICATE,
            properties,
        })
    };
    let token = |len| Property::AuthenticationData(text(len).into_bytes());
    refuses(
        V5,
        auth([method.clone(), token(65_536)].into_iter().collect()),
        LONG,
    );
    let set = Properties::from_iter([method]).with(token(65_536));
    refuses(V5, auth(set.clone()), LONG);
    refuses(
        V5,
        auth(set.detached().with(Property::ReasonString("r".into()))),
        LONG,
    );
    let added = Properties::default().with_user_properties([("k", &*text(65_536))]);
    refuses(V5, publish("t".into(), added.clone(), Bytes::new()), LONG);
    assert!(
        publish("t".into(), added, Bytes::new())
            .encode(V311, &mut BytesMut::new())
            .is_ok()
    );
    refuses(
        V5,
        connect(|connect| connect.properties = set.clone()),
        LONG,
    );
    let longest = Properties::default().with_user_properties([(&*text(65_535), &*text(65_535))]);
    assert!(
        publish("t".into(), longest, Bytes::new())
            .encode(V5, &mut BytesMut::new())
            .is_ok()
    );
}

#[test]
fn packet_above_268_435_455_bytes_is_refused() {
    // The pages of a zeroed allocation are not touched, so this costs address space only.
    let payload = Bytes::from(vec![0; 268_435_455]);
    let message = "packet is longer than 268,435,455 bytes";
    refuses(
        V5,
        publish("t".into(), Properties::default(), payload),
        message,
    );
}

#[test]
fn what_3_1_1_does_not_have_is_refused() {
    let auth = Auth {
        code: ReasonCode::SUCCESS,
        properties: Properties::default(),
    };
    refuses(V311, Packet::Auth(auth), "AUTH does not exist in 3.1.1");
    let connack = ConnAck {
        session_present: false,
        code: ReasonCode::NOT_AUTHORIZED,
        properties: Properties::default(),
    };
    refuses(
        V311,
        Packet::ConnAck(connack),
        "reason code does not exist in a 3.1.1 CONNACK",
    );
    let suback = SubAck {
        packet_id: 1,
        codes: vec![ReasonCode::NOT_AUTHORIZED],
        properties: Properties::default(),
    };
    refuses(
        V311,
        Packet::SubAck(suback),
        "reason code does not exist in a 3.1.1 SUBACK",
    );
    let password = connect(|connect| {
        connect.version = V311;
        connect.username = None;
    });
    refuses(V311, password, "3.1.1 has no password without a user name");
}

#[test]
fn packet_identifier_0_and_empty_lists_are_refused() {
    refuses(
        V5,
        Packet::PubAck(Ack::new(0, ReasonCode::SUCCESS)),
        "packet identifier is 0",
    );
    let filters = Vec::new();
    let properties = Properties::default();
    let unsubscribe = Unsubscribe {
        packet_id: 1,
        filters,
        properties,
    };
    refuses(
        V5,
        Packet::Unsubscribe(unsubscribe),
        "packet has no topic filter",
    );
}

#[test]
fn what_3_1_1_cannot_say_is_left_out() {
    let properties = || Properties::from_iter([Property::UserProperty("k".into(), "v".into())]);
    let ack = Ack {
        packet_id: 1,
        code: ReasonCode::NO_MATCHING_SUBSCRIBERS,
        properties: properties(),
    };
    let unsuback = UnsubAck {
        packet_id: 1,
        codes: vec![ReasonCode::SUCCESS],
        properties: properties(),
    };
    let disconnect = Disconnect {
        code: ReasonCode::SESSION_TAKEN_OVER,
        properties: properties(),
    };
    for (packet, expected) in [
        (Packet::PubAck(ack), "40 02 0001"),
        (Packet::UnsubAck(unsuback), "b0 02 0001"),
        (Packet::Disconnect(disconnect), "e0 00"),
        (
            publish("t".into(), properties(), Bytes::new()),
            "32 05 0001 't' 0001",
        ),
    ] {
        assert_eq!(
            super::encode_one(&packet, V311),
            super::bytes(expected),
            "{}",
            packet.name()
        );
    }
}

#[test]
fn publish_lowered_to_qos_0_has_neither_dup_nor_packet_identifier() {
    let lowered = Publish {
        dup: true,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: "t".into(),
        packet_id: 7,
        properties: Properties::default(),
        payload: Bytes::new(),
    };
    let expected = super::bytes("30 04 0001 't' 00");
    assert_eq!(super::encode_one(&Packet::Publish(lowered), V5), expected);
}
