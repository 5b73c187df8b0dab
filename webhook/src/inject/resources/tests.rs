use serde_json::{Value, json};

use super::{Class, Resources, decide};
use crate::inject::annotations::ResourceWishes;
use crate::inject::quantity::Quantity;

fn pod(containers: Value, init_containers: Value) -> Value {
    json!({"spec": {"containers": containers, "initContainers": init_containers}})
}

fn app(limits: Value, requests: Value) -> Value {
    json!({"name": "app", "resources": {"limits": limits, "requests": requests}})
}

fn wishes(cpu_request: &str, cpu_limit: &str) -> ResourceWishes {
    ResourceWishes {
        cpu_request: Quantity::parse(cpu_request),
        cpu_limit: Quantity::parse(cpu_limit),
        ..ResourceWishes::default()
    }
}

fn plain(pod: &Value) -> Resources {
    decide(pod, &ResourceWishes::default()).unwrap()
}

fn value(resources: &Resources) -> Value {
    resources.to_value().unwrap_or(Value::Null)
}

#[test]
fn an_app_without_limits_has_a_sidecar_without_limits() {
    for containers in [
        json!([app(json!({}), json!({}))]),
        json!([app(json!({}), json!({"cpu": "1"})), {"name": "b"}]),
    ] {
        let resources = plain(&pod(containers, json!([])));
        assert_eq!(
            value(&resources),
            json!({"requests": {"cpu": "10m", "memory": "32Mi"}})
        );
        assert_eq!(resources.class, Class::Other);
    }
}

#[test]
fn a_limit_follows_where_every_app_container_has_one() {
    let memory_only = app(json!({"memory": "1Gi"}), json!({}));
    let both = app(json!({"cpu": "1", "memory": "1Gi"}), json!({"cpu": "500m"}));
    assert_eq!(
        value(&plain(&pod(json!([memory_only, both]), json!([])))),
        json!({"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}})
    );
    // Init containers do not count here.
    let both = app(json!({"cpu": "1", "memory": "1Gi"}), json!({"cpu": "500m"}));
    assert_eq!(
        value(&plain(&pod(json!([both]), json!([{"name": "init"}])))),
        json!({"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}})
    );
}

#[test]
fn a_guaranteed_pod_stays_guaranteed() {
    let equal = app(
        json!({"cpu": "1", "memory": "1Gi"}),
        json!({"cpu": "1000m", "memory": "1024Mi"}),
    );
    let unwritten = app(json!({"cpu": 2, "memory": "1Gi"}), json!({}));
    let both = json!({"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}});
    for pod in [
        pod(json!([equal, unwritten]), Value::Null),
        pod(json!([equal]), json!([unwritten])),
    ] {
        let resources = plain(&pod);
        assert_eq!(resources.class, Class::Guaranteed);
        assert_eq!(value(&resources), both);
        assert!(resources.warnings().is_empty());
    }
}

#[test]
fn a_pod_is_guaranteed_only_with_every_container() {
    let good = app(json!({"cpu": "1", "memory": "1Gi"}), json!({}));
    for pod in [
        pod(json!([good]), json!([{"name": "init"}])),
        pod(
            json!([good, app(json!({"cpu": "1"}), json!({}))]),
            json!([]),
        ),
        pod(
            json!([app(
                json!({"cpu": "1", "memory": "1Gi"}),
                json!({"cpu": "2"})
            )]),
            json!([]),
        ),
        pod(
            json!([app(json!({"cpu": "0", "memory": "1Gi"}), json!({}))]),
            json!([]),
        ),
        pod(
            json!([app(
                json!({"cpu": "1", "memory": "1Gi"}),
                json!({"cpu": "0"})
            )]),
            json!([]),
        ),
        pod(json!([]), json!([])),
    ] {
        assert_eq!(plain(&pod).class, Class::Other, "{pod}");
    }
}

#[test]
fn a_pod_with_resources_of_its_own_shares_them() {
    let mut pod = pod(json!([app(json!({}), json!({"cpu": "95m"}))]), json!([]));
    pod["spec"]["resources"] = json!({"limits": {"cpu": "100m"}});
    let resources = plain(&pod);
    assert_eq!(
        (resources.class, resources.to_value()),
        (Class::PodLevel, None)
    );
    let wished = decide(&pod, &wishes("5m", "")).unwrap();
    assert_eq!(value(&wished), json!({"requests": {"cpu": "5m"}}));
    // An empty object says nothing.
    pod["spec"]["resources"] = json!({});
    assert_eq!(plain(&pod).class, Class::Other);
}

#[test]
fn annotations_override_and_fit_what_they_leave_open() {
    let free = pod(json!([app(json!({}), json!({}))]), json!([]));
    let limited = pod(json!([app(json!({"cpu": "1"}), json!({}))]), json!([]));
    let guaranteed = pod(
        json!([app(json!({"cpu": "1", "memory": "1Gi"}), json!({}))]),
        json!([]),
    );
    for (pod, request, limit, wanted) in [
        (&free, "", "5m", (Some("5m"), Some("5m"))),
        (&free, "", "1", (Some("10m"), Some("1"))),
        (&free, "200m", "", (Some("200m"), None)),
        (&free, "20m", "30m", (Some("20m"), Some("30m"))),
        (&limited, "20m", "", (Some("20m"), Some("100m"))),
        (&limited, "200m", "", (Some("200m"), Some("200m"))),
        (&limited, "0.1", "", (Some("0.1"), Some("100m"))),
        (&guaranteed, "20m", "", (Some("20m"), Some("20m"))),
        (&guaranteed, "", "300m", (Some("300m"), Some("300m"))),
        (&guaranteed, "20m", "30m", (Some("20m"), Some("30m"))),
    ] {
        let cpu = decide(pod, &wishes(request, limit)).unwrap().cpu;
        assert_eq!(
            (cpu.request.as_deref(), cpu.limit.as_deref()),
            wanted,
            "{request:?} {limit:?}"
        );
    }
}

#[test]
fn losing_the_class_guaranteed_is_warned_of() {
    let guaranteed = pod(
        json!([app(json!({"cpu": "1", "memory": "1Gi"}), json!({}))]),
        json!([]),
    );
    let told = decide(&guaranteed, &wishes("20m", "30m"))
        .unwrap()
        .warnings();
    assert_eq!(told.len(), 1);
    assert!(told[0].chars().count() <= crate::text::WARNING_CHARS_MAX);
}

#[test]
fn a_request_above_its_limit_is_refused() {
    let faults = decide(&pod(json!([]), json!([])), &wishes("200m", "0.1")).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(
        faults[0].to_string(),
        "dataflow-sidecar.io/cpu-request: \"200m\" is more than the limit \"0.1\" of dataflow-sidecar.io/cpu-limit: write at most the limit, or a higher limit"
    );
}
