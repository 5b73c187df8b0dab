//! The sidecar's container: a native sidecar that holds the app back until it listens.

use endpoint::contract::{
    self, ADMIN_PORT_NAME, CONTAINER, Listen, PROGRAM, admin_path, command, env,
};
use serde_json::{Value, json};

use super::annotations::Wishes;
use super::{Found, Options, containers, volumes};

/// A user that no image is likely to use; the one of the sidecar's image.
const USER: i64 = 65_532;

pub(super) fn container(
    pod: &Value,
    wishes: &Wishes,
    found: &[Found],
    resources: Option<Value>,
    options: &Options,
) -> Value {
    let image = wishes.image.as_deref().unwrap_or(&options.image);
    let mut container = json!({
        "name": CONTAINER,
        "image": image,
        "command": [PROGRAM],
        "args": args(),
        "restartPolicy": "Always",
        "env": environment(wishes, found),
        "ports": [{ "name": ADMIN_PORT_NAME, "containerPort": wishes.metrics_port, "protocol": "TCP" }],
        // A postStart that polls lets the app start half a second after us; a startupProbe needs a second more.
        "lifecycle": { "postStart": { "exec": { "command": [PROGRAM, command::WAIT] } } },
        "livenessProbe": probe(admin_path::LIVEZ, 10),
        "readinessProbe": probe(admin_path::READYZ, 5),
        "securityContext": security_context(pod),
        "volumeMounts": volumes::mounts(found),
    });
    if let Some(resources) = resources {
        container["resources"] = resources;
    }
    container
}

pub(super) fn args() -> Value {
    json!([command::RUN])
}

fn environment(wishes: &Wishes, found: &[Found]) -> Value {
    let listeners: Vec<String> = found
        .iter()
        .map(|found| Listen::localhost(found.settings.name.as_str(), found.port).to_string())
        .collect();
    let separator = env::LISTEN_SEPARATOR.to_string();
    json!([
        { "name": env::INSTANCE, "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
        { "name": env::LISTEN, "value": listeners.join(&separator) },
        { "name": env::ADMIN, "value": format!("[::]:{}", wishes.metrics_port) },
        { "name": env::MOUNTS, "value": contract::MOUNTS },
        { "name": env::READINESS, "value": wishes.readiness.as_str() },
        { "name": env::LOG, "value": wishes.log_level.as_str() },
    ])
}

fn probe(path: &str, period_seconds: u32) -> Value {
    json!({
        "httpGet": { "path": path, "port": ADMIN_PORT_NAME },
        "periodSeconds": period_seconds,
        "failureThreshold": 3,
    })
}

/// What Pod Security `restricted` asks of a container.
fn security_context(pod: &Value) -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "runAsUser": common_user(pod).unwrap_or(USER),
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

/// The one user that every app container runs as, unless it is root: the kubelet then keeps tokens readable by it alone.
fn common_user(pod: &Value) -> Option<i64> {
    let user_of = |object: &Value, path: &str| object.pointer(path).and_then(Value::as_i64);
    let of_pod = user_of(pod, "/spec/securityContext/runAsUser");
    let mut users = containers(pod, "containers")
        .iter()
        .map(|container| user_of(container, "/securityContext/runAsUser").or(of_pod));
    let first = users.next().flatten()?;
    (first != 0 && users.all(|user| user == Some(first))).then_some(first)
}
