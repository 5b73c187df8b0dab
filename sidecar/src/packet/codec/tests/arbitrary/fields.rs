//! The fields of packets: properties, strings, names and codes.

use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::packet::PropertyId::*;
use crate::packet::*;

pub(super) fn reason_properties(version: ProtocolVersion) -> impl Strategy<Value = Properties> {
    properties(version, &[ReasonString, UserProperty, UserProperty])
}

/// Any of these properties in any order; authentication data only beside a method.
pub(super) fn properties(
    version: ProtocolVersion,
    ids: &[PropertyId],
) -> BoxedStrategy<Properties> {
    if version == ProtocolVersion::V311 {
        return Just(Properties::default()).boxed();
    }
    let alone = !ids.contains(&AuthenticationMethod);
    subsequence(ids.to_vec(), 0..=ids.len())
        .prop_shuffle()
        .prop_flat_map(|ids| ids.into_iter().map(property).collect::<Vec<_>>())
        .prop_map(move |properties| {
            let properties: Properties = properties.into_iter().collect();
            match alone || properties.has(AuthenticationMethod) {
                true => properties,
                false => properties.without(|id| id == AuthenticationData),
            }
        })
        .boxed()
}

fn property(id: PropertyId) -> BoxedStrategy<Property> {
    match id {
        PayloadFormatIndicator => (0u8..2).prop_map(Property::PayloadFormatIndicator).boxed(),
        MessageExpiryInterval => any::<u32>()
            .prop_map(Property::MessageExpiryInterval)
            .boxed(),
        ContentType => text().prop_map(Property::ContentType).boxed(),
        ResponseTopic => topic().prop_map(Property::ResponseTopic).boxed(),
        CorrelationData => binary().prop_map(Property::CorrelationData).boxed(),
        SubscriptionIdentifier => subscription_id()
            .prop_map(Property::SubscriptionIdentifier)
            .boxed(),
        SessionExpiryInterval => any::<u32>()
            .prop_map(Property::SessionExpiryInterval)
            .boxed(),
        AssignedClientIdentifier => text().prop_map(Property::AssignedClientIdentifier).boxed(),
        ServerKeepAlive => any::<u16>().prop_map(Property::ServerKeepAlive).boxed(),
        AuthenticationMethod => text().prop_map(Property::AuthenticationMethod).boxed(),
        AuthenticationData => binary().prop_map(Property::AuthenticationData).boxed(),
        RequestProblemInformation => (0u8..2)
            .prop_map(Property::RequestProblemInformation)
            .boxed(),
        WillDelayInterval => any::<u32>().prop_map(Property::WillDelayInterval).boxed(),
        RequestResponseInformation => (0u8..2)
            .prop_map(Property::RequestResponseInformation)
            .boxed(),
        ResponseInformation => text().prop_map(Property::ResponseInformation).boxed(),
        ServerReference => text().prop_map(Property::ServerReference).boxed(),
        ReasonString => text().prop_map(Property::ReasonString).boxed(),
        ReceiveMaximum => (1..=u16::MAX).prop_map(Property::ReceiveMaximum).boxed(),
        TopicAliasMaximum => any::<u16>().prop_map(Property::TopicAliasMaximum).boxed(),
        TopicAlias => (1..=u16::MAX).prop_map(Property::TopicAlias).boxed(),
        MaximumQos => (0u8..2).prop_map(Property::MaximumQos).boxed(),
        RetainAvailable => (0u8..2).prop_map(Property::RetainAvailable).boxed(),
        UserProperty => (text(), text())
            .prop_map(|(name, value)| Property::UserProperty(name, value))
            .boxed(),
        MaximumPacketSize => (1..=u32::MAX).prop_map(Property::MaximumPacketSize).boxed(),
        WildcardSubscriptionAvailable => (0u8..2)
            .prop_map(Property::WildcardSubscriptionAvailable)
            .boxed(),
        SubscriptionIdentifierAvailable => (0u8..2)
            .prop_map(Property::SubscriptionIdentifierAvailable)
            .boxed(),
        SharedSubscriptionAvailable => (0u8..2)
            .prop_map(Property::SharedSubscriptionAvailable)
            .boxed(),
    }
}

/// Around the borders of the variable byte integer's lengths, and anywhere.
fn subscription_id() -> impl Strategy<Value = u32> {
    prop_oneof![
        select(vec![
            1,
            127,
            128,
            16_383,
            16_384,
            2_097_151,
            2_097_152,
            268_435_455
        ]),
        1u32..=268_435_455,
    ]
}

pub(super) fn qos() -> impl Strategy<Value = Qos> {
    select(vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce])
}

pub(super) fn code(codes: &'static [u8]) -> impl Strategy<Value = ReasonCode> {
    select(codes).prop_map(ReasonCode)
}

pub(super) fn packet_id() -> impl Strategy<Value = PacketId> {
    1..=PacketId::MAX
}

/// Any characters but U+0000.
pub(super) fn text() -> impl Strategy<Value = ByteString> {
    string(0..12, &[])
}

/// A topic name.
pub(super) fn topic() -> impl Strategy<Value = ByteString> {
    prop_oneof![
        string(1..12, &['+', '#']),
        string(1..3, &['+', '#']).prop_map(|topic| format!("a/{topic}/b").into())
    ]
}

/// A topic filter with and without wildcards, shared or not.
pub(super) fn filter() -> impl Strategy<Value = ByteString> {
    let level =
        prop_oneof![3 => string(1..4, &['+', '#', '/']), 1 => Just(ByteString::from_static("+"))];
    let name = string(1..4, &['+', '#', '/']);
    (vec(level, 1..4), any::<bool>(), option::weighted(0.2, name)).prop_map(
        |(levels, hash, share)| {
            let mut levels = levels.join("/");
            if hash {
                levels.push_str("/#");
            }
            match share {
                Some(name) => format!("$share/{name}/{levels}").into(),
                None => levels.into(),
            }
        },
    )
}

fn string(
    len: std::ops::Range<usize>,
    without: &'static [char],
) -> impl Strategy<Value = ByteString> {
    let character = any::<char>().prop_map(|character| match character {
        '\0' => 'x',
        character if without.contains(&character) => 'y',
        character => character,
    });
    vec(character, len).prop_map(|characters| characters.into_iter().collect::<String>().into())
}

pub(super) fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

/// Mostly short, now and then long enough for two and three bytes of remaining length.
pub(super) fn payload() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..64).prop_map(Bytes::from),
        2 => (any::<u8>(), 100usize..300).prop_map(|(byte, len)| Bytes::from(vec![byte; len])),
        1 => (any::<u8>(), 16_300usize..16_500).prop_map(|(byte, len)| Bytes::from(vec![byte; len])),
    ]
}
