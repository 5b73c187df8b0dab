//! The program as plugin of kubectl, with a kubectl that writes down what it was asked.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use crate::common::Dir;

const KUBECTL: &str = r#"#!/bin/sh
echo "$*" >> asked
case "$*" in
  *dataflowendpoints*) echo '{"items":[{"metadata":{"namespace":"factory","name":"default"}}]}' ;;
  *pods*) echo '{"items":[]}' ;;
  *broken*) echo 'Error from server (NotFound)' >&2; exit 3 ;;
  *exec*) echo 'default: settings  good' ;;
esac
"#;

/// Runs the plugin; its exit code, stdout, stderr, and what kubectl was asked.
fn run(args: &[&str]) -> (i32, String, String, String) {
    let dir = Dir::with(&[("kubectl", KUBECTL)]);
    let path = dir.0.path();
    fs::set_permissions(path.join("kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
    let plugin = path.join("kubectl-dataflow");
    symlink(env!("CARGO_BIN_EXE_dataflow-webhook"), &plugin).unwrap();
    let output = Command::new(plugin)
        .args(args)
        .current_dir(path)
        .env("PATH", format!("{}:/usr/bin:/bin", path.display()))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
        fs::read_to_string(path.join("asked")).unwrap_or_default(),
    )
}

#[test]
fn status_is_a_table_of_what_kubectl_lists() {
    let (code, stdout, _, asked) = run(&["status", "-A", "--context", "plant"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("factory     default"), "{stdout}");
    assert_eq!(
        asked,
        "--context=plant get dataflowendpoints.connectivity.iotoperations.azure.com --output=json --all-namespaces\n\
         --context=plant get pods --output=json --selector=dataflow-sidecar.io/injected=true --all-namespaces\n"
    );
}

#[test]
fn check_runs_in_the_sidecar_of_the_pod() {
    let (code, stdout, _, asked) = run(&["check", "press-1", "-n", "factory", "--json"]);
    assert_eq!(code, 0);
    assert_eq!(stdout, "default: settings  good\n");
    assert_eq!(
        asked,
        "--namespace=factory exec press-1 --container dataflow-sidecar -- /dataflow-sidecar check --json\n"
    );
}

#[test]
fn what_fails_is_told() {
    let (code, _, stderr, _) = run(&["check", "broken"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("NotFound"), "{stderr}");
    assert_eq!(run(&["status", "--nonsense"]).0, 64);
    let (code, stdout, _, _) = run(&["--help"]);
    assert!(code == 0 && stdout.contains("kubectl dataflow"), "{stdout}");
}
