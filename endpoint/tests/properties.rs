//! What holds for every resource, made up ones included.

use endpoint::{Settings, violations_introduced};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::resources::{any_host, any_json, any_resource, resource};

/// Parses a resource and checks what must hold of the outcome, whatever it is.
fn parse(value: &Value) -> Result<Option<Settings>, TestCaseError> {
    match Settings::parse(value) {
        Ok((settings, warnings)) => {
            for warning in warnings {
                prop_assert!(warning.to_string().chars().count() <= 120, "{}", warning);
            }
            Ok(Some(settings))
        }
        Err(violations) => {
            prop_assert!(!violations.is_empty(), "denied without a reason: {}", value);
            for violation in violations {
                prop_assert!(!violation.field.is_empty() && !violation.message.is_empty());
            }
            Ok(None)
        }
    }
}

/// What is accepted must say the same after it is written and read again.
fn round_trip(value: &Value) -> Result<(), TestCaseError> {
    if let Some(settings) = parse(value)? {
        let written = settings.to_resource();
        prop_assert_eq!(parse(&written)?, Some(settings), "{}", written);
    }
    Ok(())
}

proptest! {
    #[test]
    fn accepted_settings_are_the_same_after_writing_and_reading(resource in any_resource()) {
        round_trip(&resource)?;
    }

    #[test]
    fn accepted_hosts_are_the_same_after_writing_and_reading(host in any_host(), websockets in any::<bool>()) {
        let protocol = if websockets { "WebSockets" } else { "Mqtt" };
        round_trip(&resource(serde_json::json!({
            "host": host,
            "protocol": protocol,
            "authentication": { "method": "Anonymous" },
        })))?;
    }

    #[test]
    fn any_json_is_parsed_without_panic(value in any_json()) {
        parse(&value)?;
        parse(&resource(value))?;
    }

    #[test]
    fn an_unchanged_resource_introduces_nothing(value in any_resource()) {
        prop_assert_eq!(violations_introduced(&value, &value), vec![]);
    }
}

/// The strategy must not make the properties hollow.
#[test]
fn made_up_resources_are_often_accepted_and_often_not() {
    let mut runner = TestRunner::deterministic();
    let strategy = any_resource();
    let accepted = (0..400)
        .filter(|_| {
            let resource = strategy.new_tree(&mut runner).unwrap().current();
            Settings::parse(&resource).is_ok()
        })
        .count();
    assert!(
        (40..360).contains(&accepted),
        "{accepted} of 400 were accepted"
    );
}
