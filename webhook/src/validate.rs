//! Endpoints: which change is refused, and what its author is told.

use endpoint::settings::Settings;
use endpoint::{Identity, Violation, Warning, identify, violations_introduced, warnings_of_change};
use serde_json::Value;

/// Whose custom resource definition the cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Ours: what breaks a rule is refused.
    Deny,
    /// Another product's: what breaks a rule is warned of, and endpoints of other types are not looked at.
    Warn,
}

impl Rules {
    /// Parses an endpoint: fields of another product's definition are that product's.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn parse(self, resource: &Value) -> Result<(Settings, Vec<Warning>), Vec<Violation>> {
        match self {
            Rules::Deny => Settings::parse(resource),
            Rules::Warn => Settings::parse_lenient(resource),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// What the endpoint is refused for.
    pub violations: Vec<Violation>,
    /// What its author is told beside that.
    pub warnings: Vec<String>,
}

/// Checks an endpoint; `old` is what an update replaces.
pub fn validate(new: &Value, old: Option<&Value>, rules: Rules) -> Findings {
    // Whoever takes finalizers off an object must be able to, whatever it looks like.
    let deleted = new
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null());
    let foreign = rules == Rules::Warn && matches!(identify(new), Identity::Foreign(_));
    if deleted || foreign {
        return Findings::default();
    }
    match (rules.parse(new), rules) {
        (Ok((settings, warnings)), _) => {
            let changes = changes(old, &settings, rules);
            Findings {
                violations: Vec::new(),
                warnings: texts(&warnings).chain(changes).collect(),
            }
        }
        (Err(violations), Rules::Deny) => refuse(new, old, violations),
        (Err(violations), Rules::Warn) => Findings {
            violations: Vec::new(),
            warnings: violations.iter().map(ToString::to_string).collect(),
        },
    }
}

/// An update is refused for what it introduces only, so that an endpoint older than a rule can be mended step by step.
fn refuse(new: &Value, old: Option<&Value>, violations: Vec<Violation>) -> Findings {
    let Some(old) = old else {
        return Findings {
            violations,
            warnings: Vec::new(),
        };
    };
    let introduced = violations_introduced(old, new);
    let before = violations
        .iter()
        .filter(|violation| !introduced.contains(violation))
        .map(|violation| format!("as before: {violation}"))
        .collect();
    Findings {
        violations: introduced,
        warnings: before,
    }
}

fn changes(old: Option<&Value>, new: &Settings, rules: Rules) -> Vec<String> {
    match old.map(|old| rules.parse(old)) {
        Some(Ok((old, _))) => texts(&warnings_of_change(&old, new)).collect(),
        _ => Vec::new(),
    }
}

fn texts(warnings: &[Warning]) -> impl Iterator<Item = String> + '_ {
    warnings.iter().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::{Findings, Rules, validate};
    use serde_json::{Value, json};

    fn endpoint(mqtt: Value) -> Value {
        json!({
            "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
            "metadata": {"name": "default", "namespace": "factory"},
            "spec": {"endpointType": "Mqtt", "mqttSettings": mqtt},
        })
    }

    fn good() -> Value {
        endpoint(json!({"authentication": {"method": "ServiceAccountToken"}}))
    }

    fn bad() -> Value {
        endpoint(
            json!({"host": "broker", "authentication": {"method": "ServiceAccountToken"}, "qos": 7}),
        )
    }

    fn fields(findings: &Findings) -> Vec<&str> {
        findings
            .violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect()
    }

    #[test]
    fn a_good_endpoint_passes() {
        assert_eq!(validate(&good(), None, Rules::Deny), Findings::default());
    }

    #[test]
    fn every_violation_is_told_at_once() {
        let findings = validate(&bad(), None, Rules::Deny);
        assert_eq!(
            fields(&findings),
            ["spec.mqttSettings.host", "spec.mqttSettings.qos"]
        );
    }

    #[test]
    fn an_update_is_refused_for_what_it_introduces() {
        let mut new = bad();
        new["spec"]["mqttSettings"]["keepAliveSeconds"] = json!(-1);
        let findings = validate(&new, Some(&bad()), Rules::Deny);
        assert_eq!(fields(&findings), ["spec.mqttSettings.keepAliveSeconds"]);
        assert_eq!(findings.warnings.len(), 2);
        assert!(
            findings.warnings[0].starts_with("as before: spec.mqttSettings.host: "),
            "{findings:?}"
        );
        new = bad();
        new["metadata"]["labels"] = json!({"a": "b"});
        assert_eq!(fields(&validate(&new, Some(&bad()), Rules::Deny)), [""; 0]);
    }

    #[test]
    fn a_change_that_strands_sessions_is_warned_of() {
        let mut new = good();
        new["spec"]["mqttSettings"]["clientIdPrefix"] = json!("other");
        let findings = validate(&new, Some(&good()), Rules::Deny);
        assert!(findings.violations.is_empty());
        assert!(
            findings
                .warnings
                .iter()
                .any(|warning| warning.contains("clientIdPrefix")),
            "{findings:?}"
        );
    }

    #[test]
    fn an_endpoint_that_is_being_deleted_is_let_through() {
        let mut deleted = bad();
        deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(
            validate(&deleted, Some(&good()), Rules::Deny),
            Findings::default()
        );
    }

    #[test]
    fn with_a_foreign_definition_rules_only_warn() {
        let findings = validate(&bad(), None, Rules::Warn);
        assert!(findings.violations.is_empty());
        assert_eq!(findings.warnings.len(), 2);
        let mut more = good();
        more["spec"]["mqttSettings"]["ofAnotherProduct"] = json!(1);
        assert_eq!(
            validate(&more, None, Rules::Warn).warnings,
            ["spec.mqttSettings.ofAnotherProduct: is unknown and passed over"]
        );
        let mut kafka = bad();
        kafka["spec"]["endpointType"] = json!("Kafka");
        assert_eq!(validate(&kafka, None, Rules::Warn), Findings::default());
        assert_eq!(
            fields(&validate(&kafka, None, Rules::Deny)),
            ["spec.endpointType"]
        );
    }
}
