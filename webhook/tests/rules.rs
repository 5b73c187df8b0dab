//! `docs/webhook-rules.md` names for every rule the tests that keep it; each of them must exist.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Fewer would mean that the page was not read.
const RULES_MIN: usize = 80;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The functions with an attribute of a test, of every crate.
fn test_functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["endpoint", "webhook", "tests", "e2e"]
        .map(|folder| root().join(folder))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                names.extend(functions_of(&text).map(str::to_owned));
            }
        }
    }
    names
}

/// What follows `#[test]`, `#[tokio::test]`, or the attributes of a property test.
fn functions_of(text: &str) -> impl Iterator<Item = &str> {
    let mut of_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            of_test = true;
            return None;
        }
        let rest = line.strip_prefix("async ").unwrap_or(line);
        let name = rest.strip_prefix("fn ")?.split(['(', '<']).next();
        std::mem::take(&mut of_test).then_some(name).flatten()
    })
}

/// The facts of the chart's check: `fact "NAME"`, with its variables filled in.
fn chart_facts() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deploy/check.sh")).unwrap();
    let facts = text.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix("fact \"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    facts
        .map(|fact| {
            fact.replace("$INSTALL", "deploy/install.yaml")
                .replace("$ALERTS_TEST", "deploy/alerts-test.yaml")
        })
        .collect()
}

#[test]
fn every_rule_names_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/webhook-rules.md")).unwrap();
    let (functions, facts) = (test_functions(), chart_facts());
    let mut rules = 0;
    let mut wrong = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let [rule, kept_by] = cells.as_slice() else {
            panic!("a rule and what keeps it: {line}");
        };
        if rule.trim() == "rule" {
            continue;
        }
        rules += 1;
        let names: Vec<&str> = kept_by.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            wrong.push(format!("nothing keeps: {rule}"));
        }
        for name in names {
            let exists = match name.split_once(':') {
                Some(("golden", case)) => root().join("webhook/tests/golden").join(case).is_dir(),
                Some(("fixture", case)) => root()
                    .join("endpoint/tests/fixtures/denied")
                    .join(format!("{case}.yaml"))
                    .is_file(),
                Some(("chart", fact)) => facts.contains(fact),
                _ => functions.contains(name),
            };
            if !exists {
                wrong.push(format!("{name} does not exist, which keeps: {rule}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rules >= RULES_MIN, "{rules} rules");
}
