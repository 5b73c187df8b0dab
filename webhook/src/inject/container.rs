//! The sidecar's container.

use endpoint::contract::{
    ADMIN_PORT_NAME, CONTAINER, Listen, MOUNTS, PROGRAM, Sources, admin_path, command, env, sources,
};
use serde_json::{Value, json};

use super::Plan;
use super::pod::{containers, text};

/// The uid of the sidecar's image, for pods whose containers run under none or several.
const DEFAULT_UID: i64 = 65_532;
/// A sidecar that does not answer for half a minute is stuck.
const LIVENESS_PERIOD_SECONDS: u32 = 10;
/// Three in a row: one slow answer on a busy node is no reason to cut every connection.
const LIVENESS_FAILURES: u32 = 3;
/// How soon a pod leaves its Services where readiness says so.
const READINESS_PERIOD_SECONDS: u32 = 5;

/// Under which uid the sidecar runs, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// The one that every app container has, so that the kubelet gives tokens to this uid alone.
    Apps(i64),
    /// The image's own: the app containers have none, root, or different ones.
    Default,
}

impl RunAs {
    /// Decides by the pod's app containers.
    pub fn decide(pod: &Value) -> RunAs {
        let of_pod = uid(pod.get("spec").unwrap_or(&Value::Null));
        let mut uids = containers(pod).map(|container| uid(container).or(of_pod));
        match uids.next().flatten() {
            Some(first) if first != 0 && uids.all(|uid| uid == Some(first)) => RunAs::Apps(first),
            _ => RunAs::Default,
        }
    }

    /// The uid.
    pub fn uid(self) -> i64 {
        match self {
            RunAs::Apps(uid) => uid,
            RunAs::Default => DEFAULT_UID,
        }
    }
}

fn uid(owner: &Value) -> Option<i64> {
    owner.pointer("/securityContext/runAsUser")?.as_i64()
}

/// The container as it is added to `initContainers`.
pub fn container(plan: &Plan) -> Value {
    let mut container = json!({
        "name": CONTAINER,
        "image": plan.image,
        "restartPolicy": "Always",
        "args": args(),
        "env": environment(plan),
        "ports": [{ "name": ADMIN_PORT_NAME, "containerPort": plan.admin_port, "protocol": "TCP" }],
        // Holds back init containers and app until all listeners are bound, a second sooner than a startup probe.
        "lifecycle": { "postStart": { "exec": { "command": [PROGRAM, command::WAIT] } } },
        "livenessProbe": {
            "httpGet": { "path": admin_path::LIVEZ, "port": ADMIN_PORT_NAME },
            "periodSeconds": LIVENESS_PERIOD_SECONDS,
            "failureThreshold": LIVENESS_FAILURES,
        },
        "readinessProbe": {
            "httpGet": { "path": admin_path::READYZ, "port": ADMIN_PORT_NAME },
            "periodSeconds": READINESS_PERIOD_SECONDS,
        },
        // What Pod Security `restricted` demands, and a read-only root besides.
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "runAsUser": plan.run_as.uid(),
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "volumeMounts": plan.volumes.iter().map(super::volumes::Volume::mount).collect::<Vec<_>>(),
    });
    if let Some(resources) = plan.resources.to_value() {
        container["resources"] = resources;
    }
    container
}

/// The container's arguments; everything else is said by its environment.
pub fn args() -> Value {
    json!([command::RUN])
}

/// The container's environment.
pub fn environment(plan: &Plan) -> Vec<Value> {
    let listen: Vec<String> = plan
        .listeners
        .iter()
        .map(|listener| Listen::localhost(&listener.name, listener.port).to_string())
        .collect();
    let filled = plan
        .listeners
        .iter()
        .map(|listener| (listener.name.as_str(), Sources::of(&listener.settings)));
    vec![
        json!({ "name": env::LISTEN, "value": listen.join(&env::LISTEN_SEPARATOR.to_string()) }),
        json!({ "name": env::MOUNTS, "value": MOUNTS }),
        // Any address: the kubelet's probes and Prometheus come from outside the pod.
        json!({ "name": env::ADMIN, "value": format!("[::]:{}", plan.admin_port) }),
        json!({ "name": env::INSTANCE, "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }),
        json!({ "name": env::SOURCES, "value": sources::to_text(filled) }),
        json!({ "name": env::READINESS, "value": plan.readiness.as_str() }),
        json!({ "name": env::LOG, "value": plan.log_level.as_str() }),
    ]
}

/// The entry with this name in a list of variables, volumes or mounts.
pub fn named<'a>(items: &'a Value, name: &str) -> Option<&'a Value> {
    items
        .as_array()?
        .iter()
        .find(|item| text(item, "name") == name)
}

#[cfg(test)]
mod tests {
    use super::RunAs;
    use serde_json::{Value, json};

    #[test]
    fn the_uid_is_the_one_of_all_app_containers() {
        let uid = |uid: i64| json!({"securityContext": {"runAsUser": uid}});
        let pod = |containers: Value, of_pod: Value| json!({"spec": {"containers": containers, "securityContext": of_pod}});
        for (pod, wanted) in [
            (pod(json!([{}]), json!({})), RunAs::Default),
            (
                pod(json!([{}]), json!({"runAsUser": 1000})),
                RunAs::Apps(1000),
            ),
            (
                pod(json!([{}, {}]), json!({"runAsUser": 0})),
                RunAs::Default,
            ),
            (
                pod(json!([uid(0)]), json!({"runAsUser": 1000})),
                RunAs::Default,
            ),
            (
                pod(json!([uid(2000)]), json!({"runAsUser": 1000})),
                RunAs::Apps(2000),
            ),
            (
                pod(json!([uid(2000), {}]), json!({"runAsUser": 1000})),
                RunAs::Default,
            ),
            (
                pod(json!([uid(1000), {}]), json!({"runAsUser": 1000})),
                RunAs::Apps(1000),
            ),
            (pod(json!([uid(1000), {}]), json!({})), RunAs::Default),
            (pod(json!([]), json!({"runAsUser": 1000})), RunAs::Default),
            (json!({}), RunAs::Default),
        ] {
            assert_eq!(RunAs::decide(&pod), wanted, "{pod}");
        }
    }
}
