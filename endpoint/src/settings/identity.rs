//! Whether the resource is ours, and its name.

use serde_json::Value;

use super::read::{Field, Findings, Section};
use super::words::{Choice, quoted, shown};
use super::{fields, names};
use crate::limits::NAME_CHARS_MAX;
use crate::resource::{API_VERSION, GROUP, KIND, MQTT, VERSIONS};
use crate::suggest;
use crate::violation::Reason;

/// What the API server puts behind `generateName`; its letters do not matter, its length does.
const GENERATED_SUFFIX: &str = "xxxxx";

const ENDPOINT_TYPES: Choice<()> = Choice {
    what: "an endpoint type that the sidecar serves",
    words: &[(MQTT, ())],
    aliases: &[],
};

/// Checks `apiVersion` and `kind`; false where the resource is of another kind, whose fields say nothing to us.
pub(super) fn is_ours(root: &Section<'_>, findings: &mut Findings) -> bool {
    let version = root.get("apiVersion").and_then(Value::as_str);
    let kind = root.get("kind").and_then(Value::as_str);
    let group_is_ours = version.is_some_and(|version| version.split('/').next() == Some(GROUP));
    let version_is_ours = group_is_ours
        && version
            .and_then(|version| version.split_once('/'))
            .is_some_and(|(_, version)| VERSIONS.contains(&version));
    let keys = [
        (
            "apiVersion",
            version_is_ours,
            API_VERSION,
            "a version of DataflowEndpoint",
        ),
        (
            "kind",
            kind == Some(KIND),
            KIND,
            "the kind DataflowEndpoint",
        ),
    ];
    for (key, good, write, what) in keys {
        match root.get(key) {
            _ if good => {}
            None => findings.deny(key, Reason::Required, format!("is required: write {write}")),
            Some(value) => {
                findings.deny(
                    key,
                    Reason::NotSupported,
                    format!("{} is not {what}: write {write}", shown(value)),
                );
            }
        }
    }
    group_is_ours || kind.is_some_and(|kind| suggest::nearest(kind, [KIND]).is_some())
}

/// Checks `endpointType`; false where it is another product's, whose fields say nothing to us.
pub(super) fn is_mqtt(spec: &Section<'_>, findings: &mut Findings) -> bool {
    match spec.choice("endpointType", &ENDPOINT_TYPES, findings) {
        Field::Absent => {
            findings.deny(
                spec.at("endpointType"),
                Reason::Required,
                format!("is required: write {MQTT}"),
            );
            true
        }
        Field::Bad(guess) => guess.is_some(),
        Field::Good(()) => true,
    }
}

/// Name, namespace and generation. The rest of the metadata is the API server's to check.
pub(super) fn metadata(
    root: &Section<'_>,
    findings: &mut Findings,
) -> (Option<String>, String, i64) {
    let metadata = root.section("metadata", fields::METADATA, findings);
    let text = |key| metadata.get(key).and_then(Value::as_str);
    let namespace = text("namespace").unwrap_or_default().to_owned();
    let generation = metadata
        .get("generation")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let write = format!(
        "at most {NAME_CHARS_MAX} lower-case letters, digits and '-', with a letter or digit at both ends"
    );
    let (key, given) = match metadata.text("name", &write, findings) {
        Field::Good(name) => ("name", name.to_owned()),
        Field::Bad(_) => return (None, namespace, generation),
        // The API server makes the name after the mutating webhooks have spoken.
        Field::Absent => match text("generateName") {
            Some(prefix) if !prefix.is_empty() => {
                let kept = NAME_CHARS_MAX - GENERATED_SUFFIX.len();
                (
                    "generateName",
                    prefix
                        .chars()
                        .take(kept)
                        .chain(GENERATED_SUFFIX.chars())
                        .collect(),
                )
            }
            _ => {
                findings.deny(
                    metadata.at("name"),
                    Reason::Required,
                    format!("is required: write {write}"),
                );
                return (None, namespace, generation);
            }
        },
    };
    if names::is_label(&given) {
        return (Some(given), namespace, generation);
    }
    let shown = if key == "name" {
        &given
    } else {
        given.trim_end_matches(GENERATED_SUFFIX)
    };
    let mended = names::mended(&given, names::is_label).filter(|_| key == "name");
    let write = mended.unwrap_or(write);
    findings.invalid(
        metadata.at(key),
        format!("{} cannot name an endpoint: write {write}", quoted(shown)),
    );
    (None, namespace, generation)
}
