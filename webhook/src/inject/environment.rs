//! The environment by which apps on the Azure IoT Operations SDKs find the sidecar.

use endpoint::contract::app_env;
use serde_json::{Value, json};

use super::annotations::Wishes;
use super::operations::Operations;
use super::{Found, containers, name_of};

/// Puts our variables before the container's own, so that `$(...)` can refer to them.
pub(super) fn add(pod: &Value, found: &[Found], wishes: &Wishes, operations: &mut Operations) {
    let Some(first) = found.first().filter(|_| wishes.app_env) else {
        return;
    };
    let several = containers(pod, "containers").len() > 1;
    for list in ["initContainers", "containers"] {
        for (index, container) in containers(pod, list).iter().enumerate() {
            // The sidecar goes first, so the pod's own init containers move by one.
            let index = index + usize::from(list == "initContainers");
            let native_sidecar = container
                .get("restartPolicy")
                .is_some_and(|policy| policy == "Always");
            if native_sidecar || sets(container, app_env::HOSTNAME) {
                continue;
            }
            let path = format!("/spec/{list}/{index}/env");
            let variables = variables(container, first.port, several);
            let has_env = container.get("env").is_some_and(|env| !env.is_null());
            if has_env {
                for variable in variables.into_iter().rev() {
                    operations.put_first(&path, variable);
                }
            } else {
                operations.put(&path, Value::Array(variables));
            }
        }
    }
}

/// Those of our variables that the container does not set.
fn variables(container: &Value, port: u16, several: bool) -> Vec<Value> {
    let pod_name = json!({ "fieldRef": { "fieldPath": "metadata.name" } });
    let client_id = match several {
        false => json!({ "name": app_env::CLIENT_ID, "valueFrom": pod_name }),
        true => {
            let value = format!("$({})-{}", app_env::POD, name_of(container));
            json!({ "name": app_env::CLIENT_ID, "value": value })
        }
    };
    let pod = json!({ "name": app_env::POD, "valueFrom": pod_name });
    let plain = |name: &str, value: &str| json!({ "name": name, "value": value });
    several
        .then_some(pod)
        .into_iter()
        .chain([
            plain(app_env::HOSTNAME, app_env::HOSTNAME_VALUE),
            plain(app_env::TCP_PORT, &port.to_string()),
            plain(app_env::USE_TLS, app_env::USE_TLS_VALUE),
            client_id,
        ])
        .filter(|variable| !sets(container, name_of(variable)))
        .collect()
}

fn sets(container: &Value, name: &str) -> bool {
    let env = container.get("env").and_then(Value::as_array);
    env.is_some_and(|env| env.iter().any(|variable| name_of(variable) == name))
}
