//! What a cluster is given: `deploy/install.yaml`, which `deploy/check.sh` compares with the chart.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use webhook::yaml::documents;

/// The product is there once in a cluster.
const NAME: &str = "dataflow-webhook";

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn object(kind: &str, name: &str) -> Value {
    let objects = documents(&file("deploy/install.yaml")).unwrap();
    objects
        .into_iter()
        .map(|document| document.value)
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("there must be the {kind} {name}"))
}

/// The entry of this name in a configuration.
fn entry(configuration: &str, name: &str) -> Value {
    let configuration = object(configuration, NAME);
    let entries = configuration["webhooks"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    entry
        .unwrap_or_else(|| panic!("there must be {name}"))
        .clone()
}

/// What is registered for an entry: operations and resources.
fn asked(entry: &Value) -> Vec<(Value, Value)> {
    let rules = entry["rules"].as_array().unwrap();
    rules
        .iter()
        .map(|rule| (rule["operations"].clone(), rule["resources"].clone()))
        .collect()
}

fn conditions(entry: &Value) -> String {
    let conditions = entry["matchConditions"].as_array().unwrap();
    conditions
        .iter()
        .map(|condition| condition["expression"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

fn expect(entry: &Value, wanted: Value) {
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(entry[key], *value, "{key} of {}", entry["name"]);
    }
}

#[test]
fn pods_are_asked_about_as_decided() {
    let pods = entry("MutatingWebhookConfiguration", "pods.dataflow-sidecar.io");
    assert_eq!(asked(&pods), [(json!(["CREATE"]), json!(["pods"]))]);
    expect(
        &pods,
        json!({"failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded", "sideEffects": "NoneOnDryRun", "timeoutSeconds": 5}),
    );
    // What they mean is seen in a cluster: a pod without the annotation never reaches the webhook.
    let conditions = conditions(&pods);
    for wanted in [
        "startsWith('dataflow-sidecar.io/')",
        "[?'dataflow-sidecar.io/inject'].orValue('') != 'false'",
        "!('kubernetes.io/config.mirror' in",
    ] {
        assert!(conditions.contains(wanted), "{wanted}\n{conditions}");
    }
    let selectors = pods["namespaceSelector"]["matchExpressions"]
        .as_array()
        .unwrap();
    for wanted in [
        json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["dataflow-system", "kube-system"]}),
        json!({"key": "control-plane", "operator": "NotIn", "values": ["true"]}),
        json!({"key": "kubernetes.azure.com/managedby", "operator": "NotIn", "values": ["aks"]}),
    ] {
        assert!(selectors.contains(&wanted), "{wanted}");
    }
}

#[test]
fn endpoints_are_asked_about_before_and_after_the_schema() {
    let both = (json!(["CREATE", "UPDATE"]), json!(["dataflowendpoints"]));
    let before = entry(
        "MutatingWebhookConfiguration",
        "explain.dataflowendpoints.dataflow-sidecar.io",
    );
    expect(
        &before,
        json!({"failurePolicy": "Ignore", "reinvocationPolicy": "Never", "sideEffects": "None"}),
    );
    let after = entry(
        "ValidatingWebhookConfiguration",
        "dataflowendpoints.dataflow-sidecar.io",
    );
    expect(
        &after,
        json!({"failurePolicy": "Fail", "sideEffects": "None"}),
    );
    for entry in [before, after] {
        assert_eq!(asked(&entry), std::slice::from_ref(&both));
        assert!(conditions(&entry).contains("!has(object.metadata.deletionTimestamp)"));
    }
}

#[test]
fn workloads_are_asked_about_where_a_person_applies_them() {
    let workloads = entry(
        "ValidatingWebhookConfiguration",
        "workloads.dataflow-sidecar.io",
    );
    expect(
        &workloads,
        json!({"failurePolicy": "Ignore", "sideEffects": "None", "timeoutSeconds": 5}),
    );
    let operations = json!(["CREATE", "UPDATE"]);
    assert_eq!(
        asked(&workloads),
        [
            (
                operations.clone(),
                json!(["deployments", "statefulsets", "daemonsets", "replicasets"])
            ),
            (operations, json!(["jobs", "cronjobs"])),
        ]
    );
    let conditions = conditions(&workloads);
    for wanted in [
        "exists(o, o.?controller.orValue(false))",
        "startsWith('dataflow-sidecar.io/')",
    ] {
        assert!(conditions.contains(wanted), "{wanted}\n{conditions}");
    }
}

#[test]
fn policies_need_no_server() {
    for (name, wanted) in [
        (
            "dataflow-sidecar-present",
            "c.?restartPolicy.orValue('') == 'Always'",
        ),
        (
            "dataflow-webhook-own-objects",
            "request.name.startsWith('dataflow-endpoint-')",
        ),
    ] {
        let policy = object("ValidatingAdmissionPolicy", name);
        assert_eq!(policy["spec"]["failurePolicy"], "Fail");
        let validations = policy["spec"]["validations"].to_string();
        assert!(validations.contains(wanted), "{validations}");
        let binding = object("ValidatingAdmissionPolicyBinding", name);
        assert_eq!(binding["spec"]["policyName"], name);
        assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
    }
    let present = object("ValidatingAdmissionPolicy", "dataflow-sidecar-present").to_string();
    for half in [
        "another webhook dropped restartPolicy",
        "the webhook did not run",
    ] {
        assert!(present.contains(half), "{half}");
    }
    // Whom the webhook does not see, the policy must not refuse.
    let pods = entry("MutatingWebhookConfiguration", "pods.dataflow-sidecar.io");
    let policy = object("ValidatingAdmissionPolicy", "dataflow-sidecar-present");
    assert_eq!(
        policy["spec"]["matchConstraints"]["namespaceSelector"],
        pods["namespaceSelector"]
    );
}

#[test]
fn no_secret_but_its_own_can_be_read() {
    let cluster = object("ClusterRole", NAME);
    for rule in cluster["rules"].as_array().unwrap() {
        for word in ["secrets", "*"] {
            let named = rule["resources"].as_array().unwrap().contains(&json!(word));
            assert!(!named, "{rule}");
        }
        assert!(!rule["verbs"].to_string().contains('*'), "{rule}");
    }
    let own = object("Role", NAME);
    for rule in own["rules"].as_array().unwrap() {
        let reads = rule["verbs"] != json!(["create"]);
        assert_eq!(rule["resources"], json!(["secrets"]));
        assert!(
            !reads || rule["resourceNames"] == json!(["dataflow-webhook-ca"]),
            "{rule}"
        );
    }
}

#[test]
fn replicas_are_replaced_one_by_one() {
    let deployment = object("Deployment", NAME);
    let spec = &deployment["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(
        spec["strategy"]["rollingUpdate"],
        json!({"maxUnavailable": 0, "maxSurge": 1})
    );
    let pod = &spec["template"]["spec"];
    assert_eq!(
        pod["topologySpreadConstraints"].as_array().unwrap().len(),
        1
    );
    let affinity = pod["affinity"]["nodeAffinity"].to_string();
    assert!(affinity.contains(r#"["amd64","arm64"]"#), "{affinity}");
    let disruption = object("PodDisruptionBudget", NAME);
    assert_eq!(disruption["spec"]["maxUnavailable"], 1);
    // More than the server lingers and drains.
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= 25);
}

#[test]
fn the_readme_tells_what_users_must_know() {
    let readme = file("README.md");
    for told in [
        "within 60 to 90 s",
        "80 % of its life",
        "kubectl rollout restart",
        "up to 1,000 s apart",
        "`ContainerResource`",
        "`prometheus.io/port`",
        "A static pod runs without a sidecar",
    ] {
        assert!(readme.contains(told), "README.md must say: {told}");
    }
}
