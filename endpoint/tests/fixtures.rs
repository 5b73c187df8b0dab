//! Whole resources as people write them: every example of the documentation is good, every forbidden cell of the design's
//! table is denied with its remedy, every warned one is warned of.
//!
//! Beside each `denied/NAME.yaml` and `warned/NAME.yaml` is `NAME.txt` with the lines that a person reads, in order.
//! `BLESS=1 cargo test -p endpoint fixtures` writes those files anew; read the difference before committing it.

use std::collections::BTreeMap;
use std::fs;

use endpoint::{Settings, Violation, Warning};

use crate::resources::{folder, resources};

/// The API server cuts longer warnings.
const WARNING_CHARS_MAX: usize = 120;
/// `webhook.md` section 3: what one fault may say.
const VIOLATION_CHARS_MAX: usize = 900;

/// Compares the lines with the file beside the resource, and reports every difference at once.
fn compare(name: &str, found: &BTreeMap<String, Vec<String>>) {
    let mut differences = String::new();
    for (stem, lines) in found {
        let path = folder(name).join(format!("{stem}.txt"));
        let text = lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let wanted = fs::read_to_string(&path).unwrap_or_default();
        if text != wanted {
            differences += &format!("{name}/{stem}\nwanted:\n{wanted}found:\n{text}\n");
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn every_example_of_the_documentation_is_good() {
    let resources = resources("seed");
    assert_eq!(resources.len(), 20);
    for (stem, resource) in resources {
        if let Err(violations) = Settings::parse(&resource) {
            panic!("{stem}: {violations:?}");
        }
    }
}

#[test]
fn every_forbidden_resource_is_denied_with_its_remedy() {
    let mut found = BTreeMap::new();
    for (stem, resource) in resources("denied") {
        let violations = Settings::parse(&resource)
            .map(|(settings, _)| settings)
            .expect_err(&stem);
        assert!(!violations.is_empty(), "{stem}");
        for violation in &violations {
            assert!(
                violation.to_string().chars().count() <= VIOLATION_CHARS_MAX,
                "{stem}: {violation}"
            );
        }
        found.insert(stem, violations.iter().map(Violation::to_string).collect());
    }
    compare("denied", &found);
}

#[test]
fn every_doubtful_resource_is_admitted_with_a_short_warning() {
    let mut found = BTreeMap::new();
    for (stem, resource) in resources("warned") {
        let (_, warnings) = Settings::parse(&resource).expect(&stem);
        assert!(!warnings.is_empty(), "{stem}");
        for warning in &warnings {
            assert!(
                warning.to_string().chars().count() <= WARNING_CHARS_MAX,
                "{stem}: {warning}"
            );
        }
        found.insert(stem, warnings.iter().map(Warning::to_string).collect());
    }
    compare("warned", &found);
}

#[test]
fn no_message_repeats_a_password_or_token() {
    for (stem, resource) in resources("denied") {
        for violation in Settings::parse(&resource).expect_err(&stem) {
            let text = violation.to_string();
            assert!(
                !text.contains("hunter2") && !text.contains("eyJ"),
                "{stem}: {text}"
            );
        }
    }
}
