//! The program as a person runs it: exit codes, and what goes to stdout and stderr.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Long enough for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

const GOOD: &str = "\
apiVersion: connectivity.iotoperations.azure.com/v1
kind: DataflowEndpoint
metadata:
  name: default
spec:
  endpointType: Mqtt
  mqttSettings:
    authentication:
      method: ServiceAccountToken
";

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

struct Dir(tempfile::TempDir);

impl Dir {
    fn with(files: &[(&str, &str)]) -> Dir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        Dir(dir)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dataflow-webhook"));
        command.args(args).current_dir(self.0.path()).env_clear();
        command
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        told(self.command(args).stdin(Stdio::null()).output().unwrap())
    }

    fn run_with_stdin(&self, args: &[&str], stdin: &str) -> (i32, String, String) {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(stdin.as_bytes())
            .unwrap();
        told(child.wait_with_output().unwrap())
    }
}

fn told(output: Output) -> (i32, String, String) {
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

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
        "bad.yaml: DataflowEndpoint/broken: spec.mqttSettings.qos: 2 is too high: write 0 or 1\n",
        "bad.yaml: DataflowEndpoint/broken: spec.mqttSettings.authentication.method: \"x509\" is not an authentication method: write X509Certificate\n",
    ] {
        assert!(stderr.contains(wanted), "{wanted}\n{stderr}");
    }
    assert!(!stderr.contains("default"), "{stderr}");
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
        &["serve"],
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
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crd/dataflowendpoints.yaml");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == printed,
        "{} is not what this build prints; write it anew: cargo run -p webhook -- crd > deploy/crd/dataflowendpoints.yaml",
        file.display()
    );
}

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(dir: &Dir) -> Server {
        let args = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--cert",
            "tls.crt",
            "--key",
            "tls.key",
            "--endpoints",
            "endpoints.yaml",
        ];
        let log = std::fs::File::create(dir.0.path().join("log")).unwrap();
        Server(
            dir.command(&args)
                .stdin(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap(),
        )
    }

    /// The address behind `key=` in the line that says what is served.
    fn address(dir: &Dir, key: &str) -> String {
        let log = dir.0.path().join("log");
        wait("the server must say where it listens", || {
            let text = std::fs::read_to_string(&log).unwrap();
            let line = text
                .lines()
                .find(|line| line.contains(" serving"))?
                .to_owned();
            let rest = line.split_once(&format!("{key}="))?.1.to_owned();
            Some(rest.split_whitespace().next()?.to_owned())
        })
    }
}

fn wait<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    // Nothing is ever sent: waiting for it is the pause between two looks.
    let (_sender, pause) = mpsc::channel::<()>();
    let start = SystemTime::now();
    while start.elapsed().unwrap() < PATIENCE {
        if let Some(found) = check() {
            return found;
        }
        let _ = pause.recv_timeout(Duration::from_millis(10));
    }
    panic!("{what}");
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn review(address: &str, certificate: &str, body: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap())
            .unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let request = format!(
        "POST /mutate/pods?timeout=5s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn serve_answers_reviews_until_it_is_asked_to_end() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let dir = Dir::with(&[
        ("tls.crt", &certificate),
        ("tls.key", &key),
        ("endpoints.yaml", GOOD),
    ]);
    let mut server = Server::start(&dir);
    let address = Server::address(&dir, "listen");
    let admin = Server::address(&dir, "admin");
    assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200 "));
    let body = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"default","operation":"CREATE","object":{"metadata":{"annotations":{"dataflow-sidecar.io/endpoint":"default"}},"spec":{"containers":[{"name":"app"}]}}}}"#;
    let answer = review(&address, &certificate, body);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains(r#""uid":"u-1","allowed":true,"patchType":"JSONPatch","patch":"W3sib3Ai"#),
        "{answer}"
    );
    let metrics = get(&admin, "/metrics");
    for wanted in [
        r#"dataflow_webhook_reviews_total{reason="none",result="injected",webhook="pods"} 1"#,
        "dataflow_webhook_endpoints 1",
        "dataflow_webhook_certificate_expiry_timestamp_seconds ",
    ] {
        assert!(metrics.contains(wanted), "{wanted}\n{metrics}");
    }
    assert!(get(&admin, "/status").contains("\"ready\": true"));
    assert!(get(&admin, "/livez").starts_with("HTTP/1.1 200 "));
    assert!(get(&admin, "/nothing").starts_with("HTTP/1.1 404 "));

    let asked = Command::new("kill")
        .args(["-TERM", &server.0.id().to_string()])
        .status()
        .unwrap();
    assert!(asked.success());
    let ended = wait("the server must end", || server.0.try_wait().unwrap());
    let log = std::fs::read_to_string(dir.0.path().join("log")).unwrap();
    assert_eq!(ended.code(), Some(0), "{log}");
    let line = log.lines().find(|line| line.contains("reviewed")).unwrap();
    for wanted in ["uid=\"u-1\"", "result=\"injected\"", "webhook=\"pods\""] {
        assert!(line.contains(wanted), "{line}");
    }
}

#[test]
fn serve_says_why_it_cannot_begin() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = Dir::with(&[
        ("tls.crt", &made.cert.pem()),
        ("tls.key", &made.signing_key.serialize_pem()),
        ("empty", ""),
        ("endpoints.yaml", GOOD),
    ]);
    let serve = |args: &[&str]| {
        let common = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        dir.run(&[&common[..], args].concat())
    };
    for (args, code, wanted) in [
        (
            &[
                "--cert",
                "empty",
                "--key",
                "tls.key",
                "--endpoints",
                "endpoints.yaml",
            ][..],
            1,
            "empty holds no certificate",
        ),
        (
            &[
                "--cert",
                "tls.crt",
                "--key",
                "absent",
                "--endpoints",
                "endpoints.yaml",
            ],
            1,
            "reading absent failed",
        ),
        (
            &[
                "--cert",
                "tls.crt",
                "--key",
                "tls.key",
                "--endpoints",
                "absent",
            ],
            1,
            "--endpoints cannot be read: absent: ",
        ),
        (
            &["--cert", "tls.crt", "--key", "tls.key", "--log", "=x="],
            64,
            "--log",
        ),
        (
            &["--cert", "tls.crt", "--key", "tls.key"],
            1,
            "give endpoints with --endpoints FILE",
        ),
    ] {
        let (found, _, stderr) = serve(args);
        assert_eq!(found, code, "{args:?}: {stderr}");
        assert!(stderr.contains(wanted), "{args:?}: {stderr}");
    }
}
