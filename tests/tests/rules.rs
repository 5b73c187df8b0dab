//! `docs/engine-rules.md` names a test for each rule: every named test is there, no table is empty, and the states are those of
//! the engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The document, and the heading of the table that has a state in each row.
const DOCUMENT: &str = "docs/engine-rules.md";
const STATES: &str = "State machine";
/// A document that has lost its tables must not pass.
const TABLES_MIN: usize = 10;

#[test]
fn every_rule_names_tests_that_exist() {
    let tables = tables();
    assert!(
        tables.len() >= TABLES_MIN,
        "{DOCUMENT}: only {} tables were found",
        tables.len()
    );
    let mut known = BTreeMap::new();
    let mut faults = Vec::new();
    for (heading, rows) in &tables {
        if rows.is_empty() {
            faults.push(format!("{heading}: the table has no row"));
        }
        for row in rows {
            let named = row.last().map_or(Vec::new(), |cell| names(cell));
            if named.is_empty() {
                faults.push(format!("{heading}: no test keeps {:?}", row[0]));
            }
            for name in named {
                let found = known
                    .entry(name.to_owned())
                    .or_insert_with(|| is_a_test(name));
                if let Err(reason) = found {
                    faults.push(format!("{heading}: {name}: {reason}"));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{DOCUMENT}: name the test that keeps the rule, or write it\n{}",
        faults.join("\n")
    );
}

#[test]
fn tests_outside_the_tables_exist_too() {
    let text = read(&root().join(DOCUMENT));
    let prose = text.lines().filter(|line| !line.starts_with('|'));
    let named: Vec<&str> = prose
        .flat_map(names)
        .filter(|name| !name.ends_with("NAME") && name.contains("::"))
        .collect();
    assert!(!named.is_empty(), "{DOCUMENT}: the model test is named");
    for name in named {
        assert_eq!(is_a_test(name), Ok(()), "{DOCUMENT}: {name}");
    }
}

#[test]
fn every_state_of_the_engine_is_in_the_state_machine() {
    let tables = tables();
    let rows = &tables[STATES];
    let cells = |columns: &[usize]| -> String {
        let row = |row: &Vec<String>| {
            columns
                .iter()
                .map(|at| row[*at].clone())
                .collect::<Vec<_>>()
        };
        rows.iter().flat_map(row).collect::<Vec<_>>().join(" ")
    };
    let (from, to) = (cells(&[0]), cells(&[3]));
    let engine = read(&root().join("sidecar/src/engine.rs"));
    for name in ["Client", "Broker"] {
        for state in variants(&engine, name) {
            let is = |text: &str| {
                text.split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == state)
            };
            assert!(is(&from), "{DOCUMENT}: {name}::{state} is left by no row");
            let begins = state == "Opening";
            assert!(
                begins || is(&to),
                "{DOCUMENT}: {name}::{state} is reached by no row"
            );
        }
    }
}

#[test]
fn the_readme_says_what_the_sidecar_cannot_do_for_an_app() {
    let readme = read(&root().join("README.md"));
    for words in [
        "maximum client sessions per authentication name",
        "the broker was away for more than 60 s, or mosquitto was shut down",
    ] {
        assert!(readme.contains(words), "README.md must say: {words}");
    }
}

/// Rows of each table, by the heading above it; the head of the table and its rule are left out.
fn tables() -> BTreeMap<String, Vec<Vec<String>>> {
    let text = read(&root().join(DOCUMENT));
    let mut tables: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    let mut heading = "";
    let mut is_body = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        }
        match line
            .strip_prefix('|')
            .and_then(|rest| rest.strip_suffix('|'))
        {
            None => is_body = false,
            Some(row) if row.starts_with("---") => {
                is_body = true;
                tables.entry(heading.to_owned()).or_default();
            }
            Some(row) if is_body => {
                let cells = row.split(" | ").map(|cell| cell.trim().to_owned());
                tables
                    .entry(heading.to_owned())
                    .or_default()
                    .push(cells.collect());
            }
            Some(_) => {}
        }
    }
    tables
}

/// What is between backticks.
fn names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a path is a test function of its source file.
fn is_a_test(path: &str) -> Result<(), String> {
    let (module, name) = path.rsplit_once("::").ok_or("it is no path of a test")?;
    let files = source_files(module);
    let file = files
        .iter()
        .find(|file| root().join(file).is_file())
        .ok_or_else(|| format!("none of these files is there: {files:?}"))?;
    let text = read(&root().join(file));
    let function = text
        .find(&format!("fn {name}("))
        .ok_or_else(|| format!("{file} has no such function"))?;
    // Between the function and the item before it there is nothing but its attributes.
    let attributes = text[..function].rsplit("\n\n").next().unwrap_or_default();
    let is_marked = attributes.contains("#[test]") || attributes.contains("#[tokio::test");
    is_marked
        .then_some(())
        .ok_or_else(|| format!("in {file} it is no test"))
}

/// Where a module may be: `tests/packets` or `endpoint::fixtures`, a file of integration tests; `sidecar::a::b`, or a `mod tests` in
/// its file.
fn source_files(module: &str) -> Vec<String> {
    if let Some(file) = module.strip_prefix("tests/") {
        return vec![format!("tests/tests/{file}.rs")];
    }
    let parts: Vec<&str> = module.split("::").collect();
    let (package, inner) = (parts[0], &parts[1..]);
    let mut files = vec![format!("{package}/src/{}.rs", inner.join("/"))];
    if let [.., "tests"] = inner {
        let file = inner[..inner.len() - 1].join("/");
        files.push(format!("{package}/src/{file}.rs"));
    }
    files.push(format!("{package}/tests/{}.rs", inner.join("/")));
    files
}

/// Names of an enum's variants.
fn variants(source: &str, name: &str) -> Vec<String> {
    let start = source
        .find(&format!("\nenum {name} {{"))
        .unwrap_or_else(|| panic!("enum {name} of the engine"));
    let body = source[start..].split("\n}").next().unwrap_or_default();
    let variant = |line: &str| {
        let line = line.strip_prefix("    ")?;
        let first = line.chars().next()?;
        let name = line.split([',', ' ', '(', '{']).next()?;
        first.is_uppercase().then(|| name.to_owned())
    };
    let found: Vec<String> = body.lines().skip(2).filter_map(variant).collect();
    assert!(!found.is_empty(), "enum {name} has variants");
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
