//! Reading, changing and showing properties.

use bytes::Bytes;

use super::check::check;
use super::*;
use crate::packet::ReasonCode;

fn user(name: &'static str, value: &'static str) -> Property {
    Property::UserProperty(name.into(), value.into())
}

fn sample() -> Properties {
    Properties::from_iter([
        user("a", "1"),
        Property::MessageExpiryInterval(30),
        Property::CorrelationData(Bytes::from_static(&[0, 0xFF])),
        Property::SubscriptionIdentifier(128),
        Property::SubscriptionIdentifier(268_435_455),
        Property::ContentType("text/plain".into()),
        user("a", "2"),
    ])
}

#[test]
fn getters_read_the_first_of_their_kind() {
    let properties = sample();
    assert_eq!(properties.int(PropertyId::MessageExpiryInterval), Some(30));
    assert_eq!(
        properties.int(PropertyId::SubscriptionIdentifier),
        Some(128)
    );
    assert_eq!(
        properties.text(PropertyId::ContentType).as_deref(),
        Some("text/plain")
    );
    assert_eq!(
        properties.binary(PropertyId::CorrelationData).as_deref(),
        Some(&[0, 0xFF][..])
    );
    assert_eq!(
        properties.user_properties().collect::<Vec<_>>(),
        [("a", "1"), ("a", "2")]
    );
    assert!(properties.has(PropertyId::UserProperty));
    assert!(!properties.has(PropertyId::TopicAlias));
}

#[test]
fn getters_of_another_kind_find_nothing() {
    let properties = sample();
    assert_eq!(properties.int(PropertyId::ContentType), None);
    assert_eq!(properties.text(PropertyId::MessageExpiryInterval), None);
    assert_eq!(properties.text(PropertyId::UserProperty), None);
    assert_eq!(properties.binary(PropertyId::ContentType), None);
}

#[test]
fn iter_gives_back_what_was_collected() {
    let properties = sample();
    assert_eq!(properties.iter().collect::<Properties>(), properties);
    assert_eq!(properties.ids().count(), 7);
    assert!(Properties::default().iter().next().is_none());
}

#[test]
fn without_keeps_the_rest_in_order() {
    let rest =
        sample().without(|id| id == PropertyId::UserProperty || id == PropertyId::CorrelationData);
    let expected = [
        Property::MessageExpiryInterval(30),
        Property::SubscriptionIdentifier(128),
        Property::SubscriptionIdentifier(268_435_455),
        Property::ContentType("text/plain".into()),
    ];
    assert_eq!(rest, Properties::from_iter(expected));
    assert!(sample().without(|_| true).is_empty());
}

#[test]
fn without_anything_to_drop_shares_the_bytes() {
    let properties = sample();
    let same = properties.without(|id| id == PropertyId::TopicAlias);
    assert_eq!(same.as_bytes().as_ptr(), properties.as_bytes().as_ptr());
    assert_ne!(
        properties.detached().as_bytes().as_ptr(),
        properties.as_bytes().as_ptr()
    );
}

#[test]
fn with_replaces_in_place_or_adds_at_the_end() {
    let replaced = sample().with(Property::MessageExpiryInterval(1));
    assert_eq!(
        replaced.ids().nth(1),
        Some(PropertyId::MessageExpiryInterval)
    );
    assert_eq!(replaced.int(PropertyId::MessageExpiryInterval), Some(1));
    assert_eq!(replaced.iter().count(), 7);

    let one_left = sample().with(Property::SubscriptionIdentifier(1));
    assert_eq!(one_left.int(PropertyId::SubscriptionIdentifier), Some(1));
    assert_eq!(one_left.iter().count(), 6);

    let added = sample()
        .with(Property::PayloadFormatIndicator(1))
        .with(user("a", "3"));
    let last: Vec<_> = added.iter().skip(7).collect();
    assert_eq!(last, [Property::PayloadFormatIndicator(1), user("a", "3")]);
}

#[test]
fn user_properties_are_added_with_one_allocation() {
    let added = sample().with_user_properties([("specversion", "1.0"), ("id", "x")]);
    assert_eq!(
        added,
        sample()
            .with(user("specversion", "1.0"))
            .with(user("id", "x"))
    );
    assert_eq!(
        Properties::default().with_user_properties([]),
        Properties::default()
    );
}

#[test]
fn debug_shows_everything_but_authentication_data() {
    let properties = Properties::from_iter([
        Property::AuthenticationMethod("K8S-SAT".into()),
        Property::AuthenticationData(Bytes::from_static(b"token")),
        user("name", "value"),
    ]);
    let expected = r#"[AuthenticationMethod("K8S-SAT"), AuthenticationData((hidden)), UserProperty("name", "value")]"#;
    assert_eq!(format!("{properties:?}"), expected);
    let data = Property::AuthenticationData(Bytes::from_static(b"token"));
    assert_eq!(format!("{data:?}"), "AuthenticationData((hidden))");
}

/// Table 2-4 of the specification, from its last column.
const TABLE: &[(PropertyId, u8, &[Place])] = {
    use Place::*;
    use PropertyId::*;
    &[
        (PayloadFormatIndicator, 1, &[Publish, Will]),
        (MessageExpiryInterval, 2, &[Publish, Will]),
        (ContentType, 3, &[Publish, Will]),
        (ResponseTopic, 8, &[Publish, Will]),
        (CorrelationData, 9, &[Publish, Will]),
        (SubscriptionIdentifier, 11, &[Publish, Subscribe]),
        (SessionExpiryInterval, 17, &[Connect, ConnAck, Disconnect]),
        (AssignedClientIdentifier, 18, &[ConnAck]),
        (ServerKeepAlive, 19, &[ConnAck]),
        (AuthenticationMethod, 21, &[Connect, ConnAck, Auth]),
        (AuthenticationData, 22, &[Connect, ConnAck, Auth]),
        (RequestProblemInformation, 23, &[Connect]),
        (WillDelayInterval, 24, &[Will]),
        (RequestResponseInformation, 25, &[Connect]),
        (ResponseInformation, 26, &[ConnAck]),
        (ServerReference, 28, &[ConnAck, Disconnect]),
        (ReasonString, 31, &[ConnAck, Ack, Disconnect, Auth]),
        (ReceiveMaximum, 33, &[Connect, ConnAck]),
        (TopicAliasMaximum, 34, &[Connect, ConnAck]),
        (TopicAlias, 35, &[Publish]),
        (MaximumQos, 36, &[ConnAck]),
        (RetainAvailable, 37, &[ConnAck]),
        (UserProperty, 38, PLACES),
        (MaximumPacketSize, 39, &[Connect, ConnAck]),
        (WildcardSubscriptionAvailable, 40, &[ConnAck]),
        (SubscriptionIdentifierAvailable, 41, &[ConnAck]),
        (SharedSubscriptionAvailable, 42, &[ConnAck]),
    ]
};

const PLACES: &[Place] = &[
    Place::Connect,
    Place::Will,
    Place::ConnAck,
    Place::Publish,
    Place::Ack,
    Place::Subscribe,
    Place::Unsubscribe,
    Place::Disconnect,
    Place::Auth,
];

/// A legal value of each property, encoded.
fn encoded(id: PropertyId) -> Bytes {
    let text = || "t".into();
    let property = match id.kind() {
        table::Kind::Byte => Property::new(id, Value::Byte(1)),
        table::Kind::TwoByte => Property::new(id, Value::TwoByte(1)),
        table::Kind::FourByte => Property::new(id, Value::FourByte(1)),
        table::Kind::Variable => Property::new(id, Value::Variable(1)),
        table::Kind::Text => Property::new(id, Value::Text(text())),
        table::Kind::Binary => Property::new(id, Value::Binary("t".into())),
        table::Kind::Pair => Property::new(id, Value::Pair(text(), text())),
    };
    Properties::from_iter([property]).encoded
}

#[test]
fn properties_are_legal_where_table_2_4_has_them() {
    assert_eq!(TABLE.len(), PropertyId::ALL.len());
    for &(id, number, legal) in TABLE {
        let encoded = encoded(id);
        assert_eq!(encoded[0], number, "{id:?}");
        for place in PLACES {
            let malformed = check(&encoded, *place)
                .is_err_and(|error| error.reason == ReasonCode::MALFORMED_PACKET);
            assert_eq!(!malformed, legal.contains(place), "{id:?} in {place:?}");
        }
    }
}

#[test]
fn only_table_2_4_has_numbers() {
    let known = (0..=255).filter(|number| PropertyId::from_byte(*number).is_some());
    assert!(known.eq(TABLE.iter().map(|(_, number, _)| *number)));
}
