//! What a change of an endpoint brings with it: only new faults are refused, so that an endpoint written before a rule
//! existed can still be mended step by step.

use serde_json::Value;

use super::Settings;
use crate::{Violation, Warning};

/// The violations of `new` that `old` did not have, or whose field the change touched.
pub fn violations_introduced(old: &Value, new: &Value) -> Vec<Violation> {
    let Err(mut violations) = Settings::parse(new) else {
        return Vec::new();
    };
    let before = Settings::parse(old).err().unwrap_or_default();
    violations.retain(|violation| {
        !before.contains(violation) || at(old, &violation.field) != at(new, &violation.field)
    });
    violations
}

/// What a change does to pods that run with `old`, beside what the settings say by themselves.
pub fn warnings_of_change(old: &Settings, new: &Settings) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if old.client_id_prefix != new.client_id_prefix {
        warnings.push(Warning {
            field: "spec.mqttSettings.clientIdPrefix".to_owned(),
            message: "the change orphans the broker sessions of running pods".to_owned(),
        });
    }
    warnings
}

/// The value at a path of plain field names.
fn at<'a>(resource: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(resource, |value, key| value.get(key))
}
