//! CloudEvents attributes of messages to the broker (CloudEvents MQTT binding 1.0.2, binary mode).

use std::time::SystemTime;

use bytestring::ByteString;
use uuid::Uuid;

use crate::packet::{Properties, Property, PropertyId, Publish};

/// Content types that begin so are structured events, whose attributes are in the payload.
const STRUCTURED: &str = "application/cloudevents";
/// `type` of an event that came without one.
const TYPE: &str = "ms.aio-dataflow.telemetry";
/// The attributes that make a message an event.
const REQUIRED: [&str; 4] = ["specversion", "type", "source", "id"];

/// The properties of `publish` with the attributes that it lacks, or `None` where it stays as it is: it has all the
/// required ones, or is a structured event.
///
/// Attributes are bare user properties; `datacontenttype` is the Content Type property and needs none.
pub(super) fn enrich(
    publish: &Publish,
    endpoint: &str,
    id: Uuid,
    wall: SystemTime,
) -> Option<Properties> {
    let content_type = publish.properties.text(PropertyId::ContentType);
    if content_type.is_some_and(|value| starts_with_ignore_case(&value, STRUCTURED)) {
        return None;
    }
    let present: Vec<ByteString> = publish
        .properties
        .iter()
        .filter_map(|property| match property {
            Property::UserProperty(name, _) => Some(name),
            _ => None,
        })
        .collect();
    let lacks = |name: &str| !present.iter().any(|known| *known == *name);
    if !REQUIRED.iter().any(|name| lacks(name)) {
        return None;
    }
    let generated = [
        ("specversion", ByteString::from_static("1.0")),
        ("type", ByteString::from_static(TYPE)),
        ("source", format!("aio://{endpoint}").into()),
        ("id", id.to_string().into()),
        ("subject", publish.topic.clone()),
        (
            "time",
            humantime::format_rfc3339_seconds(wall).to_string().into(),
        ),
    ];
    let missing = generated
        .into_iter()
        .filter(|(name, _)| lacks(name))
        .map(|(name, value)| Property::UserProperty(ByteString::from_static(name), value));
    Some(publish.properties.iter().chain(missing).collect())
}

fn starts_with_ignore_case(value: &str, prefix: &str) -> bool {
    value
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::packet::Qos;

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
}
