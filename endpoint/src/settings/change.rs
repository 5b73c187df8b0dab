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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{violations_introduced, warnings_of_change};
    use crate::settings::tests::made::{resource, settings};

    #[test]
    fn an_update_is_denied_only_for_what_it_introduces() {
        let anonymous = json!({ "method": "Anonymous" });
        let mqtt =
            |host: &str, qos: u8| json!({ "host": host, "qos": qos, "authentication": anonymous });
        for (old, new, wanted) in [
            (mqtt("broken", 1), mqtt("broken", 0), &[][..]),
            (
                mqtt("broken", 1),
                mqtt("also-broken", 1),
                &["spec.mqttSettings.host"],
            ),
            (
                mqtt("broken", 1),
                mqtt("broken", 7),
                &["spec.mqttSettings.qos"],
            ),
            (mqtt("broken", 7), mqtt("good:1", 7), &[]),
            (
                mqtt("good:1", 1),
                mqtt("broken", 7),
                &["spec.mqttSettings.host", "spec.mqttSettings.qos"],
            ),
            // The message is the same and quotes nothing, but the value is another.
            (
                mqtt("a@b:1", 1),
                mqtt("a@c:1", 1),
                &["spec.mqttSettings.host"],
            ),
        ] {
            let found = violations_introduced(&resource(old), &resource(new));
            let fields: Vec<&str> = found
                .iter()
                .map(|violation| violation.field.as_str())
                .collect();
            assert_eq!(fields, wanted);
        }
        let foreign = json!({ "kind": "ConfigMap" });
        assert_eq!(
            violations_introduced(&foreign, &resource(mqtt("broken", 1))).len(),
            1
        );
    }

    #[test]
    fn a_change_of_the_prefix_is_warned_of() {
        let old = settings(json!({ "authentication": { "method": "Anonymous" } }));
        let new = settings(
            json!({ "authentication": { "method": "Anonymous" }, "clientIdPrefix": "press-4" }),
        );
        assert_eq!(warnings_of_change(&old, &old), []);
        let warnings = warnings_of_change(&old, &new);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].field, "spec.mqttSettings.clientIdPrefix");
        assert!(warnings[0].to_string().len() <= 120);
    }
}
