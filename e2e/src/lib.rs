//! The harness of the end-to-end tests: a namespace for each story, with a broker, endpoints and apps in it.
//!
//! The tests talk to the cluster that `KUBECONFIG` names, in which the chart is installed; `make e2e` sees to both.

pub mod story;
pub mod kubectl;
pub mod broker;
pub mod app;
pub mod webhook;
pub mod http;
pub mod prometheus;

/// The image with both programs of the tests.
pub const IMAGE: &str = "localhost/dataflow-e2e:e2e";

/// What a container needs to be let into a `restricted` namespace, for programs that bring no user.
pub fn restricted() -> serde_json::Value {
    serde_json::json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true,
        "runAsUser": 10_001,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}
