//! `docs/annotations.md`, from the contract.

use endpoint::contract::{
    ANNOTATION_PREFIX, Annotation, LABEL_INJECTED, LABEL_INJECTED_VALUE, app_env,
};

use super::{GENERATED, compare, table};

#[test]
fn the_annotations_are_as_the_contract_says() {
    compare("annotations.md", &page());
}

fn page() -> String {
    let rows: Vec<Vec<String>> = Annotation::ALL
        .into_iter()
        .map(|annotation| {
            let name = annotation.key().strip_prefix(ANNOTATION_PREFIX);
            vec![
                format!("`{}`", name.unwrap_or_default()),
                annotation.valid_values().to_owned(),
                annotation.default_text(),
                annotation.meaning().to_owned(),
            ]
        })
        .collect();
    format!(
        "# Annotations of a pod\n\n{GENERATED}\n\n\
        Written into the metadata of a pod, or of the pod template of a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or CronJob. \
        Every key begins with `{ANNOTATION_PREFIX}`; a key that is not in this list, or a value that is not allowed, is refused with what to write.\n\n\
        {}\n\
        All values are strings: put `\"true\"`, `\"false\"` and numbers in quotes.\n\n\
        ```yaml\n{}```\n\n\
        The pod also gets the label `{LABEL_INJECTED}: \"{LABEL_INJECTED_VALUE}\"`, by which PodMonitors and NetworkPolicies can select it, \
        and its app containers and init containers the variables {}, unless they set `{}` themselves.\n",
        table(&["annotation", "value", "without it", "meaning"], &rows),
        example(),
        app_env::ALL.map(|name| format!("`{name}`")).join(", "),
        app_env::HOSTNAME,
    )
}

/// A pod with each annotation that a person may write.
fn example() -> String {
    let mut text = String::from(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: press\n  namespace: factory\n  annotations:\n",
    );
    for annotation in Annotation::ALL {
        let value = match annotation {
            Annotation::Endpoint => "default, anonymous:1890",
            Annotation::Inject | Annotation::AppEnv => "\"true\"",
            Annotation::LogLevel => "debug",
            Annotation::CpuRequest => "20m",
            Annotation::MemoryRequest => "48Mi",
            Annotation::CpuLimit => "200m",
            Annotation::MemoryLimit => "96Mi",
            Annotation::Image => "registry.example/dataflow-sidecar:1.0.0",
            Annotation::MetricsPort => "\"9500\"",
            Annotation::TokenExpirationSeconds => "\"7200\"",
            Annotation::Readiness => "broker",
            Annotation::Status => continue,
        };
        text += &format!("    {}: {value}\n", annotation.key());
    }
    text + "spec:\n  containers:\n  - name: app\n    image: registry.example/press:1.0.0\n"
}
