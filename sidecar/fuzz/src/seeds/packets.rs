//! One packet of each type and peer, with every property that may be in it.

use sidecar::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Properties, Property, ProtocolVersion,
    Publish, Qos, ReasonCode, Role, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, Will,
};

type Named = (&'static str, Packet);
type NamedAck = (&'static str, fn(Ack) -> Packet);

/// What this peer may send.
pub(super) fn of(role: Role, version: ProtocolVersion) -> Vec<Named> {
    let own = match role {
        Role::Client => client(version),
        Role::Broker => broker(version),
    };
    let mut packets = own;
    packets.extend(both(role, version));
    packets
}

/// Properties, which 3.1.1 has none of.
fn properties(version: ProtocolVersion, properties: &[Property]) -> Properties {
    match version {
        ProtocolVersion::V5 => properties.iter().cloned().collect(),
        ProtocolVersion::V311 => Properties::default(),
    }
}

fn user() -> Property {
    Property::UserProperty("k".into(), "v".into())
}

fn client(version: ProtocolVersion) -> Vec<Named> {
    let asked = [
        Property::SessionExpiryInterval(60),
        Property::ReceiveMaximum(2),
        Property::MaximumPacketSize(99),
        Property::TopicAliasMaximum(1),
        Property::RequestResponseInformation(1),
        Property::RequestProblemInformation(0),
        user(),
        Property::AuthenticationMethod("m".into()),
        Property::AuthenticationData("d".into()),
    ];
    let connect = Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 30,
        client_id: "a".into(),
        will: Some(will(version)),
        username: Some("u".into()),
        password: Some("p".into()),
        properties: properties(version, &asked),
    };
    let later = version == ProtocolVersion::V5;
    let subscription = Subscription {
        filter: "a/+".into(),
        qos: Qos::ExactlyOnce,
        no_local: later,
        retain_as_published: later,
        retain_handling: 2 * u8::from(later),
    };
    let subscribe = Subscribe {
        packet_id: 1,
        filters: vec![subscription],
        properties: properties(version, &[Property::SubscriptionIdentifier(7), user()]),
    };
    let unsubscribe = Unsubscribe {
        packet_id: 2,
        filters: vec!["a/+".into(), "#".into()],
        properties: properties(version, &[user()]),
    };
    vec![
        ("connect", Packet::Connect(Box::new(connect))),
        ("subscribe", Packet::Subscribe(subscribe)),
        ("unsubscribe", Packet::Unsubscribe(unsubscribe)),
        ("pingreq", Packet::PingReq),
    ]
}

fn will(version: ProtocolVersion) -> Will {
    let said = [
        Property::WillDelayInterval(5),
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(9),
        Property::ContentType("c".into()),
        Property::ResponseTopic("r".into()),
        Property::CorrelationData("x".into()),
        user(),
    ];
    Will {
        qos: Qos::AtLeastOnce,
        retain: true,
        topic: "w".into(),
        payload: "gone".into(),
        properties: properties(version, &said),
    }
}

fn broker(version: ProtocolVersion) -> Vec<Named> {
    let granted = [
        Property::SessionExpiryInterval(60),
        Property::ReceiveMaximum(2),
        Property::MaximumQos(1),
        Property::RetainAvailable(1),
        Property::MaximumPacketSize(99),
        Property::AssignedClientIdentifier("a".into()),
        Property::TopicAliasMaximum(1),
        Property::ReasonString("r".into()),
        user(),
        Property::WildcardSubscriptionAvailable(1),
        Property::SubscriptionIdentifierAvailable(0),
        Property::SharedSubscriptionAvailable(1),
        Property::ServerKeepAlive(9),
        Property::ResponseInformation("i".into()),
        Property::ServerReference("s".into()),
        Property::AuthenticationMethod("m".into()),
        Property::AuthenticationData("d".into()),
    ];
    let connack = ConnAck {
        session_present: true,
        code: ReasonCode::SUCCESS,
        properties: properties(version, &granted),
    };
    let said = properties(version, &[Property::ReasonString("r".into()), user()]);
    let suback = SubAck {
        packet_id: 1,
        codes: vec![ReasonCode::GRANTED_QOS_1, ReasonCode::UNSPECIFIED_ERROR],
        properties: said.clone(),
    };
    let codes = match version {
        ProtocolVersion::V5 => vec![ReasonCode::SUCCESS, ReasonCode::NO_SUBSCRIPTION_EXISTED],
        ProtocolVersion::V311 => Vec::new(),
    };
    let unsuback = UnsubAck {
        packet_id: 2,
        codes,
        properties: said,
    };
    vec![
        ("connack", Packet::ConnAck(connack)),
        ("suback", Packet::SubAck(suback)),
        ("unsuback", Packet::UnsubAck(unsuback)),
        ("pingresp", Packet::PingResp),
    ]
}

/// What either peer sends.
fn both(role: Role, version: ProtocolVersion) -> Vec<Named> {
    let mut packets = Vec::new();
    for (name, qos) in [
        ("publish-qos0", Qos::AtMostOnce),
        ("publish-qos1", Qos::AtLeastOnce),
        ("publish-qos2", Qos::ExactlyOnce),
    ] {
        packets.push((name, Packet::Publish(publish(role, version, qos))));
    }
    let code = match version {
        ProtocolVersion::V5 => ReasonCode::NOT_AUTHORIZED,
        ProtocolVersion::V311 => ReasonCode::SUCCESS,
    };
    let acks: [NamedAck; 4] = [
        ("puback", Packet::PubAck),
        ("pubrec", Packet::PubRec),
        ("pubrel", Packet::PubRel),
        ("pubcomp", Packet::PubComp),
    ];
    let said = properties(version, &[Property::ReasonString("r".into()), user()]);
    for (index, (name, packet)) in acks.into_iter().enumerate() {
        // PUBREL and PUBCOMP know one code beside success.
        let refused = match (index, version) {
            (2.., ProtocolVersion::V5) => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
            _ => code,
        };
        packets.push((
            name,
            packet(Ack {
                properties: said.clone(),
                ..Ack::new(3, refused)
            }),
        ));
    }
    if version == ProtocolVersion::V5 || role == Role::Client {
        let expiry = [Property::SessionExpiryInterval(1)];
        let reference = [Property::ServerReference("s".into()), user()];
        let (code, told) = match (role, version) {
            (_, ProtocolVersion::V311) => (ReasonCode::SUCCESS, &expiry[..]),
            (Role::Client, _) => (ReasonCode::DISCONNECT_WITH_WILL, &expiry[..]),
            (Role::Broker, _) => (ReasonCode::SERVER_MOVED, &reference[..]),
        };
        let properties = properties(version, told);
        packets.push((
            "disconnect",
            Packet::Disconnect(Disconnect { code, properties }),
        ));
    }
    if version == ProtocolVersion::V5 {
        let method = Property::AuthenticationMethod("m".into());
        let data = Property::AuthenticationData("d".into());
        packets.push((
            "auth",
            Packet::Auth(Auth {
                code: ReasonCode::CONTINUE_AUTHENTICATION,
                properties: [method, data].into_iter().collect(),
            }),
        ));
    }
    packets
}

fn publish(role: Role, version: ProtocolVersion, qos: Qos) -> Publish {
    let mut said = vec![
        Property::PayloadFormatIndicator(0),
        Property::MessageExpiryInterval(9),
        Property::TopicAlias(1),
        Property::ResponseTopic("r".into()),
        Property::CorrelationData("x".into()),
        user(),
        Property::ContentType("c".into()),
    ];
    if role == Role::Broker {
        said.push(Property::SubscriptionIdentifier(200));
    }
    let id_needed = qos > Qos::AtMostOnce;
    Publish {
        dup: id_needed,
        qos,
        retain: true,
        topic: "a/b".into(),
        packet_id: 4 * u16::from(id_needed),
        properties: properties(version, &said),
        payload: "hi".into(),
    }
}
