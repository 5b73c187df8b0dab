//! Injection by example: one folder a case, a manifest in and the injected manifest, or the refusal, out.
//!
//! `pod.yaml` (or `pod.json`) is what a person writes, `endpoints.yaml` the endpoints that exist, `expected.yaml` what
//! comes out, `denied.txt` what is said instead, `warnings.txt` what is said beside it, `explained.txt` what `explain` says. `GOLDEN_REWRITE=1 cargo test -p
//! webhook --test golden` writes the outcomes anew; look at every difference before keeping it.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use webhook::inject::Installation;
use webhook::offline::files::Text;
use webhook::offline::{Exit, Options, Report, explain, inject};

/// Fewer cases would mean that the folder was not found.
const CASES_MIN: usize = 30;

/// Explanations that are kept whole.
const EXPLAINED_MIN: usize = 6;

fn options() -> Options {
    Options {
        namespace: "factory".to_owned(),
        installation: Installation {
            image: "registry.example/dataflow-sidecar:1.0.0".to_owned(),
            // Not the version of this build: a release must not change every case.
            version: "1.0.0".to_owned(),
        },
    }
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

fn text(case: &Path, name: &str) -> Option<Text> {
    let content = fs::read_to_string(case.join(name)).ok()?;
    Some(Text::new(name, content))
}

fn input(case: &Path) -> Text {
    text(case, "pod.yaml")
        .or_else(|| text(case, "pod.json"))
        .unwrap_or_else(|| panic!("{} must have a pod.yaml", case.display()))
}

fn run(case: &Path, input: Text) -> Report {
    let endpoints: Vec<Text> = text(case, "endpoints.yaml").into_iter().collect();
    inject(&[input], &endpoints, &options())
}

/// The files that a report comes to, absent where there is nothing to say.
fn outcome(report: &Report) -> [(&'static str, Option<&str>); 3] {
    let stderr = (!report.stderr.is_empty()).then_some(report.stderr.as_str());
    match report.exit {
        Exit::Good => [
            ("expected.yaml", Some(&report.stdout)),
            ("warnings.txt", stderr),
            ("denied.txt", None),
        ],
        Exit::Failed | Exit::Usage => [
            ("expected.yaml", None),
            ("warnings.txt", None),
            ("denied.txt", stderr),
        ],
    }
}

fn rewrite(case: &Path, report: &Report) {
    for (name, content) in outcome(report) {
        let path = case.join(name);
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            None if path.exists() => fs::remove_file(path).unwrap(),
            None => {}
        }
    }
}

#[test]
fn every_case_comes_out_as_written() {
    let rewriting = std::env::var_os("GOLDEN_REWRITE").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let report = run(&case, input(&case));
        if rewriting {
            rewrite(&case, &report);
        }
        for (name, content) in outcome(&report) {
            let wanted = fs::read_to_string(case.join(name)).ok();
            if content != wanted.as_deref() {
                let (content, wanted) = (
                    content.unwrap_or("(nothing)"),
                    wanted.as_deref().unwrap_or("(nothing)"),
                );
                wrong.push(format!(
                    "{}/{name}\n--- wanted\n{wanted}\n--- got\n{content}",
                    case.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(cases().len() >= CASES_MIN, "{} cases", cases().len());
}

#[test]
fn injecting_twice_is_injecting_once() {
    let mut injected = 0;
    for case in cases() {
        let once = run(&case, input(&case));
        if once.exit != Exit::Good {
            assert_eq!(
                once.stdout,
                "",
                "{}: a refusal must leave stdout empty",
                case.display()
            );
            continue;
        }
        let twice = run(&case, Text::new("pod.yaml", once.stdout.clone()));
        assert_eq!(
            twice.exit,
            Exit::Good,
            "{}: {}",
            case.display(),
            twice.stderr
        );
        assert_eq!(twice.stdout, once.stdout, "{}", case.display());
        injected += 1;
    }
    assert!(injected >= CASES_MIN / 2, "{injected} cases are accepted");
}

#[test]
fn every_case_is_explained() {
    let rewriting = std::env::var_os("GOLDEN_REWRITE").is_some();
    let mut kept = 0;
    for case in cases() {
        let name = case.display();
        let endpoints: Vec<Text> = text(&case, "endpoints.yaml").into_iter().collect();
        let report = explain(&[input(&case)], &endpoints, &options());
        let injected = run(&case, input(&case));
        assert_eq!(report.exit, injected.exit, "{name}: {}", report.stderr);
        // Every refusal and warning is told, in the same words.
        for line in injected.stderr.lines() {
            let told = line.splitn(3, ": ").last().unwrap();
            let told = told.strip_prefix("warning: ").unwrap_or(told);
            assert!(
                report.stdout.contains(told),
                "{name}: {told}\n{}",
                report.stdout
            );
        }
        // What each annotation did is told, too.
        let written = input(&case).content.unwrap();
        for word in written.split([' ', '\n', '"']) {
            let key = word.trim_end_matches(':');
            // The one key that is a label.
            if key.starts_with("dataflow-sidecar.io/") && !key.ends_with("/injected") {
                assert!(
                    report.stdout.contains(key),
                    "{name}: {key}\n{}",
                    report.stdout
                );
            }
        }
        let page = case.join("explained.txt");
        if page.exists() {
            kept += 1;
            if rewriting {
                fs::write(&page, &report.stdout).unwrap();
            }
            assert_eq!(fs::read_to_string(&page).unwrap(), report.stdout, "{name}");
        }
    }
    assert!(kept >= EXPLAINED_MIN, "{kept} explanations are kept");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for case in cases() {
        assert_eq!(
            run(&case, input(&case)),
            run(&case, input(&case)),
            "{}",
            case.display()
        );
    }
}
