use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::packet::{Property, Qos};

fn publish(properties: Vec<Property>) -> Publish {
    Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic: "oven/temperature".into(),
        packet_id: 1,
        properties: properties.into_iter().collect(),
        payload: "21".into(),
    }
}

fn user(name: &'static str, value: &'static str) -> Property {
    Property::UserProperty(name.into(), value.into())
}

fn enriched(properties: Vec<Property>) -> Option<Vec<Property>> {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_522_949_460);
    enrich(&publish(properties), "default", Uuid::nil(), wall)
        .map(|properties| properties.iter().collect())
}

#[test]
fn missing_attributes_are_filled_in() {
    assert_eq!(
        enriched(vec![Property::ContentType("application/json".into())]),
        Some(vec![
            Property::ContentType("application/json".into()),
            user("specversion", "1.0"),
            user("type", "ms.aio-dataflow.telemetry"),
            user("source", "aio://default"),
            user("id", "00000000-0000-0000-0000-000000000000"),
            user("subject", "oven/temperature"),
            user("time", "2018-04-05T17:31:00Z"),
        ])
    );
}

#[test]
fn present_attributes_stay() {
    let properties = enriched(vec![
        user("id", "mine"),
        user("subject", "s"),
        user("x", "y"),
    ])
    .expect("three required attributes are missing");
    assert_eq!(
        properties[..5],
        [
            user("id", "mine"),
            user("subject", "s"),
            user("x", "y"),
            user("specversion", "1.0"),
            user("type", "ms.aio-dataflow.telemetry"),
        ]
    );
    assert_eq!(properties.len(), 7);
}

#[test]
fn a_complete_event_is_untouched_though_subject_and_time_lack() {
    let complete = ["specversion", "type", "source", "id"].map(|name| user(name, "v"));
    assert_eq!(enriched(complete.to_vec()), None);
}

#[test]
fn a_structured_event_is_untouched() {
    for content_type in [
        "application/cloudevents+json; charset=utf-8",
        "Application/CloudEvents",
    ] {
        assert_eq!(
            enriched(vec![Property::ContentType(content_type.into())]),
            None
        );
    }
}

#[test]
fn an_attribute_that_is_there_twice_leaves_the_message_as_it_is() {
    assert_eq!(enriched(vec![user("id", "1"), user("id", "2")]), None);
    assert_eq!(enriched(vec![user("time", "a"), user("time", "a")]), None);
    // An extension of the app's own may be a list.
    assert!(enriched(vec![user("x", "1"), user("x", "2")]).is_some());
}

/// A message as a receiver sees it (CloudEvents MQTT binding 1.0.2, section 3.1): every attribute with its value, or
/// what makes it no event.
fn received(properties: &Properties) -> Result<BTreeMap<String, String>, String> {
    let mut attributes = BTreeMap::new();
    for (name, value) in properties.user_properties() {
        let before = attributes.insert(name.to_owned(), value.to_owned());
        if before.is_some() && ATTRIBUTES.contains(&name) {
            return Err(format!("{name} is there twice"));
        }
    }
    // Section 3.1.2: it is the Content Type property, and no user property stands for it.
    if let Some(content_type) = properties.text(PropertyId::ContentType) {
        attributes.insert("datacontenttype".to_owned(), content_type.to_string());
    }
    for name in &ATTRIBUTES[..REQUIRED] {
        match attributes.get(*name) {
            None => return Err(format!("{name} is missing")),
            Some(_) => continue,
        }
    }
    Ok(attributes)
}

/// What CloudEvents 1.0.2 section 3.1 asks of a value that was filled in.
fn is_valid(name: &str, value: &str, topic: &str) -> bool {
    let text = !value.is_empty() && !value.contains(char::is_control);
    text && match name {
        "specversion" => value == "1.0",
        // A URI reference; an endpoint's name is a DNS label.
        "source" => value
            .strip_prefix("aio://")
            .is_some_and(|name| !name.contains(' ')),
        "id" => value.len() == 36,
        "time" => humantime::parse_rfc3339(value).is_ok() && value.ends_with('Z'),
        "subject" => value == topic,
        name => name == "type",
    }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(ATTRIBUTES.to_vec()).prop_map(str::to_owned),
        1 => proptest::sample::select(vec!["dataschema", "datacontenttype", "ce_id", "ID"])
            .prop_map(str::to_owned),
        2 => "[a-z0-9]{1,20}",
    ]
}

fn content_types() -> impl Strategy<Value = Option<String>> {
    let known = [
        "application/json",
        "application/cloudevents+json",
        "Application/CloudEvents-batch+json",
        "application/cloudevent",
        "",
    ];
    proptest::option::of(proptest::sample::select(known.to_vec()).prop_map(str::to_owned))
}

proptest! {
    #[test]
    fn what_is_filled_in_is_an_event_and_what_is_not_stays(
        users in proptest::collection::vec((names(), "[ -~]{0,12}"), 0..12),
        content_type in content_types(),
        topic in "[a-zA-Z0-9/ \u{1}\u{e9}]{1,40}",
        id in any::<u128>(),
        seconds in 0_u64..4_000_000_000,
    ) {
        let properties: Properties = content_type
            .iter()
            .map(|value| Property::ContentType(value.as_str().into()))
            .chain(users.iter().map(|(name, value)| {
                Property::UserProperty(name.as_str().into(), value.as_str().into())
            }))
            .collect();
        let message = Publish { topic: topic.as_str().into(), properties, ..publish(vec![]) };
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let enriched = enrich(&message, "line-1", Uuid::from_u128(id), wall);
        let structured = content_type
            .as_ref()
            .is_some_and(|value| value.to_lowercase().starts_with(STRUCTURED));
        let count = |name: &str| users.iter().filter(|(known, _)| known == name).count();
        let Some(enriched) = enriched else {
            let complete = ATTRIBUTES[..REQUIRED].iter().all(|name| count(name) > 0);
            let doubled = ATTRIBUTES.iter().any(|name| count(name) > 1);
            prop_assert!(structured || complete || doubled);
            return Ok(());
        };
        prop_assert!(!structured, "its attributes are in its payload");
        // Nothing of the app's is changed or moved.
        let before = message.properties.as_bytes();
        prop_assert!(enriched.as_bytes().starts_with(before));
        prop_assert_eq!(enriched.text(PropertyId::ContentType), message.properties.text(PropertyId::ContentType));
        let event = received(&enriched).map_err(TestCaseError::fail)?;
        for (name, value) in enriched.user_properties().skip(users.len()) {
            prop_assert_eq!(count(name), 0, "{} was there", name);
            prop_assert!(is_valid(name, value, &topic), "{}: {:?}", name, value);
        }
        for (name, value) in &users {
            prop_assert!(count(name) > 1 || event.get(name) == Some(value) || name == "datacontenttype");
        }
        let again = Publish { properties: enriched, ..message };
        prop_assert_eq!(enrich(&again, "line-1", Uuid::nil(), wall), None, "an event stays");
    }
}
