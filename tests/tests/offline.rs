//! `dataflow-webhook validate` and `inject` as a person runs them, on every resource that the project has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::built_program;

/// Only `Settings::parse` refuses it: in a file, objects of other kinds stand beside endpoints.
const OTHER_KIND: &str = "resource-of-other-kind.yaml";
/// Below the root of the project.
const ENDPOINTS: &str = "endpoint/tests/fixtures";
const INJECTIONS: &str = "webhook/tests/golden";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the project")
}

/// What is in a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the project");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
}

fn resources(folder: &str) -> Vec<PathBuf> {
    let mut files = entries(&root().join(ENDPOINTS).join(folder));
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    assert!(files.len() > 10, "{folder}: {} files", files.len());
    files
}

fn webhook(command: &str, file: &Path, more: &[&Path]) -> Output {
    Command::new(built_program("dataflow-webhook"))
        .args([command, "-f"])
        .arg(file)
        .args(more)
        .output()
        .expect("it starts")
}

#[test]
fn every_example_of_the_documentation_is_accepted() {
    for folder in ["seed", "warned"] {
        for file in resources(folder) {
            let output = webhook("validate", &file, &[]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{}: {said}", file.display());
        }
    }
}

#[test]
fn every_forbidden_endpoint_is_refused_with_the_field_and_the_remedy() {
    for file in resources("denied") {
        if file.ends_with(OTHER_KIND) {
            continue;
        }
        let output = webhook("validate", &file, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {said}", file.display());
        let faults = fs::read_to_string(file.with_extension("txt")).expect("beside the resource");
        assert!(!faults.is_empty(), "{}", file.display());
        for fault in faults.lines() {
            assert!(said.contains(fault), "{}: {said}", file.display());
        }
    }
}

#[test]
fn an_object_of_another_kind_is_passed_over_and_told() {
    let file = root().join(ENDPOINTS).join("denied").join(OTHER_KIND);
    let output = webhook("validate", &file, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("holds no DataflowEndpoint"), "{said}");
}

#[test]
fn injecting_twice_gives_the_same_bytes_as_once() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let once = folder.path().join("once.yaml");
    let mut injected = 0;
    for case in entries(&root().join(INJECTIONS)) {
        let pod = ["pod.yaml", "pod.json"].map(|name| case.join(name));
        let pod = pod.iter().find(|path| path.is_file()).expect("a pod");
        let endpoints = case.join("endpoints.yaml");
        let mut more = vec!["--namespace".as_ref(), Path::new("factory")];
        if endpoints.is_file() {
            more.extend([Path::new("--endpoints"), &endpoints]);
        }
        let first = webhook("inject", pod, &more);
        if first.status.code() != Some(0) {
            let nothing = first.stdout.is_empty();
            assert!(nothing, "{}: refused, yet written", case.display());
            continue;
        }
        fs::write(&once, &first.stdout).expect("writable");
        let second = webhook("inject", &once, &more);
        assert!(first.stdout == second.stdout, "{}", case.display());
        injected += 1;
    }
    assert!(injected > 10, "{injected} cases are injected");
}
