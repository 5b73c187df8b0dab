//! The environment of the app's containers, by which apps on the Azure IoT Operations SDKs find the sidecar unchanged.

use endpoint::contract::app_env;
use serde_json::{Value, json};

use super::pod::{containers, init_containers, is_native_sidecar, list, text};

/// Variables for one container.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerEnvironment {
    /// The list it stands in.
    pub list: &'static str,
    /// Where it stands there.
    pub index: usize,
    /// Its name.
    pub container: String,
    /// What is put before its own variables.
    pub variables: Vec<Value>,
    /// Why it gets nothing, or not everything.
    pub note: Option<String>,
}

/// The variables of every app container and ordinary init container. Another native sidecar is no app.
pub fn environments(pod: &Value, port: u16) -> Vec<ContainerEnvironment> {
    let several = containers(pod).count() > 1;
    let apps = list(pod, "containers")
        .enumerate()
        .map(|(index, app)| ("containers", index, app));
    let inits = init_containers(pod)
        .enumerate()
        .filter(|(_, container)| !is_native_sidecar(container))
        .map(|(index, container)| ("initContainers", index, container));
    apps.chain(inits)
        .map(|(list, index, container)| {
            let (variables, note) = environment(container, port, several);
            ContainerEnvironment {
                list,
                index,
                container: text(container, "name").to_owned(),
                variables,
                note,
            }
        })
        .collect()
}

fn environment(container: &Value, port: u16, several: bool) -> (Vec<Value>, Option<String>) {
    let own: Vec<&str> = container
        .get("env")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|variable| text(variable, "name"))
        .collect();
    if own.contains(&app_env::HOSTNAME) {
        return (
            Vec::new(),
            Some(format!("sets {} itself", app_env::HOSTNAME)),
        );
    }
    let mut variables = ours(text(container, "name"), port, several);
    let count = variables.len();
    // The client id refers to our variable with the pod's name: one is of no use without the other.
    if own.contains(&app_env::POD) || own.contains(&app_env::CLIENT_ID) {
        variables
            .retain(|variable| !refers_to_pod(variable) && text(variable, "name") != app_env::POD);
    }
    variables.retain(|variable| !own.contains(&text(variable, "name")));
    let kept: Vec<&str> = app_env::ALL
        .into_iter()
        .filter(|name| own.contains(name))
        .collect();
    let note = (variables.len() < count).then(|| format!("keeps its own {}", kept.join(", ")));
    (variables, note)
}

fn ours(container: &str, port: u16, several: bool) -> Vec<Value> {
    let pod_name = json!({ "fieldRef": { "fieldPath": "metadata.name" } });
    let mut variables = vec![
        json!({ "name": app_env::HOSTNAME, "value": app_env::HOSTNAME_VALUE }),
        json!({ "name": app_env::TCP_PORT, "value": port.to_string() }),
        json!({ "name": app_env::USE_TLS, "value": app_env::USE_TLS_VALUE }),
    ];
    if several {
        // Two clients of one id would take the broker session from each other.
        variables.insert(0, json!({ "name": app_env::POD, "valueFrom": pod_name }));
        variables.push(json!({ "name": app_env::CLIENT_ID, "value": format!("$({})-{container}", app_env::POD) }));
    } else {
        variables.push(json!({ "name": app_env::CLIENT_ID, "valueFrom": pod_name }));
    }
    variables
}

fn refers_to_pod(variable: &Value) -> bool {
    text(variable, "name") == app_env::CLIENT_ID && variable.get("value").is_some()
}

#[cfg(test)]
mod tests {
    use super::{ContainerEnvironment, environments};
    use serde_json::{Value, json};

    fn names(environment: &ContainerEnvironment) -> Vec<&str> {
        environment
            .variables
            .iter()
            .filter_map(|variable| variable["name"].as_str())
            .collect()
    }

    fn pod(containers: Value, init_containers: Value) -> Value {
        json!({"spec": {"containers": containers, "initContainers": init_containers}})
    }

    #[test]
    fn one_app_container_has_the_pods_name_as_client_id() {
        let found = environments(&pod(json!([{"name": "app"}]), Value::Null), 1999);
        assert_eq!(
            found[0].variables,
            [
                json!({"name": "AIO_BROKER_HOSTNAME", "value": "localhost"}),
                json!({"name": "AIO_BROKER_TCP_PORT", "value": "1999"}),
                json!({"name": "AIO_MQTT_USE_TLS", "value": "false"}),
                json!({"name": "AIO_MQTT_CLIENT_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            ]
        );
    }

    #[test]
    fn several_app_containers_have_client_ids_of_their_own() {
        let found = environments(
            &pod(
                json!([{"name": "a"}, {"name": "b"}]),
                json!([{"name": "i"}]),
            ),
            1883,
        );
        let ids: Vec<&Value> = found
            .iter()
            .map(|environment| &environment.variables[4]["value"])
            .collect();
        assert_eq!(
            ids,
            [
                "$(DATAFLOW_SIDECAR_POD)-a",
                "$(DATAFLOW_SIDECAR_POD)-b",
                "$(DATAFLOW_SIDECAR_POD)-i"
            ]
        );
        assert_eq!(found[0].variables[0]["name"], "DATAFLOW_SIDECAR_POD");
        assert_eq!((found[2].list, found[2].index), ("initContainers", 0));
    }

    #[test]
    fn another_native_sidecar_gets_nothing() {
        let found = environments(
            &pod(
                json!([{"name": "a"}]),
                json!([{"name": "proxy", "restartPolicy": "Always"}, {"name": "i"}]),
            ),
            1883,
        );
        let containers: Vec<&str> = found
            .iter()
            .map(|environment| environment.container.as_str())
            .collect();
        assert_eq!(containers, ["a", "i"]);
        assert_eq!(found[1].index, 1);
    }

    #[test]
    fn what_a_container_sets_itself_is_not_overridden() {
        let env = |name: &str| json!([{"name": "a", "env": [{"name": name, "value": "own"}]}, {"name": "b"}]);
        for (name, wanted) in [
            ("AIO_BROKER_HOSTNAME", &[][..]),
            (
                "AIO_BROKER_TCP_PORT",
                &[
                    "DATAFLOW_SIDECAR_POD",
                    "AIO_BROKER_HOSTNAME",
                    "AIO_MQTT_USE_TLS",
                    "AIO_MQTT_CLIENT_ID",
                ],
            ),
            (
                "AIO_MQTT_CLIENT_ID",
                &[
                    "AIO_BROKER_HOSTNAME",
                    "AIO_BROKER_TCP_PORT",
                    "AIO_MQTT_USE_TLS",
                ],
            ),
            (
                "DATAFLOW_SIDECAR_POD",
                &[
                    "AIO_BROKER_HOSTNAME",
                    "AIO_BROKER_TCP_PORT",
                    "AIO_MQTT_USE_TLS",
                ],
            ),
        ] {
            let found = environments(&pod(env(name), Value::Null), 1883);
            assert_eq!(names(&found[0]), wanted, "{name}");
            assert!(
                found[0]
                    .note
                    .as_ref()
                    .is_some_and(|note| note.contains(name)),
                "{name}"
            );
            assert_eq!(found[1].variables.len(), 5);
        }
    }
}
