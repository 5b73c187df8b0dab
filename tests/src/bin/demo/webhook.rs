//! The offline half: an endpoint is checked, and a pod is injected.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::built_program;

use crate::screen::Screen;

const MISTYPED: &str = "\
apiVersion: connectivity.iotoperations.azure.com/v1
kind: DataflowEndpoint
metadata:
  name: default
spec:
  endpointType: Mqtt
  mqttSettings:
    host: localhost.18883
    qos: 2
    authentication:
      method: serviceAccountToken
";

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: oven
  annotations:
    dataflow-sidecar.io/endpoint: default
spec:
  containers:
  - name: app
    image: oven:1.0
";

/// A mistyped endpoint is refused with what to write; the corrected one is accepted.
pub(crate) fn validate(screen: &Screen, folder: &Path, port: u16) -> Result<()> {
    let mistyped = folder.join("mistyped.yaml");
    fs::write(&mistyped, MISTYPED)?;
    screen.say("An operator applies this endpoint:");
    screen.quote(MISTYPED);
    screen.say("dataflow-webhook validate says:");
    let refused = webhook(&["validate", "-f", text(&mistyped)?])?;
    ensure!(
        refused.status.code() == Some(1),
        "the mistyped endpoint was not refused"
    );
    screen.quote(&String::from_utf8_lossy(&refused.stderr).replace(text(folder)?, ""));
    let endpoint = folder.join("endpoint.yaml");
    let corrected = MISTYPED
        .replace("localhost.18883", &format!("localhost:{port}"))
        .replace("qos: 2", "qos: 1")
        .replace("serviceAccountToken", "ServiceAccountToken")
        + "    tls:\n      mode: Enabled\n      trustedCaCertificateConfigMapRef: demo-ca\n";
    fs::write(&endpoint, corrected)?;
    let accepted = webhook(&["validate", "-f", text(&endpoint)?])?;
    ensure!(
        accepted.status.success(),
        "{}",
        String::from_utf8_lossy(&accepted.stderr)
    );
    screen.say("Corrected, it is accepted (exit 0).");
    Ok(())
}

/// What injection adds to a pod.
pub(crate) fn inject(screen: &Screen, folder: &Path) -> Result<()> {
    let pod = folder.join("pod.yaml");
    fs::write(&pod, POD)?;
    screen.say("A developer adds one annotation:");
    screen.quote(POD);
    let endpoints = folder.join("endpoint.yaml");
    let arguments = [
        "inject",
        "-f",
        text(&pod)?,
        "--endpoints",
        text(&endpoints)?,
    ];
    let output = webhook(&arguments)?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    screen.say("dataflow-webhook inject adds:");
    screen.quote(&added(&String::from_utf8(output.stdout)?));
    Ok(())
}

/// The lines of the injected pod that the original has not.
fn added(injected: &str) -> String {
    let known: Vec<&str> = POD.lines().map(str::trim).collect();
    let new = injected
        .lines()
        .filter(|line| !known.contains(&line.trim()));
    new.map(|line| format!("+ {line}\n")).collect()
}

fn webhook(arguments: &[&str]) -> Result<Output> {
    let program = built_program("dataflow-webhook");
    Command::new(&program)
        .args(arguments)
        .output()
        .with_context(|| format!("running {}", program.display()))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .context("the temporary folder has a name that is not UTF-8")
}

/// `mqttSettings` of the corrected endpoint, as the controller would bring them into the pod.
pub(crate) fn settings(port: u16) -> Value {
    serde_json::json!({
        "host": format!("localhost:{port}"),
        "qos": 1,
        "authentication": {"method": "ServiceAccountToken"},
        "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "demo-ca"},
    })
}
