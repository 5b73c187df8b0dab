use endpoint::contract::{EndpointPort, LogLevel, Readiness};
use serde_json::{Map, Value, json};

use super::{Asked, Wishes, read, warnings};

fn pod(annotations: Value) -> Value {
    json!({"metadata": {"annotations": annotations}})
}

/// A pod with these annotations of ours beside the endpoint `default`.
fn with(key: &str, value: &str) -> Value {
    let mut annotations = Map::new();
    annotations.insert("dataflow-sidecar.io/endpoint".to_owned(), json!("default"));
    annotations.insert(format!("dataflow-sidecar.io/{key}"), json!(value));
    pod(Value::Object(annotations))
}

fn wishes(pod: &Value) -> Wishes {
    match read(pod) {
        (Asked::Sidecar(wishes), faults) if faults.is_empty() => *wishes,
        other => panic!("{other:?}"),
    }
}

fn faults(pod: &Value) -> Vec<String> {
    let (_, faults) = read(pod);
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_pod_without_our_annotations_asks_for_nothing() {
    for pod in [
        json!({}),
        json!({"metadata": {}}),
        json!({"metadata": {"annotations": null}}),
        pod(json!({"dataflow-sidecar.iox/endpoint": "default", "other.io/endpoint": "x"})),
    ] {
        assert_eq!(read(&pod), (Asked::Nothing, vec![]), "{pod}");
    }
}

#[test]
fn who_opts_out_is_asked_nothing_else() {
    let pod = pod(json!({
        "dataflow-sidecar.io/inject": "false",
        "dataflow-sidecar.io/endpoint": "",
        "dataflow-sidecar.io/log-level": "loud",
        "dataflow-sidecar.io/nonsense": 7,
    }));
    assert_eq!(read(&pod), (Asked::OptedOut, vec![]));
}

#[test]
fn every_annotation_is_read() {
    let all = wishes(&pod(json!({
        "dataflow-sidecar.io/endpoint": "default, cloud:1999",
        "dataflow-sidecar.io/inject": "true",
        "dataflow-sidecar.io/log-level": "debug",
        "dataflow-sidecar.io/cpu-request": "20m",
        "dataflow-sidecar.io/cpu-limit": "1",
        "dataflow-sidecar.io/memory-request": "16Mi",
        "dataflow-sidecar.io/memory-limit": "1Gi",
        "dataflow-sidecar.io/image": "registry.example:5000/dataflow/sidecar:1.2.3",
        "dataflow-sidecar.io/metrics-port": "9000",
        "dataflow-sidecar.io/token-expiration-seconds": "7200",
        "dataflow-sidecar.io/readiness": "broker",
        "dataflow-sidecar.io/app-env": "false",
        "dataflow-sidecar.io/status": "anything",
    })));
    let ports: Vec<String> = all.endpoints.iter().map(EndpointPort::to_string).collect();
    assert_eq!(ports, ["default:1883", "cloud:1999"]);
    assert_eq!(all.log_level, LogLevel::Debug);
    assert_eq!(all.resources.cpu_request.unwrap().text, "20m");
    assert_eq!(all.resources.cpu_limit.unwrap().text, "1");
    assert_eq!(all.resources.memory_request.unwrap().text, "16Mi");
    assert_eq!(all.resources.memory_limit.unwrap().text, "1Gi");
    assert_eq!(
        all.image.as_deref(),
        Some("registry.example:5000/dataflow/sidecar:1.2.3")
    );
    assert_eq!((all.admin_port, all.token_expiration_seconds), (9000, 7200));
    assert_eq!(all.readiness, Readiness::Broker);
    assert!(!all.app_env);
}

#[test]
fn what_is_not_said_has_its_default() {
    let plain = wishes(&pod(json!({"dataflow-sidecar.io/endpoint": "default"})));
    assert_eq!(
        (plain.admin_port, plain.token_expiration_seconds),
        (9464, 3600)
    );
    assert_eq!(
        (plain.log_level, plain.readiness),
        (LogLevel::Info, Readiness::Listener)
    );
    assert!(plain.app_env && plain.image.is_none());
}

#[test]
fn a_bad_value_is_told_with_its_key_and_the_valid_values() {
    for (key, value, wanted) in [
        (
            "inject",
            "False",
            "write \"true\" or \"false\", most likely \"false\"",
        ),
        ("app-env", "no", "write \"true\" or \"false\""),
        (
            "log-level",
            "warning",
            "write error, warn, info, debug or trace, most likely \"warn\"",
        ),
        ("log-level", "", "write error, warn, info"),
        (
            "readiness",
            "brokr",
            "write listener or broker, most likely \"broker\"",
        ),
        (
            "cpu-request",
            "ten",
            "write a quantity of CPU, for example 50m",
        ),
        ("cpu-limit", "0", "no amount that a container can run with"),
        (
            "cpu-request",
            "-1",
            "no amount that a container can run with",
        ),
        ("memory-limit", "64m", "not a whole number of bytes"),
        (
            "memory-request",
            "64MB",
            "write a quantity of memory, for example 64Mi",
        ),
        ("image", "", "write an image"),
        ("image", "a b", "write an image"),
        ("image", "https://x/y", "write an image"),
        ("metrics-port", "0", "write a port from 1 to 65535"),
        ("metrics-port", "+80", "write a port from 1 to 65535"),
        ("metrics-port", "65536", "write a port from 1 to 65535"),
        (
            "token-expiration-seconds",
            "599",
            "write a number of seconds from 600 to 86400",
        ),
        (
            "token-expiration-seconds",
            "86401",
            "write a number of seconds from 600 to 86400",
        ),
        (
            "token-expiration-seconds",
            "1h",
            "write a number of seconds from 600 to 86400",
        ),
    ] {
        let faults = faults(&with(key, value));
        assert_eq!(faults.len(), 1, "{key} {value}: {faults:?}");
        assert!(
            faults[0].starts_with(&format!("dataflow-sidecar.io/{key}: ")),
            "{}",
            faults[0]
        );
        assert!(faults[0].contains(wanted), "{}", faults[0]);
    }
}

#[test]
fn a_value_that_is_no_text_is_told_how_to_quote() {
    let faults = faults(&pod(json!({
        "dataflow-sidecar.io/endpoint": ["default"],
        "dataflow-sidecar.io/inject": false,
        "dataflow-sidecar.io/metrics-port": 9000,
    })));
    assert_eq!(faults.len(), 3);
    assert!(faults[0].contains("the value is no text"), "{}", faults[0]);
    assert!(
        faults[1].contains("write \"false\" with the quotes"),
        "{}",
        faults[1]
    );
    assert!(
        faults[2].contains("write \"9000\" with the quotes"),
        "{}",
        faults[2]
    );
}

#[test]
fn an_unknown_key_is_told_its_near_miss_and_the_keys() {
    let misspelled = faults(&pod(json!({"dataflow-sidecar.io/endpont": "default"})));
    assert_eq!(misspelled.len(), 1, "{misspelled:?}");
    assert!(misspelled[0].starts_with(
        "dataflow-sidecar.io/endpont: is unknown: write dataflow-sidecar.io/endpoint, or remove it. The keys are "
    ));
    let other = faults(&with("colour", "red"));
    assert!(
        other[0].contains(
            "is unknown: remove it. The keys are dataflow-sidecar.io/ and one of endpoint, "
        ),
        "{}",
        other[0]
    );
}

#[test]
fn our_keys_without_an_endpoint_are_told_what_is_missing() {
    for (annotations, wanted) in [
        (
            json!({"dataflow-sidecar.io/inject": "true"}),
            "dataflow-sidecar.io/inject is there",
        ),
        (
            json!({"dataflow-sidecar.io/log-level": "info"}),
            "dataflow-sidecar.io/log-level is there",
        ),
        (
            json!({"dataflow-sidecar.io/status": "{}"}),
            "remove the other",
        ),
    ] {
        let faults = faults(&pod(annotations));
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].starts_with("dataflow-sidecar.io/endpoint: is missing"),
            "{}",
            faults[0]
        );
        assert!(faults[0].contains(wanted), "{}", faults[0]);
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = faults(&pod(json!({
        "dataflow-sidecar.io/endpoint": "a,,a",
        "dataflow-sidecar.io/log-level": "loud",
        "dataflow-sidecar.io/metrics-prt": "9000",
    })));
    assert_eq!(faults.len(), 4, "{faults:?}");
}

#[test]
fn a_short_token_is_warned_of() {
    assert!(warnings(&wishes(&with("token-expiration-seconds", "1200"))).is_empty());
    let told = warnings(&wishes(&with("token-expiration-seconds", "600")));
    assert_eq!(told.len(), 1);
    assert!(
        told[0].chars().count() <= crate::text::WARNING_CHARS_MAX,
        "{}",
        told[0].len()
    );
}
