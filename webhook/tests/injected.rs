//! What every injected pod has, whatever it was before: of all manifests that `tests/golden` expects.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use webhook::yaml::documents;

/// Fewer would mean that the folder was not found.
const PODS_MIN: usize = 30;
const API_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Kubernetes takes no longer name of a port.
const PORT_NAME_CHARS_MAX: usize = 15;

/// The pods and pod templates below a value that carry a sidecar which we injected.
fn injected<'a>(value: &'a Value, pods: &mut Vec<&'a Value>) {
    let annotations = &value["metadata"]["annotations"];
    if !annotations["dataflow-sidecar.io/status"].is_null()
        && value["spec"]["containers"].is_array()
    {
        pods.push(value);
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|field| injected(field, pods)),
        Value::Array(items) => items.iter().for_each(|item| injected(item, pods)),
        _ => {}
    }
}

fn is_ours(volume: &Value) -> bool {
    volume["name"]
        .as_str()
        .unwrap()
        .starts_with("dataflow-sidecar-")
}

/// `pod.yaml` had no sidecar, so the position of everything is ours to say.
fn check(pod: &Value, first: bool, case: &str) {
    let containers = pod["spec"]["initContainers"].as_array().unwrap();
    let place = containers
        .iter()
        .position(|container| container["name"] == "dataflow-sidecar")
        .unwrap_or_else(|| panic!("{case}"));
    assert!(!first || place == 0, "{case}: it is first");
    let sidecar = &containers[place];
    assert_eq!(sidecar["restartPolicy"], "Always", "{case}");
    let wait = &sidecar["lifecycle"]["postStart"]["exec"]["command"];
    assert_eq!(*wait, json!(["/dataflow-sidecar", "wait"]), "{case}");
    for (key, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(sidecar[key]["httpGet"]["path"], path, "{case}");
    }
    assert!(sidecar["startupProbe"].is_null(), "{case}");
    assert!(sidecar["lifecycle"]["preStop"].is_null(), "{case}");
    restricted(&sidecar["securityContext"], case);
    let port = sidecar["ports"][0]["name"].as_str().unwrap();
    assert!(port.len() <= PORT_NAME_CHARS_MAX, "{case}: {port}");
    let mounts = sidecar["volumeMounts"].as_array().unwrap();
    let over_token = mounts.iter().find(|mount| mount["mountPath"] == API_TOKEN);
    assert_eq!(
        over_token.unwrap()["name"],
        "dataflow-sidecar-no-api-token",
        "{case}"
    );
    assert!(
        mounts.iter().all(|mount| mount["readOnly"] == true),
        "{case}"
    );
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    for volume in volumes.iter().filter(|volume| is_ours(volume)) {
        let text = volume.to_string();
        for word in ["defaultMode", "optional", "emptyDir", "hostPath"] {
            assert!(!text.contains(word), "{case}: {text}");
        }
    }
    assert_eq!(
        pod["metadata"]["labels"]["dataflow-sidecar.io/injected"], "true",
        "{case}"
    );
}

/// The rules of Pod Security for a container that the pod says nothing for.
fn restricted(context: &Value, case: &str) {
    assert_eq!(context["allowPrivilegeEscalation"], false, "{case}");
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{case}");
    assert_eq!(context["runAsNonRoot"], true, "{case}");
    assert!(context["runAsUser"].as_u64().unwrap() > 0, "{case}");
    assert_eq!(
        context["seccompProfile"],
        json!({"type": "RuntimeDefault"}),
        "{case}"
    );
    assert_eq!(context["readOnlyRootFilesystem"], true, "{case}");
}

#[test]
fn what_is_injected_keeps_the_rules() {
    let mut checked = 0;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for entry in fs::read_dir(root).unwrap() {
        let case = entry.unwrap().path();
        let Ok(expected) = fs::read_to_string(case.join("expected.yaml")) else {
            continue;
        };
        let before = fs::read_to_string(case.join("pod.yaml")).unwrap_or_default();
        let documents = documents(&expected).unwrap();
        let mut pods = Vec::new();
        documents
            .iter()
            .for_each(|document| injected(&document.value, &mut pods));
        let name = case.display().to_string();
        for pod in pods {
            check(pod, !before.contains("dataflow-sidecar.io/status"), &name);
            checked += 1;
        }
        // Files of a volume belong to this group then, the app's too.
        assert_eq!(
            expected.matches("fsGroup").count(),
            before.matches("fsGroup").count(),
            "{name}"
        );
    }
    assert!(checked >= PODS_MIN, "{checked} pods");
}
