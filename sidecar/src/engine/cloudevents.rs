//! CloudEvents attributes of messages to the broker (CloudEvents MQTT binding 1.0.2, binary mode).

use std::time::SystemTime;

use uuid::Uuid;

use crate::packet::{Properties, PropertyId, Publish};

/// Content types that begin so are structured events, whose attributes are in the payload.
const STRUCTURED: &str = "application/cloudevents";
/// `type` of an event that came without one.
const TYPE: &str = "ms.aio-dataflow.telemetry";
/// The attributes that are filled in; the first [`REQUIRED`] make a message an event.
const ATTRIBUTES: [&str; 6] = ["specversion", "type", "source", "id", "subject", "time"];
const REQUIRED: usize = 4;
const SUBJECT: usize = 4;

/// The properties of `publish` with the attributes that it lacks, or `None` where it stays as it is: it has all the
/// required ones, is a structured event, or has one attribute twice, so that nothing makes it an event.
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
    let mut present = [false; ATTRIBUTES.len()];
    for (name, _) in publish.properties.user_properties() {
        if let Some(index) = ATTRIBUTES.iter().position(|known| *known == name) {
            if present[index] {
                return None;
            }
            present[index] = true;
        }
    }
    if present[..REQUIRED].iter().all(|present| *present) {
        return None;
    }
    // An attribute's text has no control characters, which a topic may have.
    present[SUBJECT] |= publish.topic.contains(char::is_control);
    let source = format!("aio://{endpoint}");
    let id = id.to_string();
    let time = humantime::format_rfc3339_seconds(wall).to_string();
    let values = ["1.0", TYPE, &source, &id, &publish.topic, &time];
    let all = ATTRIBUTES.into_iter().zip(values).zip(present);
    let missing = all.filter_map(|(attribute, present)| (!present).then_some(attribute));
    Some(publish.properties.with_user_properties(missing))
}

/// The bytes of all user properties, as Event Grid counts them: names and values.
pub(super) fn user_property_bytes(properties: &Properties) -> usize {
    let bytes = |(name, value): (&str, &str)| name.len() + value.len();
    properties.user_properties().map(bytes).sum()
}

fn starts_with_ignore_case(value: &str, prefix: &str) -> bool {
    value
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests;
