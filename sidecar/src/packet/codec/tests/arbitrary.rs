//! Packets as a peer may legally send them, for the property tests.

mod fields;

use bytestring::ByteString;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};

use self::fields::*;
use crate::packet::PropertyId::*;
use crate::packet::*;

/// The same cases in every run; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others and for more.
pub(super) fn config() -> Config {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(0x0004_4D51_5454);
    }
    config
}

/// A peer and the version it speaks.
pub(super) fn peer() -> impl Strategy<Value = (Role, ProtocolVersion)> {
    select(vec![
        (Role::Client, ProtocolVersion::V311),
        (Role::Client, ProtocolVersion::V5),
        (Role::Broker, ProtocolVersion::V311),
        (Role::Broker, ProtocolVersion::V5),
    ])
}

/// A peer and packets of it.
pub(super) fn packets(count: usize) -> impl Strategy<Value = (Role, ProtocolVersion, Vec<Packet>)> {
    peer().prop_flat_map(move |(role, version)| {
        (
            Just(role),
            Just(version),
            vec(packet(role, version), 1..=count),
        )
    })
}

/// A packet that this peer may send.
pub(super) fn packet(role: Role, version: ProtocolVersion) -> BoxedStrategy<Packet> {
    let acks = prop_oneof![
        ack(
            version,
            &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        )
        .prop_map(Packet::PubAck),
        ack(
            version,
            &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        )
        .prop_map(Packet::PubRec),
        ack(version, &[0x00, 0x92]).prop_map(Packet::PubRel),
        ack(version, &[0x00, 0x92]).prop_map(Packet::PubComp),
    ];
    let own = match role {
        Role::Client => prop_oneof![
            connect(version).prop_map(|connect| Packet::Connect(Box::new(connect))),
            subscribe(version).prop_map(Packet::Subscribe),
            unsubscribe(version).prop_map(Packet::Unsubscribe),
            Just(Packet::PingReq),
            disconnect(role, version).prop_map(Packet::Disconnect),
        ]
        .boxed(),
        Role::Broker => prop_oneof![
            connack(version).prop_map(Packet::ConnAck),
            suback(version).prop_map(Packet::SubAck),
            unsuback(version).prop_map(Packet::UnsubAck),
            Just(Packet::PingResp),
        ]
        .boxed(),
    };
    let publish = publish(role, version).prop_map(Packet::Publish);
    match (role, version) {
        (_, ProtocolVersion::V311) => prop_oneof![2 => publish, 1 => acks, 3 => own].boxed(),
        (_, ProtocolVersion::V5) => {
            let auth = auth(role).prop_map(Packet::Auth);
            let disconnect = disconnect(role, version).prop_map(Packet::Disconnect);
            prop_oneof![4 => publish, 2 => acks, 6 => own, 1 => auth, 1 => disconnect].boxed()
        }
    }
}

fn connect(version: ProtocolVersion) -> impl Strategy<Value = Connect> {
    let properties = properties(
        version,
        &[
            SessionExpiryInterval,
            AuthenticationMethod,
            AuthenticationData,
            RequestProblemInformation,
            RequestResponseInformation,
            ReceiveMaximum,
            TopicAliasMaximum,
            MaximumPacketSize,
            UserProperty,
            UserProperty,
        ],
    );
    (
        any::<bool>(),
        any::<u16>(),
        text(),
        option::of(will(version)),
        option::of(text()),
        option::of(binary()),
        properties,
    )
        .prop_map(
            move |(
                clean_start,
                keep_alive_seconds,
                client_id,
                will,
                username,
                password,
                properties,
            )| Connect {
                version,
                clean_start,
                keep_alive_seconds,
                client_id,
                will,
                password: password.filter(|_| version == ProtocolVersion::V5 || username.is_some()),
                username,
                properties,
            },
        )
}

fn will(version: ProtocolVersion) -> impl Strategy<Value = Will> {
    let properties = properties(
        version,
        &[
            PayloadFormatIndicator,
            MessageExpiryInterval,
            ContentType,
            ResponseTopic,
            CorrelationData,
            WillDelayInterval,
            UserProperty,
            UserProperty,
        ],
    );
    (qos(), any::<bool>(), topic(), binary(), properties).prop_map(
        |(qos, retain, topic, payload, properties)| Will {
            qos,
            retain,
            topic,
            payload,
            properties,
        },
    )
}

fn connack(version: ProtocolVersion) -> impl Strategy<Value = ConnAck> {
    let codes: &[u8] = match version {
        ProtocolVersion::V311 => &[0, 0, 0, 1, 2, 3, 4, 5],
        ProtocolVersion::V5 => &[
            0x00, 0x00, 0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A,
            0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
    };
    let properties = properties(
        version,
        &[
            SessionExpiryInterval,
            AssignedClientIdentifier,
            ServerKeepAlive,
            AuthenticationMethod,
            AuthenticationData,
            ResponseInformation,
            ServerReference,
            ReasonString,
            ReceiveMaximum,
            TopicAliasMaximum,
            MaximumQos,
            RetainAvailable,
            MaximumPacketSize,
            WildcardSubscriptionAvailable,
            SubscriptionIdentifierAvailable,
            SharedSubscriptionAvailable,
            UserProperty,
            UserProperty,
        ],
    );
    (any::<bool>(), code(codes), properties).prop_map(|(session_present, code, properties)| {
        ConnAck {
            session_present: session_present && code == ReasonCode::SUCCESS,
            code,
            properties,
        }
    })
}

fn publish(role: Role, version: ProtocolVersion) -> impl Strategy<Value = Publish> {
    let mut ids = vec![
        PayloadFormatIndicator,
        MessageExpiryInterval,
        ContentType,
        ResponseTopic,
        CorrelationData,
        TopicAlias,
        UserProperty,
        UserProperty,
        UserProperty,
    ];
    if role == Role::Broker {
        ids.extend([SubscriptionIdentifier; 3]);
    }
    let properties = properties(version, &ids);
    (
        any::<bool>(),
        qos(),
        any::<bool>(),
        option::of(topic()),
        packet_id(),
        properties,
        payload(),
    )
        .prop_map(
            |(dup, qos, retain, topic, packet_id, properties, payload)| Publish {
                dup: dup && qos != Qos::AtMostOnce,
                qos,
                retain,
                topic: match topic {
                    None if properties.has(TopicAlias) => ByteString::new(),
                    topic => topic.unwrap_or("t".into()),
                },
                packet_id: if qos == Qos::AtMostOnce { 0 } else { packet_id },
                properties,
                payload,
            },
        )
}

fn ack(version: ProtocolVersion, codes: &'static [u8]) -> impl Strategy<Value = Ack> {
    let codes = if version == ProtocolVersion::V311 {
        &codes[..1]
    } else {
        codes
    };
    let properties = reason_properties(version);
    (packet_id(), code(codes), properties).prop_map(|(packet_id, code, properties)| Ack {
        packet_id,
        code,
        properties,
    })
}

fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Subscribe> {
    let properties = properties(
        version,
        &[SubscriptionIdentifier, UserProperty, UserProperty],
    );
    (packet_id(), vec(subscription(version), 1..5), properties).prop_map(
        |(packet_id, filters, properties)| Subscribe {
            packet_id,
            filters,
            properties,
        },
    )
}

fn subscription(version: ProtocolVersion) -> impl Strategy<Value = Subscription> {
    let v5 = version == ProtocolVersion::V5;
    (filter(), qos(), any::<bool>(), any::<bool>(), 0u8..3).prop_map(
        move |(filter, qos, no_local, retain_as_published, retain_handling)| Subscription {
            no_local: v5 && no_local && !topic::is_shared(&filter),
            filter,
            qos,
            retain_as_published: v5 && retain_as_published,
            retain_handling: if v5 { retain_handling } else { 0 },
        },
    )
}

fn suback(version: ProtocolVersion) -> impl Strategy<Value = SubAck> {
    let codes: &[u8] = match version {
        ProtocolVersion::V311 => &[0x00, 0x01, 0x02, 0x80],
        ProtocolVersion::V5 => &[
            0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
        ],
    };
    (
        packet_id(),
        vec(code(codes), 1..9),
        reason_properties(version),
    )
        .prop_map(|(packet_id, codes, properties)| SubAck {
            packet_id,
            codes,
            properties,
        })
}

fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Unsubscribe> {
    let properties = properties(version, &[UserProperty, UserProperty]);
    (packet_id(), vec(filter(), 1..5), properties).prop_map(|(packet_id, filters, properties)| {
        Unsubscribe {
            packet_id,
            filters,
            properties,
        }
    })
}

fn unsuback(version: ProtocolVersion) -> impl Strategy<Value = UnsubAck> {
    let codes = vec(code(&[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]), 1..9);
    (packet_id(), codes, reason_properties(version)).prop_map(
        move |(packet_id, codes, properties)| UnsubAck {
            packet_id,
            codes: if version == ProtocolVersion::V5 {
                codes
            } else {
                Vec::new()
            },
            properties,
        },
    )
}

fn disconnect(role: Role, version: ProtocolVersion) -> impl Strategy<Value = Disconnect> {
    let codes: &[u8] = match version {
        ProtocolVersion::V311 => &[0],
        ProtocolVersion::V5 => &[
            0x00, 0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0,
            0xA1, 0xA2,
        ],
    };
    let own = match role {
        Role::Client => SessionExpiryInterval,
        Role::Broker => ServerReference,
    };
    let properties = properties(version, &[own, ReasonString, UserProperty, UserProperty]);
    (code(codes), properties).prop_map(|(code, properties)| Disconnect { code, properties })
}

fn auth(role: Role) -> impl Strategy<Value = Auth> {
    let codes: &[u8] = match role {
        Role::Client => &[0x18, 0x19],
        Role::Broker => &[0x00, 0x18],
    };
    let ids = &[AuthenticationData, ReasonString, UserProperty, UserProperty];
    (code(codes), text(), properties(ProtocolVersion::V5, ids)).prop_map(
        |(code, method, properties)| Auth {
            code,
            properties: properties.with(Property::AuthenticationMethod(method)),
        },
    )
}
