//! The offline commands as a person runs them: exit codes, and what goes to stdout and stderr.

use std::path::Path;

use crate::common::{Dir, GOOD};

const BAD: &str = "\
apiVersion: connectivity.iotoperations.azure.com/v1
kind: DataflowEndpoint
metadata:
  name: broken
spec:
  endpointType: Mqtt
  mqttSettings:
    hosst: aio-broker:18883
    authentication:
      method: x509
    qos: 2
";

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: app
  annotations:
    dataflow-sidecar.io/endpoint: default
spec:
  containers:
  - name: app
    image: registry.example/app:1
";

#[test]
fn validate_is_silent_about_good_files() {
    let dir = Dir::with(&[
        ("good.yaml", GOOD),
        ("pod.yaml", &format!("{GOOD}---\n{POD}")),
    ]);
    assert_eq!(
        dir.run(&["validate", "-f", "good.yaml", "-f", "pod.yaml"]),
        (0, String::new(), String::new())
    );
}

#[test]
fn validate_names_file_object_field_and_remedy() {
    let dir = Dir::with(&[
        ("good.yaml", GOOD),
        ("bad.yaml", &format!("{GOOD}---\n{BAD}")),
    ]);
    let (code, stdout, stderr) = dir.run(&["validate", "-f", "good.yaml", "bad.yaml"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    for wanted in [
        "bad.yaml: DataflowEndpoint/broken: spec.mqttSettings.hosst: ",
        "write host",
        "bad.yaml: DataflowEndpoint/broken: spec.mqttSettings.qos: 2 is too high, the sidecar gives brokers QoS 0 and 1 only: write 0 or 1\n",
        "bad.yaml: DataflowEndpoint/broken: spec.mqttSettings.authentication.method: \"x509\" is not an authentication method: write X509Certificate\n",
    ] {
        assert!(stderr.contains(wanted), "{wanted}\n{stderr}");
    }
    assert!(!stderr.contains("default"), "{stderr}");
}

#[test]
fn validate_knows_an_endpoint_whose_kind_is_wrong() {
    let group = "connectivity.iotoperations.azure.com/v1";
    for (content, wanted) in [
        (
            GOOD.replace("kind: DataflowEndpoint\n", ""),
            "?/default: kind: is required: write DataflowEndpoint\n",
        ),
        (
            GOOD.replace(": DataflowEndpoint", ": DataFlowEndPoint"),
            ": kind: \"DataFlowEndPoint\" is not ",
        ),
        (
            GOOD.replace(&format!("apiVersion: {group}\n"), ""),
            ": apiVersion: is required: write connectivity.",
        ),
        (
            GOOD.replace(group, "example.com/v1"),
            ": apiVersion: \"example.com/v1\" is not ",
        ),
        (
            "- kind: DataflowEndpoint\n".to_owned(),
            "must be an object, not a list",
        ),
        (
            GOOD.replace(": DataflowEndpoint", ": DataflowGraph")
                .replace("mqttSettings", "nodes"),
            "",
        ),
    ] {
        let dir = Dir::with(&[("file.yaml", &content)]);
        let (code, _, stderr) = dir.run(&["validate", "-f", "file.yaml"]);
        assert_eq!(code, i32::from(!wanted.is_empty()), "{content}\n{stderr}");
        assert!(stderr.contains(wanted), "{wanted}\n{stderr}");
    }
}

#[test]
fn validate_checks_annotations_and_warns() {
    let deployment = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: gateway
  annotations:
    dataflow-sidecar.io/endpoint: default
spec:
  template:
    metadata:
      annotations:
        dataflow-sidecar.io/endpoint: elsewhere
        dataflow-sidecar.io/readiness: sometimes
    spec:
      containers: [{name: app}]
";
    let dir = Dir::with(&[
        ("app.yaml", deployment),
        ("other.yaml", "kind: ConfigMap\napiVersion: v1\n"),
        ("pod.yaml", POD),
    ]);
    let (code, _, stderr) = dir.run(&["validate", "-f", "app.yaml"]);
    assert_eq!(code, 1);
    for wanted in [
        "app.yaml: Deployment/gateway: warning: dataflow-sidecar.io/endpoint does nothing here: ",
        "app.yaml: Deployment/gateway: warning: endpoint \"elsewhere\" is not in namespace default yet: ",
        "app.yaml: Deployment/gateway: spec.template.metadata.annotations[dataflow-sidecar.io/readiness]: ",
    ] {
        assert!(stderr.contains(wanted), "{wanted}\n{stderr}");
    }
    // The cluster may have what the files have not.
    let (code, _, stderr) = dir.run(&["validate", "-f", "pod.yaml"]);
    assert_eq!(code, 0);
    assert!(
        stderr.starts_with("pod.yaml: Pod/app: warning: dataflow-sidecar.io/endpoint: "),
        "{stderr}"
    );
    let (code, _, stderr) = dir.run(&["validate", "-f", "other.yaml"]);
    assert_eq!(code, 0);
    assert!(
        stderr.starts_with("other.yaml: warning: holds no DataflowEndpoint"),
        "{stderr}"
    );
}

#[test]
fn what_cannot_be_read_is_bad_usage_and_all_of_it_is_told() {
    let dir = Dir::with(&[
        ("bad.yaml", BAD),
        ("broken.yaml", "a: [\n"),
        ("pod.yaml", POD),
    ]);
    let (code, _, stderr) = dir.run(&["validate", "-f", "bad.yaml", "broken.yaml", "absent.yaml"]);
    assert_eq!(code, 64);
    for wanted in [
        "bad.yaml: DataflowEndpoint/broken: ",
        "broken.yaml: cannot be read: line ",
        "absent.yaml: cannot be read: No such file",
    ] {
        assert!(stderr.contains(wanted), "{wanted}\n{stderr}");
    }
    let (code, stdout, stderr) =
        dir.run(&["inject", "-f", "pod.yaml", "--endpoints", "absent.yaml"]);
    assert_eq!((code, stdout.as_str()), (64, ""));
    assert!(stderr.contains("absent.yaml: cannot be read: "), "{stderr}");
}

#[test]
fn inject_writes_manifests_that_stay_as_they_are() {
    let dir = Dir::with(&[("pod.yaml", POD), ("endpoints.yaml", GOOD)]);
    let (code, once, stderr) = dir.run(&[
        "inject",
        "-f",
        "pod.yaml",
        "--endpoints",
        "endpoints.yaml",
        "--image",
        "mine:1",
    ]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(once.contains("image: mine:1"), "{once}");
    let twice = dir.run_with_stdin(
        &["inject", "-f", "-", "--endpoints", "endpoints.yaml"],
        &once,
    );
    assert_eq!(twice, (0, once, String::new()));
}

#[test]
fn a_denial_leaves_stdout_empty() {
    let dir = Dir::with(&[("all.yaml", &format!("{GOOD}---\n{POD}"))]);
    let args = ["inject", "-f", "all.yaml", "-f", "-"];
    let (code, stdout, stderr) =
        dir.run_with_stdin(&args, &POD.replace("endpoint: default", "endpoint: defaul"));
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.starts_with("-: Pod/app: metadata.annotations[dataflow-sidecar.io/endpoint]: "),
        "{stderr}"
    );
    assert!(stderr.contains("write \"default\""), "{stderr}");
}

#[test]
fn objects_without_a_namespace_are_in_the_given_one() {
    let elsewhere = GOOD.replace("name: default", "name: default\n  namespace: factory");
    let dir = Dir::with(&[("pod.yaml", POD), ("endpoints.yaml", &elsewhere)]);
    let args = ["inject", "-f", "pod.yaml", "--endpoints", "endpoints.yaml"];
    assert_eq!(dir.run(&args).0, 1);
    assert_eq!(
        dir.run(&[&args[..], &["--namespace", "factory"]].concat())
            .0,
        0
    );
}

#[test]
fn explain_says_what_and_why() {
    let annotated = POD.replace(
        "endpoint: default",
        "endpoint: default\n    dataflow-sidecar.io/log-level: debug",
    );
    let dir = Dir::with(&[
        ("pod.yaml", &annotated),
        ("endpoints.yaml", GOOD),
        (
            "out.yaml",
            &POD.replace("endpoint: default", "inject: \"false\""),
        ),
    ]);
    let (code, stdout, stderr) = dir.run(&[
        "explain",
        "-f",
        "pod.yaml",
        "out.yaml",
        "--endpoints",
        "endpoints.yaml",
    ]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for wanted in [
        "Pod/app in namespace default (pod.yaml): gets a sidecar.\n",
        "default listens on localhost:1883 and speaks MQTT with aio-broker:18883 over TLS",
        "service account token for audience aio-internal",
        "uid 65532, its own",
        "cpu request 10m, limit none",
        "dataflow-sidecar-0-config at /var/run/dataflow-sidecar/default/config: ConfigMap dataflow-endpoint-default",
        "container app: AIO_BROKER_HOSTNAME, ",
        "dataflow-sidecar.io/log-level: \"debug\": the sidecar logs at level debug\n",
        "Pod/app in namespace default (out.yaml): gets no sidecar, because dataflow-sidecar.io/inject is \"false\".\n",
    ] {
        assert!(stdout.contains(wanted), "{wanted}\n{stdout}");
    }
    let (code, stdout, _) = dir.run(&["explain", "-f", "pod.yaml"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("is refused.\n  Why, and what to write\n    metadata.annotations[dataflow-sidecar.io/endpoint]: "), "{stdout}");
}

#[test]
fn bad_usage_has_its_own_exit_code() {
    let dir = Dir::with(&[]);
    for args in [
        &["inject"][..],
        &["nonsense"],
        &["validate"],
        &["serve", "--cert", "tls.crt"],
        &[],
    ] {
        assert_eq!(dir.run(args).0, 64, "{args:?}");
    }
    for args in [&["--help"][..], &["inject", "--help"], &["--version"]] {
        let (code, stdout, _) = dir.run(args);
        assert_eq!(code, 0, "{args:?}");
        assert!(!stdout.is_empty());
    }
    let (_, help, _) = dir.run(&["--help"]);
    assert!(
        help.contains("dataflow-sidecar.io/endpoint: default"),
        "{help}"
    );
}

#[test]
fn the_custom_resource_definition_in_deploy_is_the_one_printed() {
    let (code, printed, _) = Dir::with(&[]).run(&["crd"]);
    assert_eq!(code, 0);
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/chart/files/dataflowendpoints.yaml");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == printed,
        "{} is not what this build prints; write it anew: cargo run -p webhook -- crd > deploy/chart/files/dataflowendpoints.yaml",
        file.display()
    );
}
