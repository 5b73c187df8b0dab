//! Every packet type in both versions, as bytes and as a packet.

use bytes::Bytes;

use super::{bytes, decode_one, encode_one};
use crate::packet::ProtocolVersion::{V5, V311};
use crate::packet::Qos::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use crate::packet::Role::{Broker, Client};
use crate::packet::*;

/// The bytes decode to the packet, and the packet encodes to the bytes.
fn same(role: Role, version: ProtocolVersion, notation: &str, packet: Packet) {
    let input = bytes(notation);
    assert_eq!(
        decode_one(role, version, &input),
        Ok(Some(Frame::Packet(packet.clone()))),
        "decode {notation}"
    );
    assert_eq!(encode_one(&packet, version), input, "encode {notation}");
}

/// The bytes decode to the packet, which has a shorter or longer canonical form.
fn reads(role: Role, version: ProtocolVersion, notation: &str, packet: Packet) {
    assert_eq!(
        decode_one(role, version, &bytes(notation)),
        Ok(Some(Frame::Packet(packet))),
        "decode {notation}"
    );
}

fn properties<const N: usize>(properties: [Property; N]) -> Properties {
    properties.into_iter().collect()
}

fn connect(version: ProtocolVersion, client_id: &str) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 60,
        client_id: client_id.into(),
        will: None,
        username: None,
        password: None,
        properties: Properties::default(),
    }
}

fn publish(qos: Qos, packet_id: PacketId) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: "a/b".into(),
        packet_id,
        properties: Properties::default(),
        payload: Bytes::from_static(b"hi"),
    }
}

fn subscription(filter: &str, qos: Qos) -> Subscription {
    Subscription {
        filter: filter.into(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    }
}

#[test]
fn connect_without_options() {
    same(
        Client,
        V311,
        "10 0e 0004 'MQTT' 04 02 003c 0002 'me'",
        Packet::Connect(Box::new(connect(V311, "me"))),
    );
    same(
        Client,
        V311,
        "10 0f 0004 'MQTT' 05 02 003c 00 0002 'me'",
        Packet::Connect(Box::new(connect(V5, "me"))),
    );
}

#[test]
fn connect_with_everything() {
    let full = |version, will_properties, connect_properties| {
        Packet::Connect(Box::new(Connect {
            clean_start: false,
            will: Some(Will {
                qos: ExactlyOnce,
                retain: true,
                topic: "w".into(),
                payload: Bytes::from_static(b"bye"),
                properties: will_properties,
            }),
            username: Some("".into()),
            password: Some(Bytes::from_static(&[0xFF, 0x00])),
            properties: connect_properties,
            ..connect(version, "")
        }))
    };
    same(
        Client,
        V5,
        "10 1a 0004 'MQTT' 04 f4 003c 0000 0001 'w' 0003 'bye' 0000 0002 ff00",
        full(V311, Properties::default(), Properties::default()),
    );
    same(
        Client,
        V5,
        "10 33 0004 'MQTT' 05 f4 003c 0a 11 0000000a 21 0014 19 01 0000 0d 18 00000005 01 01 26 0001 'k' 0000 0001 'w' 0003 'bye' 0000 0002 ff00",
        full(
            V5,
            properties([
                Property::WillDelayInterval(5),
                Property::PayloadFormatIndicator(1),
                Property::UserProperty("k".into(), "".into()),
            ]),
            properties([
                Property::SessionExpiryInterval(10),
                Property::ReceiveMaximum(20),
                Property::RequestResponseInformation(1),
            ]),
        ),
    );
}

#[test]
fn publish_of_each_qos() {
    same(
        Client,
        V311,
        "30 07 0003 'a/b' 'hi'",
        Packet::Publish(publish(AtMostOnce, 0)),
    );
    same(
        Broker,
        V311,
        "32 09 0003 'a/b' 0007 'hi'",
        Packet::Publish(publish(AtLeastOnce, 7)),
    );
    same(
        Client,
        V5,
        "34 0a 0003 'a/b' 0007 00 'hi'",
        Packet::Publish(publish(ExactlyOnce, 7)),
    );
    let flagged = Publish {
        dup: true,
        retain: true,
        ..publish(AtLeastOnce, 0xFFFF)
    };
    same(
        Broker,
        V5,
        "3b 0a 0003 'a/b' ffff 00 'hi'",
        Packet::Publish(flagged),
    );
}

#[test]
fn acknowledgements_in_every_form() {
    let ack = |code| Ack::new(10, ReasonCode(code));
    for (role, version) in [(Client, V311), (Broker, V311), (Client, V5), (Broker, V5)] {
        same(role, version, "40 02 000a", Packet::PubAck(ack(0)));
        same(role, version, "50 02 000a", Packet::PubRec(ack(0)));
        same(role, version, "62 02 000a", Packet::PubRel(ack(0)));
        same(role, version, "70 02 000a", Packet::PubComp(ack(0)));
    }
    same(Broker, V5, "40 03 000a 10", Packet::PubAck(ack(0x10)));
    same(Broker, V5, "50 03 000a 87", Packet::PubRec(ack(0x87)));
    same(Client, V5, "62 03 000a 92", Packet::PubRel(ack(0x92)));
    reads(Broker, V5, "40 03 000a 00", Packet::PubAck(ack(0)));
    reads(Broker, V5, "40 04 000a 00 00", Packet::PubAck(ack(0)));
    let reason = Ack {
        properties: properties([Property::ReasonString("no".into())]),
        ..ack(0)
    };
    same(
        Client,
        V5,
        "70 09 000a 00 05 1f 0002 'no'",
        Packet::PubComp(reason),
    );
}

#[test]
fn subscribe_and_its_answer() {
    let subscribe = |filters, properties| {
        Packet::Subscribe(Subscribe {
            packet_id: 1,
            filters,
            properties,
        })
    };
    let filters = vec![
        subscription("a/+", AtLeastOnce),
        subscription("#", ExactlyOnce),
    ];
    same(
        Client,
        V311,
        "82 0c 0001 0003 'a/+' 01 0001 '#' 02",
        subscribe(filters, Properties::default()),
    );
    let options = Subscription {
        retain_as_published: true,
        retain_handling: 2,
        ..subscription("$share/g/#", AtMostOnce)
    };
    let no_local = Subscription {
        no_local: true,
        ..subscription("t", AtMostOnce)
    };
    same(
        Client,
        V5,
        "82 19 0001 05 0b ffffff7f 000a '$share/g/#' 28 0001 't' 04",
        subscribe(
            vec![options, no_local],
            properties([Property::SubscriptionIdentifier(268_435_455)]),
        ),
    );
    let suback = |codes: &[u8]| {
        Packet::SubAck(SubAck {
            packet_id: 1,
            codes: codes.iter().copied().map(ReasonCode).collect(),
            properties: Properties::default(),
        })
    };
    same(
        Broker,
        V311,
        "90 06 0001 00 01 02 80",
        suback(&[0, 1, 2, 0x80]),
    );
    same(Broker, V5, "90 05 0001 00 01 a2", suback(&[1, 0xA2]));
}

#[test]
fn unsubscribe_and_its_answer() {
    let unsubscribe = Packet::Unsubscribe(Unsubscribe {
        packet_id: 2,
        filters: vec!["a".into(), "b/#".into()],
        properties: Properties::default(),
    });
    same(
        Client,
        V311,
        "a2 0a 0002 0001 'a' 0003 'b/#'",
        unsubscribe.clone(),
    );
    same(Client, V5, "a2 0b 0002 00 0001 'a' 0003 'b/#'", unsubscribe);
    let unsuback = |codes: &[u8]| {
        Packet::UnsubAck(UnsubAck {
            packet_id: 2,
            codes: codes.iter().copied().map(ReasonCode).collect(),
            properties: Properties::default(),
        })
    };
    same(Broker, V311, "b0 02 0002", unsuback(&[]));
    same(Broker, V5, "b0 05 0002 00 00 11", unsuback(&[0, 0x11]));
}

#[test]
fn pings() {
    for version in [V311, V5] {
        same(Client, version, "c0 00", Packet::PingReq);
        same(Broker, version, "d0 00", Packet::PingResp);
    }
}

#[test]
fn disconnect_in_every_form() {
    let disconnect = |code| Packet::Disconnect(Disconnect::new(ReasonCode(code)));
    same(Client, V311, "e0 00", disconnect(0));
    same(Client, V5, "e0 00", disconnect(0));
    same(Broker, V5, "e0 02 8e 00", disconnect(0x8E));
    reads(Broker, V5, "e0 01 8e", disconnect(0x8E));
    reads(Broker, V5, "e0 00", disconnect(0));
    reads(Client, V5, "e0 01 04", disconnect(4));
    reads(Client, V5, "e0 02 00 00", disconnect(0));
    let expiry = Disconnect {
        properties: properties([Property::SessionExpiryInterval(0)]),
        ..Disconnect::new(ReasonCode::SUCCESS)
    };
    same(
        Client,
        V5,
        "e0 07 00 05 11 00000000",
        Packet::Disconnect(expiry),
    );
}

#[test]
fn auth_in_every_form() {
    let auth = |code, properties| {
        Packet::Auth(Auth {
            code: ReasonCode(code),
            properties,
        })
    };
    let token = [
        Property::AuthenticationMethod("K8S-SAT".into()),
        Property::AuthenticationData(Bytes::from_static(b"t")),
    ];
    same(
        Client,
        V5,
        "f0 10 19 0e 15 0007 'K8S-SAT' 16 0001 't'",
        auth(0x19, properties(token)),
    );
    let method = properties([Property::AuthenticationMethod("K8S-SAT".into())]);
    same(Broker, V5, "f0 0c 00 0a 15 0007 'K8S-SAT'", auth(0, method));
    same(Broker, V5, "f0 02 00 00", auth(0, Properties::default()));
    reads(Broker, V5, "f0 00", auth(0, Properties::default()));
    reads(Broker, V5, "f0 01 00", auth(0, Properties::default()));
}

#[test]
fn connack_in_every_form() {
    let connack = |session_present, code, properties| {
        Packet::ConnAck(ConnAck {
            session_present,
            code: ReasonCode(code),
            properties,
        })
    };
    for code in 0..=5 {
        same(
            Broker,
            V311,
            &format!("20 02 00 {code:02x}"),
            connack(false, code, Properties::default()),
        );
    }
    same(
        Broker,
        V311,
        "20 02 01 00",
        connack(true, 0, Properties::default()),
    );
    same(
        Broker,
        V5,
        "20 03 01 00 00",
        connack(true, 0, Properties::default()),
    );
    same(
        Broker,
        V5,
        "20 03 00 87 00",
        connack(false, 0x87, Properties::default()),
    );
    let all = properties([
        Property::SessionExpiryInterval(1),
        Property::ReceiveMaximum(2),
        Property::MaximumQos(1),
        Property::RetainAvailable(0),
        Property::MaximumPacketSize(3),
        Property::AssignedClientIdentifier("id".into()),
        Property::TopicAliasMaximum(0),
        Property::ReasonString("r".into()),
        Property::UserProperty("k".into(), "v".into()),
        Property::UserProperty("k".into(), "v".into()),
        Property::WildcardSubscriptionAvailable(1),
        Property::SubscriptionIdentifierAvailable(0),
        Property::SharedSubscriptionAvailable(1),
        Property::ServerKeepAlive(4),
        Property::ResponseInformation("i".into()),
        Property::ServerReference("s".into()),
        Property::AuthenticationMethod("m".into()),
        Property::AuthenticationData(Bytes::from_static(b"d")),
    ]);
    same(
        Broker,
        V5,
        "20 47 00 00 44 11 00000001 21 0002 24 01 25 00 27 00000003 12 0002 'id' 22 0000 1f 0001 'r' 26 0001 'k' 0001 'v' 26 0001 'k' 0001 'v' 28 01 29 00 2a 01 13 0004 1a 0001 'i' 1c 0001 's' 15 0001 'm' 16 0001 'd'",
        connack(false, 0, all),
    );
}

#[test]
fn refusal_of_a_server_that_knows_no_mqtt_5_is_read() {
    for (return_code, code) in [(1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87)] {
        let connack = ConnAck {
            session_present: false,
            code: ReasonCode(code),
            properties: Properties::default(),
        };
        reads(
            Broker,
            V5,
            &format!("20 02 00 {return_code:02x}"),
            Packet::ConnAck(connack),
        );
    }
}
