//! The status that an endpoint should have.

use endpoint::contract::{LABEL_MANAGED_BY, LABEL_MANAGED_BY_VALUE, config_map_name};
use endpoint::status::{ACCEPTED, CURRENT, Condition, ConditionStatus, DataflowEndpointStatus};

use super::known::Key;
use super::resource::{Check, Endpoint};
use super::sidecars::Counts;

/// How it stands with an endpoint's ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery<'a> {
    /// It says what it must.
    Written,
    /// It could not be written.
    Failed(&'a Failure),
}

/// Why a ConfigMap could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is one of that name without our label.
    NameTaken,
    /// The API server refused it, or was not to be reached.
    Refused(String),
}

/// Why a condition holds or does not: its `reason`, a closed set.
mod reason {
    pub(super) const VALID: &str = "Valid";
    pub(super) const INVALID: &str = "Invalid";
    pub(super) const NAME_TAKEN: &str = "NameTaken";
    pub(super) const NOT_WRITTEN: &str = "ConfigMapNotWritten";
    pub(super) const UP_TO_DATE: &str = "UpToDate";
    pub(super) const RESTART_NEEDED: &str = "RestartNeeded";
}

/// A condition before its time is known.
struct Finding {
    type_: &'static str,
    status: ConditionStatus,
    reason: &'static str,
    message: String,
}

/// The status to write, `None` where the endpoint has it already. A condition that does not change keeps its time.
pub(crate) fn wanted(
    key: &Key,
    endpoint: &Endpoint,
    delivery: Delivery<'_>,
    counts: &Counts,
    time: &str,
) -> Option<DataflowEndpointStatus> {
    let observed = &endpoint.status;
    let valid = endpoint.check.settings().is_some();
    let findings = [accepted(key, endpoint, delivery), current(endpoint, counts)];
    let status = DataflowEndpointStatus {
        observed_generation: Some(endpoint.generation),
        conditions: findings
            .into_iter()
            .map(|finding| finding.at(endpoint, time))
            .collect(),
        sidecars: Some(number(counts.sidecars)),
        outdated_sidecars: valid.then_some(number(counts.outdated)),
        outdated_pods: counts.pods.clone(),
    };
    // Conditions that others write are theirs.
    let mut ours = observed.clone();
    ours.conditions
        .retain(|condition| [ACCEPTED, CURRENT].contains(&condition.type_.as_str()));
    ours.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    (ours != status).then_some(status)
}

fn accepted(key: &Key, endpoint: &Endpoint, delivery: Delivery<'_>) -> Finding {
    let config_map = config_map_name(&key.name);
    let (status, reason, message) = match (&endpoint.check, delivery) {
        (Check::Bad(violations), _) => (
            ConditionStatus::False,
            reason::INVALID,
            format!(
                "mend the endpoint; until then running sidecars keep what they have: {violations}"
            ),
        ),
        (_, Delivery::Written) => (
            ConditionStatus::True,
            reason::VALID,
            format!("ConfigMap {config_map} carries it into the pods"),
        ),
        (_, Delivery::Failed(Failure::NameTaken)) => (
            ConditionStatus::False,
            reason::NAME_TAKEN,
            format!(
                "there is a ConfigMap {config_map} that is not ours: delete it, or name the endpoint otherwise; if it only lost its label {LABEL_MANAGED_BY}={LABEL_MANAGED_BY_VALUE}, give it back"
            ),
        ),
        (_, Delivery::Failed(Failure::Refused(why))) => (
            ConditionStatus::False,
            reason::NOT_WRITTEN,
            format!("writing ConfigMap {config_map} failed, trying again: {why}"),
        ),
    };
    Finding {
        type_: ACCEPTED,
        status,
        reason,
        message,
    }
}

fn current(endpoint: &Endpoint, counts: &Counts) -> Finding {
    let Counts {
        sidecars, outdated, ..
    } = counts;
    let (status, reason, message) = if endpoint.check.settings().is_none() {
        (
            ConditionStatus::Unknown,
            reason::INVALID,
            "an endpoint that breaks a rule does not say what its sidecars need".to_owned(),
        )
    } else if *outdated > 0 {
        (
            ConditionStatus::False,
            reason::RESTART_NEEDED,
            format!(
                "{outdated} of the running sidecars ({sidecars}) lack a mount that the endpoint needs now: restart the workloads of the pods in outdatedPods"
            ),
        )
    } else {
        (
            ConditionStatus::True,
            reason::UP_TO_DATE,
            match sidecars {
                0 => "no sidecar runs".to_owned(),
                _ => format!("all running sidecars ({sidecars}) mount what the endpoint needs"),
            },
        )
    };
    Finding {
        type_: CURRENT,
        status,
        reason,
        message,
    }
}

impl Finding {
    fn at(self, endpoint: &Endpoint, time: &str) -> Condition {
        let before = endpoint
            .status
            .conditions
            .iter()
            .find(|condition| condition.type_ == self.type_ && condition.status == self.status);
        Condition {
            type_: self.type_.to_owned(),
            status: self.status,
            observed_generation: Some(endpoint.generation),
            last_transition_time: before
                .map_or(time, |condition| condition.last_transition_time.as_str())
                .to_owned(),
            reason: self.reason.to_owned(),
            message: self.message,
        }
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use endpoint::status::{Condition, ConditionStatus, DataflowEndpointStatus};
    use serde_json::json;

    use super::{Counts, Delivery, Endpoint, Failure, wanted};
    use crate::controller::plan::known::Key;
    use crate::controller::plan::tests::resource;
    use crate::validate::Rules;

    const FIRST: &str = "2026-01-01T00:00:00Z";
    const LATER: &str = "2026-01-01T00:10:00Z";

    fn endpoint(mqtt: serde_json::Value) -> Endpoint {
        Endpoint::read(&resource("default", mqtt), Rules::Deny).1
    }

    fn counts(sidecars: usize, outdated: &[&str]) -> Counts {
        Counts {
            sidecars,
            outdated: outdated.len(),
            pods: outdated.iter().map(|pod| (*pod).to_owned()).collect(),
        }
    }

    fn status(
        endpoint: &Endpoint,
        delivery: Delivery<'_>,
        counts: &Counts,
    ) -> DataflowEndpointStatus {
        let key = Key::new("factory", "default");
        wanted(&key, endpoint, delivery, counts, FIRST).expect("the status must differ")
    }

    fn told(condition: &Condition) -> (ConditionStatus, &str) {
        (condition.status, condition.reason.as_str())
    }

    #[test]
    fn the_conditions_tell_how_it_stands() {
        use ConditionStatus::{False, True, Unknown};
        let refused = Failure::Refused("quota exceeded".to_owned());
        for (mqtt, delivery, counts, accepted, current, says) in [
            (
                json!({}),
                Delivery::Written,
                counts(0, &[]),
                (True, "Valid"),
                (True, "UpToDate"),
                "dataflow-endpoint-default",
            ),
            (
                json!({}),
                Delivery::Written,
                counts(3, &["a"]),
                (True, "Valid"),
                (False, "RestartNeeded"),
                "1 of the running sidecars (3)",
            ),
            (
                json!({"qos": 7}),
                Delivery::Written,
                counts(3, &[]),
                (False, "Invalid"),
                (Unknown, "Invalid"),
                "spec.mqttSettings.qos: 7",
            ),
            (
                json!({}),
                Delivery::Failed(&Failure::NameTaken),
                counts(0, &[]),
                (False, "NameTaken"),
                (True, "UpToDate"),
                "delete it, or name",
            ),
            (
                json!({}),
                Delivery::Failed(&refused),
                counts(0, &[]),
                (False, "ConfigMapNotWritten"),
                (True, "UpToDate"),
                "quota exceeded",
            ),
        ] {
            let status = status(&endpoint(mqtt), delivery, &counts);
            assert_eq!(told(&status.conditions[0]), accepted, "{status:?}");
            assert_eq!(told(&status.conditions[1]), current, "{status:?}");
            let messages = status
                .conditions
                .iter()
                .map(|condition| condition.message.as_str());
            assert!(messages.collect::<String>().contains(says), "{status:?}");
            assert_eq!(status.observed_generation, Some(1));
            assert!(
                status
                    .conditions
                    .iter()
                    .all(|condition| condition.observed_generation == Some(1))
            );
        }
    }

    #[test]
    fn the_counts_are_for_the_printer_columns() {
        let good = status(
            &endpoint(json!({})),
            Delivery::Written,
            &counts(3, &["a", "b"]),
        );
        assert_eq!((good.sidecars, good.outdated_sidecars), (Some(3), Some(2)));
        assert_eq!(good.outdated_pods, ["a", "b"]);
        let bad = status(
            &endpoint(json!({"qos": 7})),
            Delivery::Written,
            &counts(3, &[]),
        );
        assert_eq!((bad.sidecars, bad.outdated_sidecars), (Some(3), None));
    }

    #[test]
    fn a_status_that_is_there_is_not_written_again() {
        let key = Key::new("factory", "default");
        let counts = counts(3, &["a"]);
        let mut endpoint = endpoint(json!({}));
        endpoint.status = status(&endpoint, Delivery::Written, &counts);
        assert_eq!(
            wanted(&key, &endpoint, Delivery::Written, &counts, LATER),
            None
        );
        let foreign = Condition {
            type_: "ApprovedBySomebody".to_owned(),
            ..endpoint.status.conditions[0].clone()
        };
        endpoint.status.conditions.insert(0, foreign);
        assert_eq!(
            wanted(&key, &endpoint, Delivery::Written, &counts, LATER),
            None
        );
    }

    #[test]
    fn a_condition_that_does_not_change_keeps_its_time() {
        let key = Key::new("factory", "default");
        let mut endpoint = endpoint(json!({}));
        endpoint.status = status(&endpoint, Delivery::Written, &counts(3, &["a"]));
        let one_less = counts(3, &[]);
        let later = wanted(&key, &endpoint, Delivery::Written, &one_less, LATER).unwrap();
        let times: Vec<&str> = later
            .conditions
            .iter()
            .map(|condition| condition.last_transition_time.as_str())
            .collect();
        assert_eq!(times, [FIRST, LATER]);
        endpoint.generation = 2;
        let renewed = wanted(
            &key,
            &endpoint,
            Delivery::Written,
            &counts(3, &["a"]),
            LATER,
        )
        .unwrap();
        assert_eq!(renewed.conditions[0].last_transition_time, FIRST);
        assert_eq!(renewed.conditions[0].observed_generation, Some(2));
    }
}
